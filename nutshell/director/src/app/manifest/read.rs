//! Reads a manifest: strictly, and with everything that is wrong with it told at once.

mod settings;
mod volumes;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use protocol::api::{InlineFile, MethodKind, ServiceType};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::{name, service};
use crate::fetch;

pub(crate) use settings::CHANGED_BY;
pub(super) use volumes::PlannedVolume;

/// The types of service that the original has, as it names them in manifests.
const ORIGINAL_TYPES: [&str; 13] = [
    "flink",
    "galera",
    "generic",
    "hadoop",
    "helloworld",
    "htc",
    "java",
    "mysql",
    "php",
    "scalaris",
    "selenium",
    "taskfarm",
    "xtreemfs",
];
/// Keys of the original that belong to single types of service, and to which.
const KEYS_OF_TYPES: [(&str, &str); 3] =
    [("Dump", "mysql"), ("Password", "mysql"), ("VolumeStartup", "xtreemfs")];
/// The file name of what comes without one.
const UNNAMED: &str = "upload";

/// An application that can be made as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) application: Option<String>,
    pub(super) services: Vec<PlannedService>,
}

/// A service that can be made as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedService {
    pub(super) service_type: &'static ServiceType,
    pub(super) name: String,
    pub(super) cloud: Option<String>,
    pub(super) start: bool,
    /// The nodes of each role once it runs.
    pub(super) nodes: BTreeMap<String, u32>,
    pub(super) script: Option<Source>,
    pub(super) archive: Option<Source>,
    /// Those that are not as by default.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) volumes: Vec<PlannedVolume>,
}

impl PlannedService {
    /// The nodes that it has beyond those that its type begins with.
    pub(super) fn more_nodes(&self) -> BTreeMap<String, u32> {
        let more = |(role, count): (&String, &u32)| {
            let more = count.saturating_sub(initial(self.service_type, role));
            (more > 0).then(|| (role.clone(), more))
        };
        self.nodes.iter().filter_map(more).collect()
    }

    /// How many VMs it takes.
    pub(super) fn vms(&self) -> usize {
        if !self.start {
            return 0;
        }
        let begins: u32 = self.service_type.roles.iter().map(|role| role.initial).sum();
        let more: u64 = self.more_nodes().values().copied().map(u64::from).sum();
        usize::try_from(u64::from(begins) + more).unwrap_or(usize::MAX)
    }
}

/// Where a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// It is to be fetched.
    Web(Url),
    /// It came with the manifest.
    Inline(InlineFile),
}

impl Source {
    /// The name that the file goes by.
    pub(super) fn file_name(&self) -> String {
        match self {
            Self::Inline(file) => file.name.clone(),
            Self::Web(url) => {
                let last = url.path_segments().and_then(|mut parts| parts.next_back());
                last.filter(|name| !name.is_empty()).unwrap_or(UNNAMED).to_owned()
            }
        }
    }
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    path: String,
    problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.problem),
            path => write!(f, "{path}: {}", self.problem),
        }
    }
}

/// What a director has that a manifest may name.
pub(super) struct Known<'a> {
    pub(super) clouds: &'a [String],
    /// The most VMs of one role.
    pub(super) most_nodes: u32,
}

/// Reads the text of a manifest.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(text: &[u8], known: &Known<'_>) -> Result<Plan, Vec<Problem>> {
    let value = serde_json::from_slice(text).map_err(|error| {
        vec![Problem { path: String::new(), problem: format!("it is no JSON: {error}") }]
    })?;
    let mut reader = Reader { known, problems: Vec::new(), volume_names: HashSet::new() };
    match reader.manifest(value) {
        Some(plan) if reader.problems.is_empty() => Ok(plan),
        _ => Err(reader.problems),
    }
}

struct Reader<'a> {
    known: &'a Known<'a>,
    problems: Vec<Problem>,
    /// A name is unique in the application.
    volume_names: HashSet<String>,
}

/// An object of which the known keys are taken one by one; what is left is unknown.
struct Object {
    path: String,
    left: Map<String, Value>,
}

