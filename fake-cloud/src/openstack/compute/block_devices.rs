//! What a new server boots from and which volumes it has: the image of a request and its block
//! devices, in the newer form and in the older one.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{AttachWanted, LaunchSource, LaunchVolume, NewVolume};
use crate::openstack::errors::Fault;
use crate::openstack::volume::size;

/// What a request says of the disks of a new server.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The image, by its id or its address.
    pub(super) image: Option<String>,
    /// The devices in the newer form, `block_device_mapping_v2`.
    pub(super) devices: Vec<Device>,
    /// The devices in the older one.
    pub(super) legacy: Vec<LegacyDevice>,
}

/// A device in the newer form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Device {
    uuid: Option<String>,
    source_type: Option<Source>,
    destination_type: Option<Destination>,
    boot_index: Option<Value>,
    volume_size: Option<Value>,
    device_name: Option<String>,
    tag: Option<String>,
    delete_on_termination: Value,
    no_device: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Image,
    Volume,
    Snapshot,
    Blank,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Destination {
    Local,
    Volume,
}

/// A device in the older form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LegacyDevice {
    device_name: Option<String>,
    volume_id: Option<String>,
    snapshot_id: Option<String>,
    volume_size: Option<Value>,
    virtual_name: Option<String>,
    delete_on_termination: Value,
    no_device: Value,
}

/// What a new server boots from, and what else it has.
#[derive(Debug)]
pub(super) struct Disks {
    /// The image of its own disk; empty when it boots from a volume.
    pub(super) image: String,
    /// The volume that it boots from.
    pub(super) root: Option<LaunchVolume>,
    /// Its other volumes.
    pub(super) volumes: Vec<LaunchVolume>,
}

/// Reads what a request says.
pub(super) fn read(wanted: Wanted) -> Result<Disks, Fault> {
    let image = wanted.image.filter(|image| !image.is_empty());
    let image = image.map(|image| image.rsplit('/').next().unwrap_or(&image).to_owned());
    let devices = match (wanted.devices.is_empty(), wanted.legacy.is_empty()) {
        (false, false) => {
            return Err(Fault::bad_request(
                "Using different block_device_mapping syntaxes is not allowed in the same request.",
            ));
        }
        (false, true) => wanted.devices,
        (true, _) => modern(wanted.legacy, image.is_some())?,
    };
    let devices: Vec<Device> = devices.into_iter().filter(|it| !truth(&it.no_device)).collect();
    if image.is_none() && devices.is_empty() {
        return Err(Fault::bad_request("Missing imageRef attribute"));
    }
    let mut order = Vec::new();
    let (mut root, mut volumes, mut disk_of_image) = (None, Vec::new(), false);
    for device in devices {
        let place = boot_index(device.boot_index.as_ref())?;
        order.extend(place);
        if is_local(&device, image.is_some() && place == Some(0))? {
            disk_of_image = true;
        } else if place == Some(0) && root.is_none() {
            root = Some(volume(device)?);
        } else {
            volumes.push(volume(device)?);
        }
    }
    // An image that no device names is the disk that comes first.
    if image.is_some() && !disk_of_image {
        order.push(0);
    }
    order.sort_unstable();
    if order.is_empty() || !order.iter().copied().eq(0..order.len() as u64) {
        return Err(invalid(
            "Boot sequence for the instance and image/block device mapping combination is not \
             valid.",
        ));
    }
    let image = image.filter(|_| root.is_none()).unwrap_or_default();
    Ok(Disks { image, root, volumes })
}

