//! The settings of a service.

use std::collections::BTreeMap;

use protocol::api::{ServiceType, php};
use serde_json::Value;

use super::{Object, Reader};

/// The types that have settings are those with this method.
pub(crate) const CHANGED_BY: &str = "update_php_configuration";

impl Reader<'_> {
    pub(super) fn settings(
        &mut self,
        object: &mut Object,
        service_type: Option<&'static ServiceType>,
    ) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let path = object.at("Settings");
        let Some(value) = object.left.remove("Settings") else { return settings };
        let Some(named) = self.object(path.clone(), value) else { return settings };
        let Some(service_type) = service_type else { return settings };
        if !service_type.methods.iter().any(|method| method.name == CHANGED_BY) {
            self.problem(path, format!("{} services have no settings", service_type.name));
            return settings;
        }
        for (name, value) in &named.left {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => {
                    self.problem(named.at(name), "it is neither a string nor a number");
                    continue;
                }
            };
            match php::Setting::find(name).and_then(|setting| setting.check(&value)) {
                Ok(value) => drop(settings.insert(name.clone(), value)),
                Err(refusal) => self.problem(named.at(name), refusal.message),
            }
        }
        settings
    }
}
