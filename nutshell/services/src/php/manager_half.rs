//! What the PHP service decides: the settings of PHP, and what its backends are told.

use std::net::Ipv4Addr;

use protocol::ApiError;
use protocol::api::Node;
use protocol::api::php::{self, ConfigurationUpdate, Setting, Settings};
use serde_json::{Value, json};

use super::fpm::Backend;
use crate::ServiceError;
use crate::code::Contents;
use crate::manager_half::parameters;
use crate::web::default_code;
use crate::web::manager_half::{Hosting, enclosing_directory};
use crate::web::rollout::Rollout;

/// See the module.
#[derive(Debug)]
pub(crate) struct Manager;

impl Hosting for Manager {
    /// Those that are not as by default.
    type Settings = Settings;
    type Backend = Backend;
    const CHANGES: &'static [&'static str] = &["update_php_configuration"];

    fn default_code() -> Vec<u8> {
        default_code::archive("PHP")
    }

    fn check_upload(
        filename: &str,
        contents: &Contents,
        strip: bool,
    ) -> Result<Option<String>, ApiError> {
        Ok(warning(filename, contents, strip))
    }

    fn changed(settings: &Settings, method: &str, given: Value) -> Result<Settings, ServiceError> {
        Ok(updated(settings, &parameters(method, given)?)?)
    }

    fn describe(settings: &Settings) -> Value {
        json!({ "phpconf": php::complete(settings) })
    }

    /// What PHP would refuse need not be sent to it; without a limit of its own there is none.
    fn largest_body(settings: &Settings) -> u64 {
        let settings = php::complete(settings);
        settings.get("post_max_size").and_then(|size| php::size(size)).unwrap_or_default()
    }

    fn backend(rollout: &Rollout<'_, Self>, node: &Node) -> Result<Backend, ServiceError> {
        let mut clients: Vec<Ipv4Addr> = rollout
            .proxies()
            .into_iter()
            .flat_map(|proxy| [proxy.private_ip, proxy.public_ip])
            .flatten()
            .collect();
        clients.dedup();
        Ok(Backend {
            phpconf: php::complete(&rollout.kept.settings),
            sessions: rollout.sessions(node)?,
            password: rollout.kept.password.clone(),
            clients,
        })
    }
}

/// The settings with what is to change; an empty value means the default, except where nothing is a
/// value.
fn updated(settings: &Settings, update: &ConfigurationUpdate) -> Result<Settings, ApiError> {
    let mut updated = settings.clone();
    if update.phpconf.is_empty() {
        return Err(ApiError::invalid("there is nothing to change: name a setting of PHP"));
    }
    for (name, value) in &update.phpconf {
        let setting = Setting::find(name)?;
        let value = setting.check(value)?;
        match value == setting.default {
            true => updated.remove(name),
            false => updated.insert(name.clone(), value),
        };
    }
    Ok(updated)
}

/// What is probably not as its user meant it.
fn warning(filename: &str, contents: &Contents, strip: bool) -> Option<String> {
    const INDEX: [&str; 3] = ["index.php", "index.html", "index.htm"];
    if !strip && contents.wrapper.is_some() {
        return enclosing_directory(filename, contents, |directory| {
            format!("tar -czf app.tar.gz -C {directory} .")
        });
    }
    let has_index = INDEX.iter().any(|name| contents.has_file(name));
    (!has_index).then(|| {
        format!(
            "`{filename}` has none of {} at its top: the address of the application alone will \
             show nothing",
            INDEX.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn update(name: &str, value: &str) -> ConfigurationUpdate {
        ConfigurationUpdate { phpconf: [(name.to_owned(), value.to_owned())].into() }
    }

    #[test]
    fn only_what_differs_from_the_default_is_kept() {
        let none = Settings::new();
        let debug = updated(&none, &update("display_errors", "on")).unwrap();
        assert_eq!(debug["display_errors"], "On");
        assert_eq!(updated(&debug, &update("display_errors", "Off")).unwrap(), none);
        assert!(updated(&none, &update("safe_mode", "On")).is_err());
        assert!(updated(&none, &ConfigurationUpdate::default()).is_err());
    }

    #[test]
    fn a_warning_tells_of_an_enclosing_directory_or_a_missing_index() {
        let mut contents = Contents::default();
        contents.wrapper = Some(PathBuf::from("blog"));
        let told = warning("a.zip", &contents, false).unwrap();
        assert!(told.contains("--strip") && told.contains("-C blog ."), "{told}");
        let told = warning("a.zip", &contents, true).unwrap();
        assert!(told.contains("index.php"), "{told}");
        contents.wrapper = None;
        assert!(warning("a.zip", &contents, false).is_some());
    }
}