/// Devices in the newer form, as Nova reads the older one.
fn modern(legacy: Vec<LegacyDevice>, with_image: bool) -> Result<Vec<Device>, Fault> {
    let mut rootless = !with_image;
    let translate = |old: LegacyDevice| {
        let (source_type, uuid) = match (old.snapshot_id, old.volume_id, &old.virtual_name) {
            (_, _, Some(name)) if name == "swap" || name.starts_with("ephemeral") => {
                (Source::Blank, None)
            }
            (Some(id), _, _) => (Source::Snapshot, Some(id)),
            (None, Some(id), _) => (Source::Volume, Some(id)),
            (None, None, _) if truth(&old.no_device) => (Source::Blank, None),
            (None, None, _) => return Err(invalid("Unrecognized legacy format.")),
        };
        let first = rootless && source_type != Source::Blank;
        rootless &= !first;
        let destination =
            if source_type == Source::Blank { Destination::Local } else { Destination::Volume };
        Ok(Device {
            uuid,
            source_type: Some(source_type),
            destination_type: Some(destination),
            boot_index: Some(Value::from(if first { 0 } else { -1 })),
            volume_size: old.volume_size,
            device_name: old.device_name,
            tag: None,
            delete_on_termination: old.delete_on_termination,
            no_device: old.no_device,
        })
    };
    legacy.into_iter().map(translate).collect()
}

/// Whether a device is the disk that the image makes; no server here has another local one.
fn is_local(device: &Device, of_image: bool) -> Result<bool, Fault> {
    match (device.source_type, device.destination_type) {
        (Some(Source::Image), Some(Destination::Local)) if of_image => Ok(true),
        (Some(Source::Image), Some(Destination::Local)) => {
            Err(invalid("Mapping image to local is not supported."))
        }
        (Some(Source::Blank), None | Some(Destination::Local)) => Err(Fault::bad_request(
            "Ephemeral disks requested are larger than the instance type allows. If no size is \
             given in one block device mapping, flavor ephemeral size will be used.",
        )),
        (Some(Source::Volume | Source::Snapshot), Some(Destination::Local)) => {
            Err(invalid("Volumes and snapshots are no local disks."))
        }
        (Some(_), _) => Ok(false),
        (None, _) => Err(invalid("Some required fields are missing")),
    }
}

fn volume(device: Device) -> Result<LaunchVolume, Fault> {
    let attach = AttachWanted {
        device: device.device_name,
        tag: device.tag,
        delete_on_termination: truth(&device.delete_on_termination),
        ..AttachWanted::default()
    };
    let missing = || invalid("Missing device UUID.");
    let size_gib = size(device.volume_size)?;
    let new = NewVolume { size_gib, ..NewVolume::default() };
    let source = match device.source_type {
        Some(Source::Volume) => LaunchSource::Existing(device.uuid.ok_or_else(missing)?),
        Some(Source::Snapshot) => LaunchSource::New(Box::new(NewVolume {
            snapshot: Some(device.uuid.ok_or_else(missing)?),
            ..new
        })),
        Some(Source::Image) => {
            let image = Some(device.uuid.ok_or_else(missing)?);
            if size_gib.is_none() {
                return Err(Fault::bad_request(
                    "Images with destination_type 'volume' need to have a non-zero size specified",
                ));
            }
            LaunchSource::New(Box::new(NewVolume { image, ..new }))
        }
        Some(Source::Blank) | None => {
            if device.uuid.is_some() {
                return Err(invalid("Invalid device UUID."));
            }
            if size_gib.is_none() {
                return Err(Fault::bad_request(
                    "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size",
                ));
            }
            LaunchSource::New(Box::new(new))
        }
    };
    Ok(LaunchVolume { source, attach })
}

/// The place of a device in the order of booting; none when one does not boot from it.
fn boot_index(value: Option<&Value>) -> Result<Option<u64>, Fault> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() || text == "None" => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_i64(),
    };
    let number = number.ok_or_else(|| invalid("Boot index is invalid."))?;
    Ok(u64::try_from(number).ok())
}

