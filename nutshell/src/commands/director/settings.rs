//! The settings of a director alone, versioned TOML; every problem is reported, not only the first.
//!
//! ```toml
//! version = 1
//! listen = "0.0.0.0:5555"
//! url = "https://director.example.org:5555"   # as users and VMs reach it
//! state = "/var/lib/nutshell"
//! installation = "example"
//! registration = true                         # people may make themselves users
//! credits = 50                                # what a new user begins with
//!
//! [[users]]
//! username = "test"
//! password = "..."
//!
//! [fetch]                # of files that manifests name by URL; all of it may be left out
//! allow_private = false  # also from this machine and private networks
//! largest_megabytes = 1024
//! timeout_seconds = 600
//!
//! [oidc.example]                              # and users may come from there
//! issuer = "https://accounts.example.org"
//! client_id = "..."
//! client_secret_file = "/etc/nutshell/example.secret"
//!
//! [clouds.default]
//! kind = "openstack"
//! auth_url = "https://keystone.example.org/v3"
//! # ... username, password, project, image, flavor, floating_pool, ...
//! prices = { "m1.small" = 0.02, "m1.large" = 0.08 }   # autoscaling adds these
//!
//! [clouds.amazon]                              # `--cloud amazon`
//! kind = "ec2"
//! region = "eu-west-1"                         # and `endpoint`, where it is not Amazon's
//! # ... access_key, secret_key, image, instance_type, subnet, ...
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::identity_provider::IdentityProvider;

/// The version of the file that this executable understands.
const VERSION: i64 = 1;
/// The credits of a new user where nothing else is said.
const DEFAULT_CREDITS: i64 = 50;

/// What the file says.
#[derive(Debug)]
pub(super) struct FileSettings {
    pub(super) listen: SocketAddr,
    pub(super) url: String,
    pub(super) state: PathBuf,
    pub(super) installation: String,
    pub(super) credits: i64,
    pub(super) registration: bool,
    pub(super) identity_providers: BTreeMap<String, IdentityProvider>,
    pub(super) users: Vec<User>,
    pub(super) fetch: Fetch,
    pub(super) clouds: Vec<(String, CloudSettings)>,
}

/// A user that is always there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    username: String,
    password: String,
    #[serde(default)]
    administrator: bool,
    #[serde(default)]
    credits: Option<i64>,
}

impl From<User> for director::UserSettings {
    fn from(User { username, password, administrator, credits }: User) -> Self {
        Self { username, password, administrator, credits }
    }
}

/// What may be fetched when a manifest names it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fetch {
    #[serde(default)]
    allow_private: bool,
    #[serde(default)]
    largest_megabytes: Option<u32>,
    #[serde(default)]
    timeout_seconds: Option<u32>,
}

impl From<Fetch> for director::FetchSettings {
    fn from(Fetch { allow_private, largest_megabytes, timeout_seconds }: Fetch) -> Self {
        let default = Self::default();
        Self {
            allow_private,
            largest: largest_megabytes.map_or(default.largest, |mb| u64::from(mb) << 20),
            timeout: timeout_seconds
                .map_or(default.timeout, |seconds| Duration::from_secs(seconds.into())),
        }
    }
}

/// A cloud, of one of the kinds there are drivers for.
#[derive(Debug, Clone)]
pub(super) enum CloudSettings {
    Openstack(cloud::openstack::Settings),
    Ec2(cloud::ec2::Settings),
}

/// Reads the settings.
///
/// # Errors
/// All problems there are, each in one line.
pub(super) fn parse(text: &str) -> Result<FileSettings, Vec<String>> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| vec![error.to_string().trim().replace('\n', "\n    ")])?;
    let mut fields = Fields { table, problems: Vec::new() };
    let version: Option<i64> = fields.required("version");
    if let Some(version) = version.filter(|version| *version != VERSION) {
        fields.problems.push(format!("version is {version}, this nutshell knows {VERSION}"));
    }
    let listen = fields.required("listen");
    let url: Option<String> = fields.required("url");
    if url.as_deref().is_some_and(|url| !url.starts_with("https://")) {
        fields.problems.push("url must begin with https://".to_owned());
    }
    let state = fields.required("state");
    let installation: Option<String> = fields.required("installation");
    if installation.as_deref().is_some_and(|name| name.is_empty() || name.contains('/')) {
        fields.problems.push("installation must be a word without `/`".to_owned());
    }
    let credits = fields.optional("credits");
    let registration = fields.optional("registration");
    let identity_providers = fields.optional("oidc");
    let users = fields.optional("users");
    let fetch = fields.optional("fetch");
    let clouds = fields.clouds();
    let unknown: Vec<String> =
        fields.table.keys().map(|key| format!("there is no setting `{key}`")).collect();
    fields.problems.extend(unknown);
    match (listen, url, state, installation) {
        (Some(listen), Some(url), Some(state), Some(installation))
            if fields.problems.is_empty() =>
        {
            Ok(FileSettings {
                listen,
                url,
                state,
                installation,
                credits: credits.unwrap_or(DEFAULT_CREDITS),
                registration: registration.unwrap_or_default(),
                identity_providers: identity_providers.unwrap_or_default(),
                users: users.unwrap_or_default(),
                fetch: fetch.unwrap_or_default(),
                clouds,
            })
        }
        _ => Err(fields.problems),
    }
}

