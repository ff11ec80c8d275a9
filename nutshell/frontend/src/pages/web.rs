//! What services that host web applications add: where visitors reach them, what each node does, and
//! the settings of PHP.

use axum::Form;
use axum::response::Response;
use protocol::api::php::{ConfigurationUpdate, SETTINGS, Setting, Settings};
use protocol::api::web::NodeStatus;
use protocol::{NodeId, ServiceId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::service::{ServicePage, answer};
use super::{Fields, Named};
use crate::failure::{Failure, Problem};
use crate::session::Session;

/// The fields of settings begin with this.
const FIELD: &str = "setting.";

/// What the page needs of the result of `get_configuration`, which differs by type.
#[derive(Debug, Deserialize)]
pub(crate) struct Configuration {
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    phpconf: Option<Settings>,
}

/// A setting in its form.
pub(crate) struct SettingField {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) default: &'static str,
    pub(crate) switch: bool,
    /// Whether its values are long.
    pub(crate) long: bool,
}

impl ServicePage {
    fn configuration(&self) -> Option<&Configuration> {
        self.configuration.as_ref()?.as_ref().ok()
    }

    pub(crate) fn urls(&self) -> &[String] {
        self.configuration().map_or(&[], |configuration| &configuration.urls)
    }

    /// The settings of PHP as they are, or as they were typed when that was refused.
    pub(crate) fn settings(&self) -> Option<Vec<SettingField>> {
        let settings = self.configuration()?.phpconf.as_ref()?;
        let field = |setting: &Setting| {
            let typed = self.entered.get(&format!("{FIELD}{}", setting.name));
            let value = typed.or_else(|| settings.get(setting.name)).cloned();
            SettingField {
                name: setting.name,
                value: value.unwrap_or_default(),
                default: setting.default,
                switch: setting.is_switch(),
                long: setting.default.len() > 40,
            }
        };
        Some(SETTINGS.iter().map(field).collect())
    }

    /// Whether settings were refused.
    pub(crate) fn corrects_settings(&self) -> bool {
        self.entered.keys().any(|field| field.starts_with(FIELD))
    }

    /// Whether an archive may hold its application in a directory.
    pub(crate) fn strips(&self) -> bool {
        matches!(self.row.service.service_type.as_str(), "php" | "java")
    }

    /// What a node does, where that is known.
    pub(crate) fn status(&self, node: &NodeId) -> Option<&NodeStatus> {
        self.statuses.as_ref()?.as_ref().ok()?.nodes.get(node)
    }
}

/// Changes those settings of PHP that differ from what they are.
pub(crate) async fn change_settings(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let changed = async {
        let director = &session.director;
        let present: Configuration =
            director.service_query(id, "get_configuration", &json!({})).await?;
        let phpconf = differences(&fields, &present.phpconf.unwrap_or_default());
        if phpconf.is_empty() {
            return Err(Problem::invalid("No setting differs from what it is.").into());
        }
        let update = ConfigurationUpdate { phpconf };
        Ok(director.service_command::<Value>(id, "update_php_configuration", &update).await?)
    };
    answer(&session, id, changed.await, fields).await
}

fn differences(fields: &Fields, present: &Settings) -> Settings {
    fields
        .iter()
        .filter_map(|(field, value)| Some((field.strip_prefix(FIELD)?, value.trim())))
        .filter(|(name, value)| present.get(*name).is_none_or(|is| is != value))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let map = |pairs: &[(&str, &str)]| -> Settings {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let fields = map(&[
            ("setting.memory_limit", " 256M "),
            ("setting.display_errors", "Off"),
            ("other", "x"),
        ]);
        let present = map(&[("memory_limit", "128M"), ("display_errors", "Off")]);
        assert_eq!(differences(&fields, &present), map(&[("memory_limit", "256M")]));
    }
}
