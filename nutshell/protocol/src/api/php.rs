//! The PHP service's own methods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::web::Deployment;
use crate::error::ApiError;

/// What a user may set of `php.ini`, each with what it is unless set, in the order of listings.
pub const SETTINGS: [Setting; 7] = [
    Setting { name: "max_execution_time", default: "30", kind: Kind::Number },
    Setting { name: "memory_limit", default: "128M", kind: Kind::Size },
    Setting { name: "upload_max_filesize", default: "2M", kind: Kind::Size },
    Setting { name: "post_max_size", default: "8M", kind: Kind::Size },
    Setting { name: "log_errors", default: "On", kind: Kind::Switch },
    Setting { name: "display_errors", default: "Off", kind: Kind::Switch },
    Setting { name: "disable_functions", default: DISABLED, kind: Kind::Functions },
];

/// What could end or trace php-fpm's own processes.
const DISABLED: &str = "pcntl_alarm,pcntl_fork,pcntl_waitpid,pcntl_wait,pcntl_wifexited,\
    pcntl_wifstopped,pcntl_wifsignaled,pcntl_wifcontinued,pcntl_wexitstatus,pcntl_wtermsig,\
    pcntl_wstopsig,pcntl_signal,pcntl_signal_get_handler,pcntl_signal_dispatch,\
    pcntl_get_last_error,pcntl_strerror,pcntl_sigprocmask,pcntl_sigwaitinfo,pcntl_sigtimedwait,\
    pcntl_exec,pcntl_getpriority,pcntl_setpriority,pcntl_async_signals,pcntl_unshare";

/// One key of `php.ini`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub name: &'static str,
    /// Its value unless set.
    pub default: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Size,
    Switch,
    Functions,
}

/// Values of settings by their names.
pub type Settings = BTreeMap<String, String>;

impl Setting {
    /// The setting of this name.
    ///
    /// # Errors
    /// When there is none that users may set.
    pub fn find(name: &str) -> Result<&'static Self, ApiError> {
        SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| {
            let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            ApiError::invalid(format!("Unexpected arguments phpconf attribute \"{name}\""))
                .hint(format!("there are {}", names.join(", ")))
        })
    }

    /// Whether it is `On` or `Off`.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        matches!(self.kind, Kind::Switch)
    }

    /// The value as `php.ini` takes it.
    ///
    /// # Errors
    /// When this cannot be a value of the setting.
    pub fn check(&self, value: &str) -> Result<String, ApiError> {
        let value = value.trim();
        let (good, expected) = match self.kind {
            Kind::Number => (is_number(value), "a number of seconds"),
            Kind::Size => (size(value).is_some(), "a number with K, M or G"),
            Kind::Switch => {
                for switch in ["On", "Off"] {
                    if value.eq_ignore_ascii_case(switch) {
                        return Ok(switch.to_owned());
                    }
                }
                (false, "On or Off")
            }
            Kind::Functions => {
                (value.split(',').all(is_function), "names of functions with commas")
            }
        };
        match good {
            true => Ok(value.to_owned()),
            false => Err(ApiError::invalid(format!(
                "{}: `{value}` is no value for it; expected {expected}",
                self.name
            ))),
        }
    }
}

/// All settings: those that were set, the others by default.
#[must_use]
pub fn complete(set: &Settings) -> Settings {
    let value = |setting: &Setting| {
        let value = set.get(setting.name).map_or(setting.default, String::as_str);
        (setting.name.to_owned(), value.to_owned())
    };
    SETTINGS.iter().map(value).collect()
}

/// The bytes that a size means: `8M`.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    if is_number(digits) { digits.parse::<u64>().ok()?.checked_mul(factor) } else { None }
}

fn is_number(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_function(name: &str) -> bool {
    let name = name.trim();
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\\'))
}

/// Parameters of `update_php_configuration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationUpdate {
    /// The settings to change; an empty value brings the default back.
    pub phpconf: Settings,
}

/// Result of `get_configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Configuration {
    /// What the web hosting services have in common.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// All settings of PHP.
    pub phpconf: Settings,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_php_takes() {
        let check = |name, value| Setting::find(name).unwrap().check(value);
        assert_eq!(check("display_errors", "on").unwrap(), "On");
        assert_eq!(check("memory_limit", " 256M").unwrap(), "256M");
        assert_eq!(check("disable_functions", "").unwrap(), "");
        for (name, value) in [
            ("display_errors", "maybe"),
            ("max_execution_time", "-1"),
            ("max_execution_time", "30s"),
            ("memory_limit", "M"),
            ("memory_limit", "1M\nx"),
            ("disable_functions", "exec; system"),
        ] {
            let refusal = check(name, value).unwrap_err();
            assert!(refusal.message.starts_with(name), "{}", refusal.message);
        }
        let unknown = Setting::find("safe_mode").unwrap_err().message;
        assert_eq!(unknown, "Unexpected arguments phpconf attribute \"safe_mode\"");
        for setting in SETTINGS {
            assert_eq!(setting.check(setting.default).unwrap(), setting.default);
        }
    }

    #[test]
    fn sizes_are_bytes() {
        assert_eq!(size("8M"), Some(8 << 20));
        assert_eq!(size("1g"), Some(1 << 30));
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("999999999999G"), None);
        assert_eq!(size("8MB"), None);
    }
}
