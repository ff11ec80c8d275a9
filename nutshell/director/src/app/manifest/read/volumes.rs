//! The volumes of a service, each of one of its nodes.

use std::collections::BTreeMap;

use protocol::api::ServiceType;
use serde_json::Value;

use super::{Object, Reader, number};
use crate::app::volume;

/// A volume that can be made once its node is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app::manifest) struct PlannedVolume {
    pub(in crate::app::manifest) name: String,
    pub(in crate::app::manifest) size_mib: u64,
    /// The role of its node, and which of that role, from 0.
    pub(in crate::app::manifest) role: String,
    pub(in crate::app::manifest) nth: usize,
}

impl Reader<'_> {
    /// The volumes that the service names, as far as they can be read.
    pub(super) fn volumes(&mut self, object: &mut Object) -> Vec<(String, PlannedVolume)> {
        let path = object.at("Volumes");
        match object.left.remove("Volumes") {
            None => Vec::new(),
            Some(Value::Array(volumes)) => {
                let read = |(index, volume)| self.volume(format!("{path}[{index}]"), volume);
                volumes.into_iter().enumerate().filter_map(read).collect()
            }
            Some(_) => {
                self.problem(path, "it is not a list");
                Vec::new()
            }
        }
    }

    fn volume(&mut self, path: String, value: Value) -> Option<(String, PlannedVolume)> {
        let mut object = self.object(path.clone(), value)?;
        let name = self.text(&mut object, "Name");
        let size = object.left.remove("Size").as_ref().and_then(number);
        let role = self.text(&mut object, "Role");
        let node = match object.left.remove("Node") {
            None => Some(1),
            Some(node) => number(&node).filter(|node| *node > 0),
        };
        let at_node = object.at("Node");
        self.nothing_left(object);
        if node.is_none() {
            self.problem(at_node, "it is not a number from 1");
        }
        // Both are told of by one sentence.
        let size_mib = size.map_or(0, u64::from);
        if let Err(error) = volume::check(name.as_deref().unwrap_or_default(), size_mib) {
            self.problem(&path, error.to_string());
        }
        let nth = usize::try_from(node?.saturating_sub(1)).unwrap_or(usize::MAX);
        let role = role.unwrap_or_default();
        Some((path, PlannedVolume { name: name?, size_mib, role, nth }))
    }

    /// Whether the service can have these volumes: its type has some, and their nodes will be there.
    /// A role that was left out is the first that the service begins with.
    pub(super) fn placed(
        &mut self,
        service_type: &ServiceType,
        start: bool,
        nodes: &BTreeMap<String, u32>,
        volumes: Vec<(String, PlannedVolume)>,
    ) -> Vec<PlannedVolume> {
        let has_volumes = service_type.methods.iter().any(|method| method.name == "create_volume");
        let first = service_type.roles.iter().find(|role| role.initial > 0);
        let mut placed = Vec::new();
        for (path, mut volume) in volumes {
            if volume.role.is_empty() {
                volume.role = first.map(|role| role.name.clone()).unwrap_or_default();
            }
            let there = nodes.get(&volume.role).copied().unwrap_or_default();
            if !has_volumes {
                self.problem(path, format!("{} services have no volumes", service_type.name));
            } else if !start {
                self.problem(path, "a volume belongs to a node: the service must have `Start` 1");
            } else if volume.nth >= usize::try_from(there).unwrap_or(usize::MAX) {
                let (role, wanted) = (&volume.role, volume.nth.saturating_add(1));
                let problem =
                    format!("there is no node {wanted} of the role `{role}`, but {there}");
                self.problem(path, problem);
            } else if !self.volume_names.insert(volume.name.clone()) {
                let problem = format!("another volume has the name `{}`", volume.name);
                self.problem(path, problem);
            } else {
                placed.push(volume);
            }
        }
        placed
    }
}