/// What is left of the file, and what was wrong with what was taken.
struct Fields {
    table: Table,
    problems: Vec<String>,
}

impl Fields {
    fn required<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.problems.push(format!("`{key}` is missing"));
        }
        self.optional(key)
    }

    fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.table.remove(key)?;
        self.read(key, value)
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, value: Value) -> Option<T> {
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{name}: {}", error.message()));
                None
            }
        }
    }

    /// The clouds, the default one first.
    fn clouds(&mut self) -> Vec<(String, CloudSettings)> {
        let tables: Table = self.required("clouds").unwrap_or_default();
        let mut clouds = Vec::new();
        for (name, table) in tables {
            if let Some(cloud) = self.cloud(&name, table) {
                clouds.push((name, cloud));
            }
        }
        if clouds.is_empty() && self.problems.is_empty() {
            self.problems.push("clouds: there is none".to_owned());
        }
        clouds.sort_by_key(|(name, _)| name != protocol::api::DEFAULT_CLOUD);
        clouds
    }

    fn cloud(&mut self, name: &str, mut value: Value) -> Option<CloudSettings> {
        let path = format!("clouds.{name}");
        let kind = value.as_table_mut().and_then(|table| table.remove("kind"));
        match kind.as_ref().and_then(Value::as_str) {
            Some("openstack") => self.read(&path, value).map(CloudSettings::Openstack),
            Some("ec2") => self.read(&path, value).map(CloudSettings::Ec2),
            Some(other) => {
                self.problems.push(format!(
                    "{path}: there is no driver `{other}`, but `openstack` and `ec2`"
                ));
                None
            }
            None => {
                self.problems.push(format!("{path}: `kind` is missing"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        version = 1
        listen = "127.0.0.1:5555"
        url = "https://director.example.org:5555"
        state = "/var/lib/nutshell"
        installation = "example"
        [[users]]
        username = "test"
        password = "sesame"
        [fetch]
        allow_private = true
        largest_megabytes = 10
        [clouds.other]
        kind = "openstack"
        auth_url = "https://keystone.example.org/v3"
        username = "u"
        password = "p"
        project = "p"
        image = "debian"
        flavor = "m1.small"
        [clouds.default]
        kind = "openstack"
        auth_url = "https://keystone.example.org/v3"
        username = "u"
        password = "p"
        project = "p"
        image = "debian"
        flavor = "m1.small"
    "#;

    #[test]
    fn good_settings_are_read_with_the_default_cloud_first() {
        let settings = parse(GOOD).unwrap();
        let names: Vec<&str> = settings.clouds.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["default", "other"]);
        assert_eq!((settings.users.len(), settings.credits), (1, DEFAULT_CREDITS));
        let fetch = director::FetchSettings::from(settings.fetch);
        assert_eq!((fetch.allow_private, fetch.largest), (true, 10 << 20));
        assert_eq!(fetch.timeout, director::FetchSettings::default().timeout);
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let bad = GOOD
            .replace("version = 1", "version = 9")
            .replace("https://director", "http://director")
            .replace("listen", "lisen")
            .replacen("flavor", "flavour", 1)
            .replacen("kind = \"openstack\"", "kind = \"amiga\"", 2)
            .replacen("kind = \"amiga\"", "kind = \"openstack\"", 1);
        let problems = parse(&bad).unwrap_err().join("\n");
        for word in
            ["version is 9", "`listen` is missing", "https://", "`lisen`", "flavour", "amiga"]
        {
            assert!(problems.contains(word), "{word} is not in:\n{problems}");
        }
    }

    #[test]
    fn what_is_no_toml_is_said_so() {
        assert_eq!(parse("version = ").unwrap_err().len(), 1);
    }
}
