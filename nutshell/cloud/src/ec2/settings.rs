//! What the director must be told about an EC2 cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::Secret;

/// One account on one EC2 cloud, and what to make there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Region: `eu-west-1`.
    pub region: String,
    /// Where EC2 answers; without it, Amazon's own address of the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: Secret,
    /// Image of the servers, name or id.
    pub image: String,
    /// Instance type of the servers, unless a server asks for another.
    pub instance_type: String,
    /// Prices of an hour, by the names of instance types: services grow by these on their own. Without
    /// any, by the family of the usual one, at the prices that the cloud states.
    #[serde(default)]
    pub prices: BTreeMap<String, f64>,
    /// Id of the servers' subnet; without it, the default one.
    #[serde(default)]
    pub subnet: Option<String>,
    /// Ids of the servers' security groups; without any, groups are made for the servers.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Key pair that may log in to the servers.
    #[serde(default)]
    pub key_name: Option<String>,
    /// Whether each server gets an elastic address; without, it has the one that its subnet gives it.
    #[serde(default = "default_elastic_addresses")]
    pub elastic_addresses: bool,
    /// PEM file with the only authorities to trust; without it, the system's.
    #[serde(default)]
    pub ca_certificate: Option<PathBuf>,
    /// How long a server may take to appear, or to go.
    #[serde(default = "default_server_timeout_seconds")]
    pub server_timeout_seconds: u64,
}

fn default_elastic_addresses() -> bool {
    true
}

fn default_server_timeout_seconds() -> u64 {
    300
}

impl Settings {
    /// Where EC2 answers.
    pub(crate) fn url(&self) -> String {
        let usual = || format!("https://ec2.{}.amazonaws.com/", self.region);
        self.endpoint.clone().unwrap_or_else(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_settings_take_the_usual_for_the_rest() {
        let settings: Settings = toml::from_str(
            r#"
            region = "eu-west-1"
            access_key = "AKIDEXAMPLE"
            secret_key = "sesame"
            image = "ami-0123"
            instance_type = "t3.micro"
            "#,
        )
        .unwrap();
        assert_eq!(settings.url(), "https://ec2.eu-west-1.amazonaws.com/");
        assert!(settings.elastic_addresses);
        assert!(!format!("{settings:?}").contains("sesame"));
    }
}
