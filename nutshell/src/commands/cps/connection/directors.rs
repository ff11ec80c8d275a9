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

use super::{Authority, conf_file, session};
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

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
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
pub(crate) fn completed(mut options: ConnectionOptions) -> Result<ConnectionOptions, CpsError> {
    if let Some(file) = options.conf_file.take() {
        options = conf_file::completed(options, &file)?;
    }
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

/// Writes a director down, with a copy of its authority's certificate beside the file.
pub(crate) fn add(
    name: &str,
    url: &str,
    authority: &Authority,
    username: Option<&str>,
) -> Result<Listed, CpsError> {
    let directory = session::configuration_directory().ok_or(CpsError::NoHome)?;
    added(name, url, authority, username, &directory)
}

fn added(
    name: &str,
    url: &str,
    authority: &Authority,
    username: Option<&str>,
    directory: &Path,
) -> Result<Listed, CpsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name == LOCAL || !name.chars().all(plain) {
        return Err(CpsError::DirectorName(name.to_owned()));
    }
    if load(directory)?.directors.contains_key(name) {
        return Err(CpsError::DirectorExists(name.to_owned()));
    }
    let certificate = directory.join(format!("{name}-ca.pem"));
    std::fs::create_dir_all(directory)
        .and_then(|()| files::write(&certificate, authority.certificate.as_bytes(), Access::Public))
        .map_err(CpsError::file("write", &certificate))?;
    let entry = Entry {
        url: url.to_owned(),
        ca_certificate: Some(certificate),
        username: username.map(str::to_owned),
    };
    // Behind what is there: the user's own lines and remarks stay.
    let path = configuration_file(directory);
    let mut text = read(&path)?.unwrap_or_default();
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    let section = BTreeMap::from([("directors", BTreeMap::from([(name, entry)]))]);
    text.push_str(&toml::to_string(&section).map_err(|error| CpsError::Configuration {
        path: path.clone(),
        problem: error.to_string(),
    })?);
    files::write(&path, text.as_bytes(), Access::Public).map_err(CpsError::file("write", &path))?;
    Ok(Listed { name: name.to_owned(), url: url.to_owned(), current: false })
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

fn configuration_file(directory: &Path) -> PathBuf {
    directory.join("cps.toml")
}

fn load(directory: &Path) -> Result<Configuration, CpsError> {
    let path = configuration_file(directory);
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
    fn a_director_that_is_added_can_be_used_and_what_was_written_stays() {
        let directory = directory();
        let file = directory.path().join("cps.toml");
        let before = std::fs::read_to_string(&file).unwrap() + "# mine";
        std::fs::write(&file, &before).unwrap();
        let authority = Authority { path: "ca.pem".into(), certificate: "pem".to_owned() };
        let add = |name: &str| added(name, "https://n:5555", &authority, None, directory.path());
        assert_eq!(add("north").unwrap().name, "north");
        assert!(std::fs::read_to_string(&file).unwrap().starts_with(&before));
        chosen("north", directory.path()).unwrap();
        let options = complete(ConnectionOptions::default(), directory.path()).unwrap();
        assert_eq!(options.director_url.as_deref(), Some("https://n:5555"));
        assert_eq!(std::fs::read_to_string(options.ca_certificate.unwrap()).unwrap(), "pem");
        assert!(matches!(add("north"), Err(CpsError::DirectorExists(_))));
        for bad in ["", "local", "a b", "../a"] {
            assert!(matches!(add(bad), Err(CpsError::DirectorName(_))), "{bad}");
        }
        // The first of all.
        let empty = tempfile::tempdir().unwrap();
        let home = empty.path().join("nutshell");
        added("one", "https://o", &authority, Some("me"), &home).unwrap();
        assert_eq!(listed(&home).unwrap()[0].url, "https://o");
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
