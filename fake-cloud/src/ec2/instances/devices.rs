//! The block devices of a new instance: volumes that are made for it, and what its root disk is.

use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::tags::{self, Tags};
use crate::ec2::volumes;
use crate::model::{
    AttachWanted, Flavor, Image, ImageVolume, LaunchSource, LaunchVolume, Model, NewVolume,
};

/// Whether a device is what clients call the root disk.
pub(in crate::ec2) fn is_root(device: &str) -> bool {
    matches!(device, "sda" | "sda1" | "vda" | "xvda")
}

/// The volumes that a request wants each instance to start with.
pub(super) fn read(
    call: &Call,
    params: &Params,
    model: &Model,
    flavor: &Flavor,
    image: &Image,
) -> Result<Vec<LaunchVolume>, Fault> {
    let tags = tags::specified(params, Kind::Volume)?;
    let mut volumes = Vec::new();
    let mut of_image = image.options.volumes.clone();
    for device in params.list("BlockDeviceMapping") {
        let path = device.required("DeviceName")?;
        let name = path.strip_prefix("/dev/").unwrap_or(path);
        let own = of_image.iter().position(|volume| volume.device == name);
        let own = own.map(|place| of_image.remove(place));
        // Instance types without disks of their own besides the root one take no notice of these.
        let nothing = device.has("NoDevice") || device.text("VirtualName").is_some();
        if nothing {
            continue;
        }
        let ebs = device.below("Ebs").ok_or_else(|| Fault::missing_parameter("Ebs"))?;
        if is_root(name) {
            check_root(ebs, flavor)?;
            continue;
        }
        let mut wanted = volumes::read(call, ebs, model)?;
        if let Some(own) = own.filter(|_| wanted.snapshot.is_none()) {
            wanted.snapshot = own.snapshot_id.map(|id| id.to_string());
            wanted.size_gib = wanted.size_gib.or(Some(own.size_gib));
        }
        if wanted.size_gib.is_none() && wanted.snapshot.is_none() {
            return Err(Fault::missing_parameter("size or snapshotId"));
        }
        volumes::named(&mut wanted, tags.clone());
        let attach = AttachWanted {
            device: Some(path.to_owned()),
            delete_on_termination: ebs.flag("DeleteOnTermination")?.unwrap_or(true),
            ..AttachWanted::default()
        };
        volumes.push(LaunchVolume { source: LaunchSource::New(Box::new(wanted)), attach });
    }
    volumes.extend(of_image.into_iter().map(|volume| as_in_image(volume, &tags)));
    Ok(volumes)
}

/// A volume as the image has it, where a request says nothing of its device.
fn as_in_image(volume: ImageVolume, tags: &Tags) -> LaunchVolume {
    let mut wanted = NewVolume {
        size_gib: Some(volume.size_gib),
        snapshot: volume.snapshot_id.map(|id| id.to_string()),
        performance: volume.performance,
        ..NewVolume::default()
    };
    volumes::named(&mut wanted, tags.clone());
    let attach = AttachWanted {
        device: Some(format!("/dev/{}", volume.device)),
        delete_on_termination: volume.delete_on_termination,
        ..AttachWanted::default()
    };
    LaunchVolume { source: LaunchSource::New(Box::new(wanted)), attach }
}

/// The root disk is of the image and as large as the type says: a request for another must not
/// pass as if it were granted.
fn check_root(ebs: &Params, flavor: &Flavor) -> Result<(), Fault> {
    let size = ebs.number("VolumeSize")?;
    let larger = size.is_some_and(|size| u64::try_from(size).is_ok_and(|it| it > flavor.disk_gib));
    if larger || ebs.text("SnapshotId").is_some() {
        let (name, own) = (&flavor.name, flavor.disk_gib);
        return Err(Fault::new(
            "UnsupportedOperation",
            format!(
                "The root disk of an instance of type {name} has {own} GiB and comes from its \
                 image. Choose a larger type, or attach a volume as another device."
            ),
        ));
    }
    Ok(())
}
