//! The points at which something can go wrong, by name: operations of the APIs, and the steps of
//! the work after them.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::model::VolumeState;
use crate::model::life::Task;
use crate::{ec2, openstack};

/// The operation of the metadata service.
pub(crate) const METADATA: &str = "metadata:read";

/// The steps of volumes, which snapshots have too as far as it makes sense.
const VOLUME_STEPS: [VolumeState; 5] = [
    VolumeState::Creating,
    VolumeState::Attaching,
    VolumeState::Detaching,
    VolumeState::Reverting,
    VolumeState::Deleting,
];

/// All operations: `compute:servers.create`, `ec2:RunInstances`.
pub(crate) fn operations() -> Vec<String> {
    let ec2 = ec2::OPERATIONS.iter().map(|operation| ec2(operation.name));
    let mut all: Vec<String> = openstack::operations().chain(ec2).collect();
    all.push(METADATA.to_owned());
    all.dedup();
    all
}

/// All steps: `server.spawning`, `volume.attaching`.
pub(crate) fn steps() -> Vec<String> {
    let servers = variants::<Task>().iter().map(|task| format!("server.{task}"));
    let snapshots = [VolumeState::Creating, VolumeState::Deleting];
    servers
        .chain(VOLUME_STEPS.into_iter().map(volume))
        .chain(snapshots.into_iter().map(snapshot))
        .collect()
}

/// The name of an operation of EC2.
pub(crate) fn ec2(operation: &str) -> String {
    format!("ec2:{operation}")
}

/// The step that a task of a server is.
pub(crate) fn server(task: Task) -> String {
    let name = serde_json::to_value(task).unwrap_or_default();
    format!("server.{}", name.as_str().unwrap_or_default())
}

/// The step of a volume that is on its way.
pub(crate) fn volume(state: VolumeState) -> String {
    format!("volume.{}", state.name())
}

/// The step of a snapshot that is on its way.
pub(crate) fn snapshot(state: VolumeState) -> String {
    format!("snapshot.{}", state.name())
}

/// The names of an enumeration's variants, asked of its own description, so that no list of them
/// can grow old.
fn variants<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut asked = Asked(&[]);
    // It cannot succeed: nobody says which one it should be.
    let _ = T::deserialize(&mut asked);
    asked.0
}

struct Asked(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Asked {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0 = variants;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_the_names_that_people_expect() {
        let operations = operations();
        for name in [
            "compute:servers.create",
            "compute:servers.action",
            "ec2:RunInstances",
            "volume:volumes.create",
            "identity:tokens.create",
            METADATA,
        ] {
            assert!(operations.iter().any(|known| known == name), "{name}");
        }
        let steps = steps();
        assert!(
            steps.contains(&server(Task::Spawning)) && steps.contains(&server(Task::HardReboot))
        );
        assert!(steps.contains(&"server.powering_off".to_owned()));
        assert!(steps.contains(&"volume.attaching".to_owned()));
        assert!(steps.iter().all(|step| !step.contains(':')), "only operations have colons");
        assert!(operations.iter().all(|operation| operation.contains(':')));
    }
}
