//! The regions that `fake-cloud` runs, as its flags name them or a file describes them.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fake_cloud::Settings;
use fake_cloud::model::address::AddressRange;
use fake_cloud::settings::{FlavorSettings, Listen};
use serde::{Deserialize, Deserializer};

/// What a file says of regions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    region: Vec<Region>,
}

/// What is said of a region; the rest is as in the home region.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    name: String,
    pub(super) listen: Option<SocketAddr>,
    #[serde(default, deserialize_with = "range")]
    pub(super) fixed_range: Option<AddressRange>,
    #[serde(default, deserialize_with = "range")]
    pub(super) floating_range: Option<AddressRange>,
    /// In seconds.
    latency: Option<f64>,
    /// Instead of those of the home region.
    flavors: Option<Vec<Flavor>>,
    /// What an hour of a flavor costs, by its name.
    #[serde(default)]
    prices: BTreeMap<String, f64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flavor {
    name: String,
    vcpus: u32,
    ram_mib: u64,
    disk_gib: u64,
    price_per_hour: f64,
}

fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AddressRange>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// The regions that a file describes, the home region first.
pub(super) fn read(file: &Path) -> Result<Vec<Region>, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("failed to read {}: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{} describes no regions: {error}", file.display()).into())
}

fn parse(text: &str) -> Result<Vec<Region>, String> {
    let regions = toml::from_str::<File>(text).map_err(|error| error.message().to_owned())?.region;
    if regions.is_empty() { Err("there is none in it".to_owned()) } else { Ok(regions) }
}

/// Regions of which nothing but the names is said, the home region first.
pub(super) fn named(names: Vec<String>) -> Vec<Region> {
    names.into_iter().map(|name| Region { name, ..Region::default() }).collect()
}

/// Adds regions to the settings, of which the first is about the home region.
pub(super) fn apply(regions: Vec<Region>, settings: &mut Settings) -> Result<(), Box<dyn Error>> {
    let mut regions = regions.into_iter();
    if let Some(home) = regions.next() {
        settings.region.clone_from(&home.name);
        home.describe(settings)?;
    }
    for region in regions {
        let mut beside = settings.region_beside(&region.name, region.listen.map(Listen::Address));
        beside.fixed_range = region.fixed_range.unwrap_or(beside.fixed_range);
        beside.floating_range = region.floating_range.unwrap_or(beside.floating_range);
        region.describe(&mut beside)?;
        settings.regions.push(beside);
    }
    Ok(())
}

impl Region {
    /// Sets what is not a matter of addresses.
    fn describe(self, settings: &mut Settings) -> Result<(), String> {
        let name = &self.name;
        if let Some(seconds) = self.latency {
            settings.latency = Duration::try_from_secs_f64(seconds).map_err(|_| {
                format!("the latency of the region '{name}' is no number of seconds")
            })?;
        }
        if let Some(flavors) = self.flavors {
            settings.flavors = flavors.into_iter().map(Flavor::settings).collect();
        }
        for (flavor, price) in self.prices {
            let known = settings.flavors.iter_mut().find(|known| known.name == flavor);
            let missing =
                || format!("the region '{name}' has no flavor '{flavor}' to give a price");
            known.ok_or_else(missing)?.price_per_hour = price;
        }
        Ok(())
    }
}

impl Flavor {
    fn settings(self) -> FlavorSettings {
        let Self { name, vcpus, ram_mib, disk_gib, price_per_hour } = self;
        FlavorSettings { name, vcpus, ram_mib, disk_gib, price_per_hour }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let listen = Listen::Address("127.9.0.1:5000".parse().unwrap());
        let mut settings = Settings::loopback("state".into(), listen, "secret");
        apply(parse(text)?, &mut settings).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_file_says_what_regions_have_of_their_own() {
        let settings = settings(
            r#"
            [[region]]
            name = "east"
            prices = { "m1.tiny" = 0.5 }

            [[region]]
            name = "west"
            latency = 0.25
            floating_range = "127.10.2.10-127.10.2.20"
            flavors = [
              { name = "w1", vcpus = 1, ram_mib = 64, disk_gib = 1, price_per_hour = 2.5 },
            ]

            [[region]]
            name = "north"
            listen = "127.4.0.1:80"
            prices = { "m1.small" = 9 }
            "#,
        );
        let settings = settings.unwrap();
        let [west, north] = settings.regions.as_slice() else { panic!("{settings:?}") };
        assert_eq!((settings.region.as_str(), settings.flavors[0].price_per_hour), ("east", 0.5));
        assert_eq!(west.latency, Duration::from_millis(250));
        assert_eq!((west.flavors.len(), west.flavors[0].price_per_hour), (1, 2.5));
        assert_eq!(west.floating_range, "127.10.2.10-127.10.2.20".parse().unwrap());
        let prices: Vec<f64> = north.flavors[..2].iter().map(|it| it.price_per_hour).collect();
        assert_eq!(prices, [0.5, 9.0]);
        assert_eq!(north.fixed_range, "127.4.16.0/20".parse().unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            ("", "missing field `region`"),
            ("region = []", "there is none in it"),
            ("[[region]]\nname = 'x'\nlatencyy = 1", "unknown field `latencyy`"),
            ("[[region]]\nname = 'x'\nlatency = -1", "the region 'x' is no number of seconds"),
            ("[[region]]\nname = 'x'\nprices = { m9 = 1 }", "no flavor 'm9'"),
            ("[[region]]\nname = 'x'\nfixed_range = 'y'", "'y' is not a range of addresses"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
