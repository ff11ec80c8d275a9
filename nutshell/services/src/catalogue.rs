//! Which services there are: one line each.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use protocol::ApiError;
use protocol::api::{MethodKind, MethodSummary, ServiceType};

use crate::{AgentContext, AgentHalf, ManagerHalf, Need, ServiceError};

/// What the platform must know of a service.
struct Entry {
    service_type: fn() -> ServiceType,
    needs: &'static [Need],
    manager_half: fn() -> Arc<dyn ManagerHalf>,
    agent_half: fn(AgentContext) -> Result<Arc<dyn AgentHalf>, ServiceError>,
}

macro_rules! entry {
    ($folder:ident) => {
        Entry {
            service_type: crate::$folder::service_type,
            needs: crate::$folder::NEEDS,
            manager_half: || Arc::new(crate::$folder::manager_half::Manager),
            agent_half: |context| Ok(Arc::new(crate::$folder::agent_half::Agent::adopt(context)?)),
        }
    };
}

const ENTRIES: &[Entry] = &[
    entry!(generic),    // the user's own code, driven by five scripts
    entry!(helloworld), // the smallest service there can be
    entry!(java),       // web applications in Java, and static files
    entry!(php),        // web applications in PHP, and static files
];

static SERVICE_TYPES: LazyLock<Vec<ServiceType>> =
    LazyLock::new(|| ENTRIES.iter().map(|entry| with_common((entry.service_type)())).collect());

/// Adds what every type of service can be asked: its manager answers that itself.
fn with_common(mut service_type: ServiceType) -> ServiceType {
    for (name, kind, description) in [
        ("get_usage", MethodKind::Query, "Processors, memory, disk and network of the last hour"),
        ("get_metrics", MethodKind::Download, "The same of this moment, as Prometheus reads it"),
    ] {
        let (name, description) = (name.to_owned(), description.to_owned());
        service_type.methods.push(MethodSummary { name, kind, description });
    }
    service_type
}

/// All types of service, as users see them.
#[must_use]
pub fn service_types() -> &'static [ServiceType] {
    &SERVICE_TYPES
}

/// The type with this name.
#[must_use]
pub fn service_type(name: &str) -> Option<&'static ServiceType> {
    service_types().iter().find(|service_type| service_type.name == name)
}

/// What the type with this name needs in the image of its VMs.
#[must_use]
pub fn needs(name: &str) -> &'static [Need] {
    entry(name).map_or(&[], |entry| entry.needs)
}

/// Refuses to make VMs for the type with this name from an image whose files begin at `root`.
///
/// # Errors
/// Names what the image lacks, and which packages bring it.
pub fn check_image(name: &str, root: &Path) -> Result<(), ApiError> {
    crate::needs::check(name, needs(name), root)
}

/// The manager half of the type with this name.
#[must_use]
pub fn manager_half(name: &str) -> Option<Arc<dyn ManagerHalf>> {
    entry(name).map(|entry| (entry.manager_half)())
}

/// The agent half of the type with this name, which takes up what an earlier agent left there.
///
/// # Errors
/// When its files cannot be used.
pub fn agent_half(
    name: &str,
    context: AgentContext,
) -> Option<Result<Arc<dyn AgentHalf>, ServiceError>> {
    entry(name).map(|entry| (entry.agent_half)(context))
}

fn entry(name: &str) -> Option<&'static Entry> {
    let position = service_types().iter().position(|service_type| service_type.name == name)?;
    ENTRIES.get(position)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_has_both_halves_and_distinct_words() {
        for service_type in service_types() {
            assert!(manager_half(&service_type.name).is_some(), "{}", service_type.name);
            assert!(entry(&service_type.name).is_some());
            let methods: BTreeSet<_> =
                service_type.methods.iter().map(|method| &method.name).collect();
            assert_eq!(methods.len(), service_type.methods.len(), "a method is listed twice");
            assert!(!service_type.roles.is_empty(), "the first role is the default one");
            let initial: u32 = service_type.roles.iter().map(|role| role.initial).sum();
            assert!(initial > 0, "{} would start with no node", service_type.name);
        }
        assert!(service_type("bogus").is_none() && manager_half("bogus").is_none());
    }

    #[test]
    fn generic_starts_with_its_master_and_grows_by_nodes() {
        let generic = service_type("generic").unwrap();
        assert_eq!((generic.roles[0].name.as_str(), generic.roles[0].initial), ("node", 0));
        assert_eq!((generic.roles[1].name.as_str(), generic.roles[1].initial), ("master", 1));
    }
}
