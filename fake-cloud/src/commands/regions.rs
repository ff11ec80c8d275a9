//! The regions that `fake-cloud` runs, as its flags name them or a file describes them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use fake_cloud::settings::FlavorSettings;
use fake_cloud::{Builder, Settings};
use serde::Deserialize;

/// What a region has of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Region {
    name: String,
    latency: Duration,
    flavors: Vec<FlavorSettings>,
}

/// A file that describes regions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    region: Vec<Description>,
}

/// What a file says of a region; the flavors that it does not name are those of the first one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    /// In seconds.
    #[serde(default)]
    latency: f64,
    flavors: Option<Vec<Flavor>>,
    /// What an hour of a flavor costs, by its name.
    #[serde(default)]
    prices: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flavor {
    name: String,
    vcpus: u32,
    ram_mib: u64,
    disk_gib: u64,
    price_per_hour: f64,
}

/// The regions that a file describes, the home region first.
pub(super) fn read(file: &Path) -> Result<Vec<Region>, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("failed to read {}: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{} describes no regions: {error}", file.display()).into())
}

fn parse(text: &str) -> Result<Vec<Region>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let mut regions: Vec<Region> = Vec::new();
    for description in file.region {
        let home = regions.first().map(|home| home.flavors.clone());
        regions.push(description.region(home.unwrap_or_else(FlavorSettings::customary))?);
    }
    if regions.is_empty() { Err("there is none in it".to_owned()) } else { Ok(regions) }
}

/// Regions of which nothing but the names is said, the home region first.
pub(super) fn named(names: Vec<String>) -> Vec<Region> {
    let region = |name| {
        let flavors = FlavorSettings::customary();
        Region { name, latency: Duration::ZERO, flavors }
    };
    names.into_iter().map(region).collect()
}

/// A cloud with these regions, of which the first is the home region.
pub(super) fn add(regions: Vec<Region>, mut builder: Builder) -> Builder {
    let mut regions = regions.into_iter();
    if let Some(home) = regions.next() {
        builder = builder.settings(|settings| {
            settings.region.clone_from(&home.name);
            home.describe(settings);
        });
    }
    for region in regions {
        let name = region.name.clone();
        builder = builder.region(&name, |settings| region.describe(settings));
    }
    builder
}

impl Region {
    fn describe(self, settings: &mut Settings) {
        settings.latency = self.latency;
        settings.flavors = self.flavors;
    }
}

impl Description {
    /// The region that is meant, with these flavors where it says nothing else.
    fn region(self, usual: Vec<FlavorSettings>) -> Result<Region, String> {
        let Self { name, latency, flavors, prices } = self;
        let latency = Duration::try_from_secs_f64(latency)
            .map_err(|_| format!("the latency of '{name}' is no number of seconds"))?;
        let own = flavors.map(|own| own.into_iter().map(Flavor::settings).collect());
        let mut flavors: Vec<FlavorSettings> = own.unwrap_or(usual);
        for (flavor, price) in prices {
            let known = flavors.iter_mut().find(|known| known.name == flavor);
            let missing = || format!("'{name}' has no flavor '{flavor}' that could have a price");
            known.ok_or_else(missing)?.price_per_hour = price;
        }
        Ok(Region { name, latency, flavors })
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

    #[test]
    fn a_file_says_what_regions_have_of_their_own() {
        let regions = parse(
            r#"
            [[region]]
            name = "east"
            prices = { "m1.tiny" = 0.5 }

            [[region]]
            name = "west"
            latency = 0.25
            flavors = [
              { name = "w1", vcpus = 1, ram_mib = 64, disk_gib = 1, price_per_hour = 2.5 },
            ]

            [[region]]
            name = "north"
            prices = { "m1.small" = 9 }
            "#,
        );
        let regions = regions.unwrap();
        let [east, west, north] = regions.as_slice() else { panic!("{regions:?}") };
        assert_eq!((east.name.as_str(), east.flavors[0].price_per_hour), ("east", 0.5));
        assert_eq!(west.latency, Duration::from_millis(250));
        assert_eq!((west.flavors.len(), west.flavors[0].price_per_hour), (1, 2.5));
        let prices: Vec<f64> = north.flavors[..2].iter().map(|it| it.price_per_hour).collect();
        assert_eq!(prices, [0.5, 9.0]);
        assert_eq!(named(vec!["x".to_owned()]), parse("[[region]]\nname = 'x'").unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            ("", "missing field `region`"),
            ("region = []", "there is none in it"),
            ("[[region]]\nname = 'x'\nlatencyy = 1", "unknown field `latencyy`"),
            ("[[region]]\nname = 'x'\nlatency = -1", "'x' is no number of seconds"),
            ("[[region]]\nname = 'x'\nprices = { m9 = 1 }", "no flavor 'm9'"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
