//! Directors by name: `cps.toml` in the user's configuration, and which of them is in use.
//!
//! ```toml
//! [directors.work]
//! url = "https://director.example.org:5555"
//! ca_certificate = "/home/me/work-ca.pem"
//! username = "me"                            # may be left out
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use protocol::files::{self, Access};
use serde::{Deserialize, Serialize};

use super::session;
use crate::args::ConnectionOptions;
use crate::commands::cps::CpsError;

/// The word for the stack on this machine.
const LOCAL: &str = "local";

/// The directors that the user has written down.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    directors: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    ca_certificate: Option<PathBuf>,
    username: Option<String>,
}

/// A director as `cps director list` shows it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) url: String,
    /// Whether it is used when nobody says which.
    pub(crate) current: bool,
}

/// The options, with what the file says of the director that is meant. What was said in words or in
/// the environment stays.
pub(crate) fn completed(options: ConnectionOptions) -> Result<ConnectionOptions, CpsError> {
    match session::configuration_directory() {
        Some(directory) => complete(options, &directory),
        None => Ok(options),
    }
}

fn complete(
    mut options: ConnectionOptions,
    directory: &Path,
) -> Result<ConnectionOptions, CpsError> {
    let nothing_said = options.director_url.is_none() && options.state.is_none();
    let name = match options.director.take() {
        Some(name) => Some(name),
        None if nothing_said => current(directory)?,
        None => None,
    };
    let Some(name) = name.filter(|name| name != LOCAL) else { return Ok(options) };
    let mut directors = load(directory)?.directors;
    let entry = directors.remove(&name).ok_or_else(|| CpsError::UnknownDirector(name.clone()))?;
    options.director_url = options.director_url.or(Some(entry.url));
    options.ca_certificate = options.ca_certificate.or(entry.ca_certificate);
    options.username = options.username.or(entry.username);
    options.director = Some(name);
    Ok(options)
}

/// The directors there are, and which of them is in use.
pub(crate) fn list() -> Result<Vec<Listed>, CpsError> {
    session::configuration_directory()
        .map_or_else(|| Ok(Vec::new()), |directory| listed(&directory))
}

fn listed(directory: &Path) -> Result<Vec<Listed>, CpsError> {
    let current = current(directory)?;
    let directors = load(directory)?.directors.into_iter();
    Ok(directors
        .map(|(name, Entry { url, .. })| Listed {
            current: current.as_ref() == Some(&name),
            name,
            url,
        })
        .collect())
}

/// Has a director used from now on.
pub(crate) fn choose(name: &str) -> Result<(), CpsError> {
    let directory = session::configuration_directory();
    let directory = directory.ok_or_else(|| CpsError::UnknownDirector(name.to_owned()))?;
    chosen(name, &directory)
}

fn chosen(name: &str, directory: &Path) -> Result<(), CpsError> {
    if name != LOCAL && !load(directory)?.directors.contains_key(name) {
        return Err(CpsError::UnknownDirector(name.to_owned()));
    }
    let path = current_file(directory);
    std::fs::create_dir_all(directory)
        .and_then(|()| files::write(&path, format!("{name}\n").as_bytes(), Access::Public))
        .map_err(CpsError::file("write", &path))
}

fn current_file(directory: &Path) -> PathBuf {
    directory.join("current-director")
}

fn current(directory: &Path) -> Result<Option<String>, CpsError> {
    Ok(read(&current_file(directory))?.map(|name| name.trim().to_owned()))
}

fn load(directory: &Path) -> Result<Configuration, CpsError> {
    let path = directory.join("cps.toml");
    let Some(text) = read(&path)? else { return Ok(Configuration::default()) };
    toml::from_str(&text).map_err(|error| CpsError::Configuration {
        path,
        problem: error.message().replace('\n', " "),
    })
}

fn read(path: &Path) -> Result<Option<String>, CpsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CpsError::file("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let text = "[directors.work]\nurl = \"https://w\"\nusername = \"me\"\n\
                    [directors.home]\nurl = \"https://h\"\n";
        std::fs::write(directory.path().join("cps.toml"), text).unwrap();
        directory
    }

    fn url(options: ConnectionOptions, directory: &Path) -> Option<String> {
        complete(options, directory).unwrap().director_url
    }

    #[test]
    fn words_count_more_than_the_environment_and_that_more_than_the_file() {
        let directory = directory();
        let none = ConnectionOptions::default;
        assert_eq!(url(none(), directory.path()), None);
        chosen("work", directory.path()).unwrap();
        let options = complete(none(), directory.path()).unwrap();
        assert_eq!(
            (options.director_url.as_deref(), options.username.as_deref()),
            (Some("https://w"), Some("me"))
        );
        let named = ConnectionOptions { director: Some("home".to_owned()), ..none() };
        assert_eq!(url(named, directory.path()).as_deref(), Some("https://h"));
        let said = ConnectionOptions { director_url: Some("https://x".to_owned()), ..none() };
        assert_eq!(url(said, directory.path()).as_deref(), Some("https://x"));
        let stack = ConnectionOptions { state: Some("/state".into()), ..none() };
        assert_eq!(url(stack, directory.path()), None);
        let user = ConnectionOptions { username: Some("eve".to_owned()), ..none() };
        let options = complete(user, directory.path()).unwrap();
        assert_eq!(options.username.as_deref(), Some("eve"));
        chosen("local", directory.path()).unwrap();
        assert_eq!(url(none(), directory.path()), None);
    }

    #[test]
    fn an_unknown_director_or_a_damaged_file_is_told() {
        let directory = directory();
        let refused = chosen("mars", directory.path());
        assert!(matches!(refused, Err(CpsError::UnknownDirector(_))));
        chosen("home", directory.path()).unwrap();
        let current: Vec<bool> =
            listed(directory.path()).unwrap().into_iter().map(|one| one.current).collect();
        assert_eq!(current, [true, false]);
        std::fs::write(directory.path().join("cps.toml"), "directors = 3").unwrap();
        assert!(matches!(listed(directory.path()), Err(CpsError::Configuration { .. })));
    }
}
