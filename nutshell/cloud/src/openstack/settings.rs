//! What the director must be told about an OpenStack cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::Secret;

/// One project on one OpenStack cloud, and what to make there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where Keystone answers, with or without the final `/v3`.
    pub auth_url: String,
    /// User name.
    pub username: String,
    /// The user's password.
    pub password: Secret,
    /// Name of the project that owns the servers.
    pub project: String,
    /// Name of the user's domain.
    #[serde(default = "default_domain")]
    pub user_domain: String,
    /// Name of the project's domain.
    #[serde(default = "default_domain")]
    pub project_domain: String,
    /// Region; needed where the cloud has several.
    #[serde(default)]
    pub region: Option<String>,
    /// Which of the cloud's endpoints to use: `public`, `internal` or `admin`.
    #[serde(default)]
    pub interface: Interface,
    /// Image of the servers, name or id.
    pub image: String,
    /// Flavor of the servers, name or id, unless a server asks for another.
    pub flavor: String,
    /// Prices of an hour, by the names of instance types: services grow by these on their own. Without
    /// any, by the family of the usual one, at the prices that the cloud states.
    #[serde(default)]
    pub prices: BTreeMap<String, f64>,
    /// Network of the servers, name or id; needed where the project has several.
    #[serde(default)]
    pub network: Option<String>,
    /// External network that gives each server a floating address, name or id; without it, none.
    #[serde(default)]
    pub floating_pool: Option<String>,
    /// Names of the servers' security groups; without any, groups are made for the servers.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Key pair that may log in to the servers.
    #[serde(default)]
    pub key_name: Option<String>,
    /// PEM file with the only authorities to trust; without it, the system's.
    #[serde(default)]
    pub ca_certificate: Option<PathBuf>,
    /// How long a server may take to appear, or to go.
    #[serde(default = "default_server_timeout_seconds")]
    pub server_timeout_seconds: u64,
}

fn default_domain() -> String {
    "Default".to_owned()
}

fn default_server_timeout_seconds() -> u64 {
    300
}

/// The face an endpoint shows.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// For the cloud's users.
    #[default]
    Public,
    /// For the cloud's own services.
    Internal,
    /// For the cloud's administrators.
    Admin,
}

impl Interface {
    /// As the catalog spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: &str = r#"
        auth_url = "http://127.0.0.1:5000/v3"
        username = "test"
        password = "sesame"
        project = "test"
        image = "debian"
        flavor = "m1.small"
    "#;

    #[test]
    fn the_shortest_settings_take_the_usual_for_the_rest() {
        let settings: Settings = toml::from_str(SHORTEST).unwrap();
        assert_eq!(settings.user_domain, "Default");
        assert_eq!(settings.interface, Interface::Public);
        assert_eq!(settings.floating_pool, None);
        assert_eq!(settings.server_timeout_seconds, 300);
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let error =
            toml::from_str::<Settings>(&format!("{SHORTEST}\nnetwrok = \"x\"")).unwrap_err();
        assert!(error.to_string().contains("netwrok"), "{error}");
    }

    #[test]
    fn the_password_does_not_show() {
        let settings: Settings = toml::from_str(SHORTEST).unwrap();
        assert!(!format!("{settings:?}").contains("sesame"));
        assert_eq!(settings.password.expose(), "sesame");
    }
}
