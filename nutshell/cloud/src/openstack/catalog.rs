//! The service catalog that comes with a token: where each API of the cloud answers.

use reqwest::Url;
use serde::Deserialize;

use super::settings::Interface;
use crate::CloudError;

/// The services that this driver speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Compute,
    Image,
    Network,
    BlockStorage,
}

impl Service {
    /// The official type first, then what older clouds call it.
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Compute => &["compute", "compute_legacy"],
            Self::Image => &["image"],
            Self::Network => &["network", "networking"],
            Self::BlockStorage => &["block-storage", "volumev3", "block-store", "volume"],
        }
    }

    /// The API version to speak, where an endpoint names none.
    fn version(self) -> &'static str {
        match self {
            Self::Compute => "v2.1",
            Self::Image => "v2",
            Self::Network => "v2.0",
            Self::BlockStorage => "v3",
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "type")]
    service_type: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    interface: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    region_id: Option<String>,
    url: String,
}

impl Endpoint {
    fn is_in(&self, region: &str) -> bool {
        self.region_id.as_deref() == Some(region) || self.region.as_deref() == Some(region)
    }
}

/// Where `service` answers, with its version in the path.
pub(crate) fn endpoint(
    catalog: &[Entry],
    service: Service,
    region: Option<&str>,
    interface: Interface,
) -> Result<Url, CloudError> {
    let offered = service.types().iter().flat_map(|wanted| {
        catalog
            .iter()
            .filter(move |entry| entry.service_type == *wanted)
            .flat_map(|entry| &entry.endpoints)
    });
    let endpoint = offered
        .filter(|endpoint| endpoint.interface == interface.as_str())
        .find(|endpoint| region.is_none_or(|region| endpoint.is_in(region)))
        .ok_or_else(|| CloudError::Settings {
            problem: format!(
                "the catalog has no {} service{} with interface {}",
                service.types()[0],
                region.map(|region| format!(" in region {region}")).unwrap_or_default(),
                interface.as_str(),
            ),
        })?;
    let url = Url::parse(&endpoint.url).ok().filter(|url| !url.cannot_be_a_base());
    let url = url.ok_or_else(|| CloudError::Settings {
        problem: format!(
            "the catalog's {} endpoint is no URL: '{}'",
            service.types()[0],
            endpoint.url
        ),
    })?;
    Ok(versioned(url, service.version()))
}

/// `url` without a final slash, and with `version` in its path unless it names one already.
fn versioned(mut url: Url, version: &str) -> Url {
    let names_one = url.path_segments().is_some_and(|mut segments| segments.any(is_version));
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty();
        if !names_one {
            segments.push(version);
        }
    }
    url
}

fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Vec<Entry> {
        serde_json::from_str(
            r#"[
            {"type": "compute", "name": "nova", "id": "0562", "endpoints": [
                {"id": "1", "interface": "internal", "region_id": "RegionOne", "region": "RegionOne", "url": "http://10.0.0.1:8774/v2.1"},
                {"id": "2", "interface": "public", "region_id": "RegionOne", "region": "RegionOne", "url": "http://cloud.test:8774/v2.1"},
                {"id": "3", "interface": "public", "region_id": "RegionTwo", "region": "RegionTwo", "url": "http://two.test/compute/v2.1/"}]},
            {"type": "image", "name": "glance", "id": "0563", "endpoints": [
                {"id": "4", "interface": "public", "region_id": "RegionOne", "region": "RegionOne", "url": "http://cloud.test:9292"}]},
            {"type": "networking", "name": "neutron", "id": "0564", "endpoints": [
                {"id": "5", "interface": "public", "region_id": "RegionOne", "url": "http://cloud.test/network/"}]}
        ]"#,
        )
        .unwrap()
    }

    fn found(service: Service, region: Option<&str>, interface: Interface) -> String {
        endpoint(&catalog(), service, region, interface).unwrap().to_string()
    }

    #[test]
    fn region_and_interface_choose() {
        assert_eq!(found(Service::Compute, None, Interface::Public), "http://cloud.test:8774/v2.1");
        assert_eq!(
            found(Service::Compute, Some("RegionTwo"), Interface::Public),
            "http://two.test/compute/v2.1"
        );
        assert_eq!(found(Service::Compute, None, Interface::Internal), "http://10.0.0.1:8774/v2.1");
    }

    #[test]
    fn a_version_is_added_where_the_catalog_names_none() {
        assert_eq!(found(Service::Image, None, Interface::Public), "http://cloud.test:9292/v2");
    }

    #[test]
    fn an_older_name_of_a_service_is_understood() {
        assert_eq!(
            found(Service::Network, Some("RegionOne"), Interface::Public),
            "http://cloud.test/network/v2.0"
        );
    }

    #[test]
    fn a_missing_endpoint_says_what_was_looked_for() {
        let error =
            endpoint(&catalog(), Service::Image, Some("RegionTwo"), Interface::Admin).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the cloud's settings are wrong: \
             the catalog has no image service in region RegionTwo with interface admin"
        );
    }
}