/// Whether a word of Nova's for yes was sent.
fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(text) => {
            matches!(text.to_lowercase().as_str(), "1" | "t" | "true" | "on" | "y" | "yes")
        }
        Value::Number(number) => number.as_u64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn invalid(details: &str) -> Fault {
    Fault::bad_request(format!("Block Device Mapping is Invalid: {details}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn disks(image: Option<&str>, devices: Value, legacy: Value) -> Result<Disks, String> {
        let image = image.map(str::to_owned);
        let devices = serde_json::from_value(devices).unwrap();
        let legacy = serde_json::from_value(legacy).unwrap();
        read(Wanted { image, devices, legacy }).map_err(|fault| fault.message)
    }

    fn existing(volume: &LaunchVolume) -> &str {
        match &volume.source {
            LaunchSource::Existing(id) => id,
            LaunchSource::New(_) => "new",
        }
    }

    #[test]
    fn a_server_boots_from_its_image_and_has_volumes_beside() {
        let link = disks(Some("http://glance/images/i1"), json!([]), json!([])).unwrap();
        assert_eq!((link.image.as_str(), link.root.is_none()), ("i1", true));
        let devices = json!([
            {"uuid": "i1", "source_type": "image", "destination_type": "local", "boot_index": 0},
            {"uuid": "v1", "source_type": "volume", "destination_type": "volume",
             "boot_index": -1, "delete_on_termination": "true", "device_name": "/dev/vdc"},
            {"source_type": "blank", "destination_type": "volume", "volume_size": 2},
        ]);
        let disks = disks(Some("i1"), devices, json!([])).unwrap();
        assert_eq!(disks.image, "i1");
        assert_eq!(disks.volumes.iter().map(existing).collect::<Vec<_>>(), ["v1", "new"]);
        assert!(disks.volumes[0].attach.delete_on_termination);
        assert_eq!(disks.volumes[0].attach.device.as_deref(), Some("/dev/vdc"));
    }

    #[test]
    fn a_server_boots_from_a_volume_where_that_comes_first() {
        let device = json!({
            "uuid": "v1", "source_type": "volume", "destination_type": "volume", "boot_index": "0"
        });
        let found = disks(Some(""), json!([device]), json!([])).unwrap();
        assert_eq!((found.image.as_str(), existing(&found.root.unwrap())), ("", "v1"));
        let legacy = json!([{"volume_id": "v1", "device_name": "vda"}, {"volume_id": "v2"}]);
        let found = disks(None, json!([]), legacy.clone()).unwrap();
        assert_eq!((existing(&found.root.unwrap()), existing(&found.volumes[0])), ("v1", "v2"));
        let found = disks(Some("i"), json!([]), legacy).unwrap();
        assert_eq!((found.root.is_none(), found.volumes.len()), (true, 2));
        let from_image = json!([{
            "uuid": "i1", "source_type": "image", "destination_type": "volume", "boot_index": 0,
            "volume_size": 1
        }]);
        let found = disks(None, from_image, json!([])).unwrap();
        let LaunchSource::New(new) = found.root.unwrap().source else { panic!("not new") };
        assert_eq!((new.image.as_deref(), new.size_gib), (Some("i1"), Some(1)));
    }

    #[test]
    fn what_cannot_be_booted_is_refused() {
        let volume = |index: i64| {
            json!({"uuid": "v", "source_type": "volume", "destination_type": "volume",
                   "boot_index": index})
        };
        let local = json!({"uuid": "i", "source_type": "image", "destination_type": "local",
                           "boot_index": 0});
        for (image, devices, message) in [
            (None, json!([]), "Missing imageRef"),
            (None, json!([volume(-1)]), "Boot sequence"),
            (None, json!([volume(1)]), "Boot sequence"),
            (Some("i"), json!([volume(0)]), "Boot sequence"),
            (None, json!([local]), "Mapping image to local"),
            (
                Some("i"),
                json!([{"source_type": "blank", "destination_type": "local"}]),
                "Ephemeral",
            ),
            (
                Some("i"),
                json!([{"source_type": "blank", "destination_type": "volume"}]),
                "non-zero",
            ),
            (Some("i"), json!([{"source_type": "volume", "destination_type": "volume"}]), "UUID"),
            (Some("i"), json!([{"uuid": "v"}]), "required fields"),
        ] {
            let refused = disks(image, devices, json!([])).unwrap_err();
            assert!(refused.contains(message), "{refused}");
        }
        let both = disks(None, json!([volume(0)]), json!([{"volume_id": "v"}])).unwrap_err();
        assert!(both.starts_with("Using different"), "{both}");
    }
}
