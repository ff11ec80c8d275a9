//! Several regions in one cloud. Each is a cloud of its own, with its own servers, networks, flavors
//! and prices, below one state directory; the first, the home region, knows who may ask for all.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cloud::Cloud;
use crate::model::address::{AddressRange, Block};
use crate::settings::{Listen, Settings};

/// Where the regions beside the home region keep their state, each in a directory with its name.
const DIRECTORY: &str = "regions";

/// The longest name: that of a part of a host's name, since that is what clients make of it.
const NAME_MAX: usize = 63;

/// Where a region is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) region: String,
    /// The address of its API, as in `http://127.0.0.1:5000`.
    pub(crate) api_url: String,
}

/// All regions, seen from one of them.
#[derive(Debug, Clone)]
pub(crate) struct Regions {
    all: Arc<[Arc<Cloud>]>,
    here: usize,
}

/// Why regions cannot stand side by side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// A name that clients and directories cannot have.
    #[error(
        "'{0}' cannot be the name of a region: at most {NAME_MAX} letters, digits, '-' and '_' can"
    )]
    Name(String),
    /// A name that is there twice.
    #[error("two regions are called '{0}'; give one of them another name")]
    Twice(String),
    /// Addresses that are there twice.
    #[error(
        "the addresses of the regions '{0}' and '{1}' overlap; let one of them listen elsewhere, or \
         give it other ranges"
    )]
    Overlap(String, String),
}

impl Regions {
    /// All regions, the home region first, seen from there.
    pub(crate) fn new(all: Vec<Arc<Cloud>>) -> Self {
        Self { all: all.into(), here: 0 }
    }

    /// They as seen from each.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> + use<> {
        let all = Arc::clone(&self.all);
        (0..all.len()).map(move |here| Self { all: Arc::clone(&all), here })
    }

    /// The one from which they are seen.
    pub(crate) fn here(&self) -> &Arc<Cloud> {
        &self.all[self.here]
    }

    /// The one that knows who may ask.
    pub(crate) fn home(&self) -> &Arc<Cloud> {
        &self.all[0]
    }

    /// All of them, the home region first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Cloud>> {
        self.all.iter()
    }

    /// They as seen from the one with this name.
    pub(crate) fn seen_from(&self, name: &str) -> Option<Self> {
        let here = self.all.iter().position(|cloud| cloud.region == name)?;
        Some(Self { all: Arc::clone(&self.all), here })
    }
}

impl Settings {
    /// The settings of one more region, which nothing but its name and its addresses tells from
    /// this one. It listens beside the regions that there are when nothing else is said: at
    /// `127.1.0.1` beside `127.0.0.1`; elsewhere at the next port.
    #[must_use]
    pub fn region_beside(&self, name: &str, listen: Option<Listen>) -> Self {
        let number = u16::try_from(self.regions.len()).unwrap_or(u16::MAX).saturating_add(1);
        let listen = listen.unwrap_or_else(|| Listen::Address(self.listens_beside(number)));
        let api = listen.ip();
        let range = |range: AddressRange, prefix| {
            let loopback = range.network.is_loopback();
            let from = Block::around(range.network, if loopback { 16 } else { prefix });
            let to = match api.filter(|api| loopback && api.is_loopback()) {
                Some(api) => Block::around(api, 16),
                None => from.further(number.into()),
            };
            range.moved(from, to)
        };
        Self {
            region: name.to_owned(),
            fixed_range: range(self.fixed_range, 16),
            floating_range: range(self.floating_range, self.floating_range.prefix),
            listen,
            regions: Vec::new(),
            ..self.clone()
        }
    }

    /// Where the API of another region listens.
    fn listens_beside(&self, number: u16) -> SocketAddr {
        let address = self.listen.address();
        let port = address.map_or(0, |address| address.port());
        let floating = self.floating_range.block();
        match self.listen.ip() {
            Some(ip) if ip.is_loopback() => {
                (Block::around(ip, 16).further(number.into()).at(ip), port).into()
            }
            // This machine's address on a bridge.
            Some(ip) if floating.contains(ip) => {
                (floating.further(number.into()).at(ip), port).into()
            }
            ip => {
                let port = if port == 0 { 0 } else { port.saturating_add(number) };
                (ip.unwrap_or(Ipv4Addr::LOCALHOST), port).into()
            }
        }
    }