impl Object {
    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Reader<'_> {
    fn problem(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), problem: problem.into() });
    }

    fn manifest(&mut self, value: Value) -> Option<Plan> {
        let mut object = self.object(String::new(), value)?;
        let application = self.name(&mut object, "Application");
        let _ = self.text(&mut object, "Description");
        let services = match object.left.remove("Services") {
            Some(Value::Array(services)) => services,
            Some(_) => {
                self.problem("Services", "it is not a list");
                Vec::new()
            }
            None => {
                self.problem("Services", "it is missing");
                Vec::new()
            }
        };
        self.nothing_left(object);
        let read = |(index, service)| self.service(format!("Services[{index}]"), service);
        let services = services.into_iter().enumerate().filter_map(read).collect();
        Some(Plan { application, services })
    }

    fn service(&mut self, path: String, value: Value) -> Option<PlannedService> {
        let mut object = self.object(path, value)?;
        let service_type = self.service_type(&mut object);
        let name = self.name(&mut object, "ServiceName");
        let cloud = self.cloud(&mut object);
        let start = self.start(&mut object);
        let counts = self.counts(&mut object);
        let script = self.source(&mut object, "StartupScript");
        let archive = self.source(&mut object, "Archive");
        let start_role = self.text(&mut object, "StartRole");
        let settings = self.settings(&mut object, service_type);
        let volumes = self.volumes(&mut object);
        for (key, of) in KEYS_OF_TYPES {
            if object.left.remove(key).is_some()
                && let Some(service_type) = service_type
            {
                let problem = format!("it is for {of} services, not for {}", service_type.name);
                self.problem(object.at(key), problem);
            }
        }
        let at = |key: &str| object.at(key);
        let (at_archive, at_role) = (at("Archive"), at("StartRole"));
        let at_instances = at("StartupInstances");
        self.nothing_left(object);

        let service_type = service_type?;
        let takes_code = service_type
            .methods
            .iter()
            .any(|method| method.name == "upload_code" && method.kind == MethodKind::Upload);
        if archive.is_some() && !takes_code {
            self.problem(at_archive, format!("{} services have no code", service_type.name));
        }
        match start_role.as_deref() {
            None | Some("*") => {}
            Some(role) => self.problem(
                at_role,
                format!("`{role}` cannot go first: scripts start on all nodes at once (`*`)"),
            ),
        }
        let nodes = self.nodes(service_type, counts, &at_instances);
        let volumes = self.placed(service_type, start, &nodes, volumes);
        let name = name.unwrap_or_else(|| service::default_name(service_type));
        Some(PlannedService {
            service_type,
            name,
            cloud,
            start,
            nodes,
            script,
            archive,
            settings,
            volumes,
        })
    }

    fn object(&mut self, path: String, value: Value) -> Option<Object> {
        match value {
            Value::Object(left) => Some(Object { path, left }),
            _ if path.is_empty() => {
                self.problem("", "it is not an object");
                None
            }
            _ => {
                self.problem(path, "it is not an object");
                None
            }
        }
    }

    fn nothing_left(&mut self, object: Object) {
        for key in object.left.keys() {
            self.problem(object.at(key), "there is no such key");
        }
    }

    fn text(&mut self, object: &mut Object, key: &str) -> Option<String> {
        match object.left.remove(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.problem(object.at(key), "it is not a string");
                None
            }
        }
    }

    fn name(&mut self, object: &mut Object, key: &str) -> Option<String> {
        let text = self.text(object, key)?;
        match name::check(&text) {
            Ok(name) => Some(name.to_owned()),
            Err(error) => {
                self.problem(object.at(key), error.to_string());
                None
            }
        }
    }

    fn service_type(&mut self, object: &mut Object) -> Option<&'static ServiceType> {
        let Some(name) = self.text(object, "Type") else {
            if !self.problems.iter().any(|problem| problem.path == object.at("Type")) {
                self.problem(object.at("Type"), "it is missing");
            }
            return None;
        };
        let found = services::service_type(&name);
        if found.is_none() {
            let known: Vec<&str> =
                services::service_types().iter().map(|known| known.name.as_str()).collect();
            let what = match ORIGINAL_TYPES.contains(&name.as_str()) {
                true => format!("`{name}` services are not in this version"),
                false => format!("there is no type of service `{name}`"),
            };
            self.problem(object.at("Type"), format!("{what}; there are {}", known.join(", ")));
        }
        found
    }

    fn cloud(&mut self, object: &mut Object) -> Option<String> {
        let cloud = self.text(object, "Cloud")?;
        let clouds = self.known.clouds;
        if cloud != protocol::api::DEFAULT_CLOUD && !clouds.contains(&cloud) {
            let problem = format!("there is no cloud `{cloud}`; there are {}", clouds.join(", "));
            self.problem(object.at("Cloud"), problem);
        }
        Some(cloud)
    }

    fn start(&mut self, object: &mut Object) -> bool {
        match object.left.remove("Start") {
            None => false,
            Some(Value::Bool(start)) => start,
            Some(value) => match number(&value) {
                Some(0) => false,
                Some(1) => true,
                _ => {
                    self.problem(object.at("Start"), "it is neither 0 nor 1");
                    false
                }
            },
        }
    }

    fn counts(&mut self, object: &mut Object) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        let Some(value) = object.left.remove("StartupInstances") else { return counts };
        let Some(roles) = self.object(object.at("StartupInstances"), value) else { return counts };
        for (role, value) in &roles.left {
            match number(value).filter(|count| *count <= self.known.most_nodes) {
                Some(count) => {
                    counts.insert(role.clone(), count);
                }
                None if role == "resume" => self.problem(
                    roles.at(role),
                    "snapshots are of xtreemfs services, which are not in this version",
                ),
                None => self.problem(
                    roles.at(role),
                    format!("it is not a number from 0 to {}", self.known.most_nodes),
                ),
            }
        }
        counts
    }

    /// The nodes of every role, those that were left out too.
    fn nodes(
        &mut self,
        service_type: &ServiceType,
        wanted: BTreeMap<String, u32>,
        path: &str,
    ) -> BTreeMap<String, u32> {
        let roles = &service_type.roles;
        let mut nodes: BTreeMap<String, u32> =
            roles.iter().map(|role| (role.name.clone(), role.initial)).collect();
        for (role, count) in wanted {
            let least = initial(service_type, &role);
            match nodes.get_mut(&role) {
                None => {
                    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
                    let problem = format!(
                        "{} services have no such role; they have {}",
                        service_type.name,
                        names.join(", ")
                    );
                    self.problem(format!("{path}.{role}"), problem);
                }
                Some(_) if count < least => {
                    self.problem(format!("{path}.{role}"), format!("there are {least} at least"));
                }
                Some(known) => {
                    *known = count;
                    if count > least {
                        self.may_add(service_type, &role, path);
                    }
                }
            }
        }
        self.check_scale(service_type, &nodes, path);
        nodes
    }

    fn check_scale(
        &mut self,
        service_type: &ServiceType,
        nodes: &BTreeMap<String, u32>,
        path: &str,
    ) {
        let initial = service_type.roles.iter().map(|role| (role.name.clone(), role.initial));
        let half = services::manager_half(&service_type.name);
        if let Some(Err(refusal)) = half.map(|half| half.check_scale(&initial.collect(), nodes)) {
            self.problem(path, refusal.message);
        }
    }

    fn may_add(&mut self, service_type: &ServiceType, role: &str, path: &str) {
        let half = services::manager_half(&service_type.name);
        if let Some(Err(refusal)) = half.map(|half| half.may_add(role)) {
            self.problem(format!("{path}.{role}"), refusal.message);
        }
    }

    fn source(&mut self, object: &mut Object, key: &str) -> Option<Source> {
        let text = self.text(object, key)?;
        let source = if text.starts_with("data:") {
            InlineFile::from_url(&text, UNNAMED)
                .map(Source::Inline)
                .map_err(|problem| format!("the `data:` URL {problem}"))
        } else {
            fetch::url(&text)
                .map(Source::Web)
                .map_err(|_| "it is no http:, https: or data: URL".to_owned())
        };
        source.map_err(|problem| self.problem(object.at(key), problem)).ok()
    }
}

/// How many nodes of the role a service of the type begins with.
fn initial(service_type: &ServiceType, role: &str) -> u32 {
    service_type.roles.iter().find(|known| known.name == role).map_or(0, |known| known.initial)
}

/// A whole number, or a string of digits, as old manifests have it.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
