//! `nutshell.toml`: what is fixed about an installation, by its first start or by its owner.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use fake_cloud::model::address::AddressRange;
use protocol::files::{self, Access};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{StateDirectory, StateError};
use crate::identity_provider::IdentityProvider;

/// The version of the file that this executable understands.
const VERSION: u32 = 1;

/// The first user, unless the file names another.
const DEFAULT_USERNAME: &str = "test";

/// What the file may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The version of the file.
    #[serde(default)]
    pub version: Option<u32>,
    /// The installation's name, as it stands in certificates.
    #[serde(default)]
    pub installation: Option<String>,
    /// The N of the addresses 127.N.0.0/16.
    #[serde(default)]
    pub block: Option<u8>,
    /// The name of the first user.
    #[serde(default)]
    pub username: Option<String>,
    /// The password of the first user; one is made when it is absent.
    #[serde(default)]
    pub password: Option<String>,
    /// The credits of new users.
    #[serde(default)]
    pub credits: Option<i64>,
    /// Whether people may make themselves users; not unless it says so.
    #[serde(default)]
    pub registration: Option<bool>,
    /// Whom users may come from, besides.
    #[serde(default)]
    pub oidc: BTreeMap<String, IdentityProvider>,
    /// How many floating addresses the cloud has.
    #[serde(default)]
    pub floating_addresses: Option<u8>,
    /// Which ones, where they are not to be 127.N.1.10 to 127.N.1.254.
    #[serde(default, deserialize_with = "range")]
    pub floating_range: Option<AddressRange>,
    /// What VMs boot from: `host`, or an image that `fake-cloud image` keeps.
    #[serde(default)]
    pub image: Option<String>,
    /// The instance type of VMs for which none is asked.
    #[serde(default)]
    pub instance_type: Option<String>,
    /// Whether files that manifests name by URL may come from this machine and private networks.
    #[serde(default)]
    pub fetch_private: bool,
    /// How many milliseconds a minute of autoscaling takes, to watch it work.
    #[serde(default)]
    pub autoscaling_minute_ms: Option<u32>,
}

const HEADER: &str = "\
# This installation. Read at every `nutshell up`; these may be set too:
#   username = \"test\"   password = \"...\"   credits = 1000   floating_addresses = 245
#   fetch_private = true   # manifests may name files of this machine's and private networks
#   registration = false   image = \"host\"   # or one of `fake-cloud image list`
#   instance_type = \"m1.small\"   # how large VMs are
#   floating_range = \"192.168.56.10-192.168.56.99\"   # when this machine answers at them
# and identity providers: tables [oidc.NAME] with issuer, client_id, client_secret_file.
version = 1
";

impl Configuration {
    /// Reads the file; empty when there is none.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn load(state: &StateDirectory) -> Result<Self, StateError> {
        let path = state.configuration_file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(StateError::file(&path)(error)),
        };
        // The version first: a newer file may well have settings that are not known here.
        let version: Versioned = read(&text, &path)?;
        match version.version {
            Some(found) if found > VERSION => {
                Err(StateError::Newer { path: state.path().to_owned(), found })
            }
            _ => read(&text, &path),
        }
    }

    /// The name of the first user.
    #[must_use]
    pub fn username(&self) -> String {
        self.username.clone().unwrap_or_else(|| DEFAULT_USERNAME.to_owned())
    }

    /// Writes down what the first start chooses, and returns the installation's name; everything
    /// else stays as it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember(&mut self, state: &StateDirectory, block: u8) -> Result<String, StateError> {
        let path = state.configuration_file();
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let mut new = String::new();
        if old.is_empty() {
            new.push_str(HEADER);
        }
        let installation = self.installation.get_or_insert_with(|| {
            let name = format!("nutshell-{:08x}", rand::random::<u32>());
            new.push_str(&format!("installation = \"{name}\"\n"));
            name
        });
        self.block.get_or_insert_with(|| {
            new.push_str(&format!("block = {block} # all addresses begin with 127.{block}\n"));
            block
        });
        if !new.is_empty() {
            // At the beginning, where no table of the owner's can swallow them.
            new.push_str(&old);
            files::write(&path, new.as_bytes(), Access::Secret).map_err(StateError::file(&path))?;
        }
        Ok(installation.clone())
    }
}

fn range<'de, D: Deserializer<'de>>(text: D) -> Result<Option<AddressRange>, D::Error> {
    String::deserialize(text)?.parse().map(Some).map_err(serde::de::Error::custom)
}

/// What every version of the file begins with.
#[derive(Deserialize)]
struct Versioned {
    version: Option<u32>,
}

fn read<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, StateError> {
    toml::from_str(text).map_err(|error| StateError::Damaged {
        path: path.to_owned(),
        problem: error.message().replace('\n', " "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_remembered_and_the_owners_lines_stay() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        let path = state.configuration_file();
        std::fs::write(&path, "# mine\npassword = \"sesame\"\n").unwrap();
        let mut configuration = Configuration::load(&state).unwrap();
        let name = configuration.remember(&state, 73).unwrap();
        assert_eq!(configuration.remember(&state, 99).unwrap(), name);
        let again = Configuration::load(&state).unwrap();
        assert_eq!(again, configuration);
        assert_eq!(again.installation, Some(name));
        assert_eq!((again.block, again.password.as_deref()), (Some(73), Some("sesame")));
        assert!(
            std::fs::read_to_string(&path).unwrap().ends_with("# mine\npassword = \"sesame\"\n")
        );
    }

    #[test]
    fn a_fresh_file_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        let mut configuration = Configuration::load(&state).unwrap();
        assert_eq!(configuration, Configuration::default());
        configuration.remember(&state, 73).unwrap();
        assert_eq!(Configuration::load(&state).unwrap().version, Some(1));
    }

    #[test]
    fn a_misspelt_setting_and_a_newer_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        let error = |text: &str| {
            std::fs::write(state.configuration_file(), text).unwrap();
            Configuration::load(&state).unwrap_err()
        };
        let misspelt = error("pasword = \"x\"").to_string();
        assert!(misspelt.contains("pasword") && !misspelt.contains('\n'), "{misspelt}");
        let backwards = error("floating_range = \"10.0.0.9-10.0.0.1\"").to_string();
        assert!(backwards.contains("is not a range of addresses"), "{backwards}");
        assert!(matches!(error("version = 2\nnew = 1"), StateError::Newer { found: 2, .. }));
    }
}