    /// The settings of each region, the home region first. What there is only once is the home
    /// region's.
    pub(crate) fn into_regions(mut self) -> Result<Vec<Self>, RegionError> {
        let others = std::mem::take(&mut self.regions);
        let mut all = vec![self];
        for mut region in others {
            check_name(&region.region)?;
            if all.iter().any(|other| other.region == region.region) {
                return Err(RegionError::Twice(region.region));
            }
            if let Some(other) = all.iter().find(|other| overlap(other, &region)) {
                return Err(RegionError::Overlap(other.region.clone(), region.region));
            }
            let home = &all[0];
            region.state_dir = home.state_dir.join(DIRECTORY).join(&region.region);
            region.clock = Arc::clone(&home.clock);
            region.admin.clone_from(&home.admin);
            region.users.clear();
            all.push(region);
        }
        Ok(all)
    }
}

fn check_name(name: &str) -> Result<(), RegionError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(RegionError::Name(name.to_owned()))
}

/// Whether two regions would have the same addresses. Where nothing runs that is no matter.
fn overlap(one: &Settings, other: &Settings) -> bool {
    let Some((carried, others)) = one.carried().zip(other.carried()) else { return false };
    carried.overlaps(others) || one.floating_range.pool().overlaps(&other.floating_range.pool())
}

/// The state directories of all regions of a cloud that there have been, the home region's first.
pub(crate) fn state_dirs(home: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = vec![home.to_owned()];
    match std::fs::read_dir(home.join(DIRECTORY)) {
        Ok(entries) => {
            for entry in entries {
                all.push(entry?.path());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::BackendKind;

    fn home(listen: &str) -> Settings {
        let listen = Listen::Address(listen.parse().unwrap());
        let mut settings = Settings::loopback(PathBuf::from("/cloud"), listen, "secret");
        settings.backend = BackendKind::Process;
        settings
    }

    fn told(region: &Settings) -> [String; 3] {
        [
            region.listen.address().unwrap().to_string(),
            region.fixed_range.block().to_string(),
            region.floating_range.pool().to_string(),
        ]
    }

    #[test]
    fn a_region_has_addresses_beside_the_others() {
        let mut home = home("127.9.0.1:5000");
        let west = home.region_beside("west", None);
        let expected = ["127.10.0.1:5000", "127.10.16.0/20", "127.10.1.10-127.10.1.254"];
        assert_eq!(told(&west), expected);
        home.regions.push(west);
        assert_eq!(told(&home.region_beside("east", None))[0], "127.11.0.1:5000");
        let elsewhere = Listen::Address("127.3.0.1:0".parse().unwrap());
        let expected = ["127.3.0.1:0", "127.3.16.0/20", "127.3.1.10-127.3.1.254"];
        assert_eq!(told(&home.region_beside("north", Some(elsewhere))), expected);
    }

    #[test]
    fn a_region_on_a_bridge_or_at_one_address_follows_the_others() {
        let listen = Listen::Address("192.168.56.1:5000".parse().unwrap());
        let home = Settings::bridge(PathBuf::new(), listen, "secret");
        let expected = ["192.168.57.1:5000", "10.201.0.0/20", "192.168.57.10-192.168.57.99"];
        assert_eq!(told(&home.region_beside("west", None)), expected);
        let everywhere = self::home("0.0.0.0:5000");
        let expected = ["0.0.0.0:5001", "127.1.16.0/20", "127.1.1.10-127.1.1.254"];
        assert_eq!(told(&everywhere.region_beside("west", None)), expected);
    }

    #[test]
    fn regions_have_names_and_addresses_of_their_own() {
        let with = |adjust: fn(&mut Settings)| {
            let mut home = home("127.9.0.1:5000");
            let mut west = home.region_beside("west", None);
            adjust(&mut west);
            home.regions.push(west);
            home.into_regions()
        };
        let all = with(|_| {}).unwrap();
        assert_eq!(all[1].state_dir, Path::new("/cloud/regions/west"));
        let error = |adjust| with(adjust).unwrap_err();
        assert_eq!(error(|it| it.region = "../up".to_owned()), RegionError::Name("../up".into()));
        assert_eq!(error(|it| it.region.clear()), RegionError::Name(String::new()));
        let twice = error(|it| it.region = "RegionOne".to_owned());
        assert_eq!(twice, RegionError::Twice("RegionOne".to_owned()));
        let overlap = error(|it| it.floating_range = "127.9.1.254-127.9.1.255".parse().unwrap());
        assert_eq!(overlap, RegionError::Overlap("RegionOne".to_owned(), "west".to_owned()));
        let inert = with(|it| {
            it.backend = BackendKind::Inert;
            it.fixed_range = "127.9.16.0/20".parse().unwrap();
        });
        assert!(inert.is_ok(), "nothing answers there");
    }
}
