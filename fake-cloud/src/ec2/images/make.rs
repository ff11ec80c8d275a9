//! Images made of instances, copied and removed.

use super::{by_id, id};
use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::instances::{self, is_root};
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::tags;
use crate::ec2::xml::Xml;
use crate::model::{
    Image, ImageId, ImageOptions, ImageVolume, Model, NewVolume, ServerId, SnapshotId, VolumeId,
    check_capture,
};

/// An image of an instance's disk, and snapshots of its volumes. The instance stands still while
/// its disk is copied, whether it may be restarted for that or not.
pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let name = params.required("Name")?;
    let tags = tags::specified(params, Kind::Image)?;
    let (server, volumes) = {
        let model = call.cloud.read();
        check_name(&call, &model, name)?;
        let instance = instances::find(&call, &model, params.required("InstanceId")?)?;
        if instance.is_gone() {
            let message = format!("The instance '{}' is terminated.", instance.id());
            return Err(Fault::new("IncorrectInstanceState", message));
        }
        let server = instance.server;
        check_capture(server).map_err(|_| {
            let id = instance.id();
            let message = format!("Instance '{id}' is not in a state in which it can be imaged.");
            Fault::new("IncorrectState", message)
        })?;
        (server.id, volumes(params, &model, server.id)?)
    };
    let description = params.text("Description").map(str::to_owned);
    let volumes = take_snapshots(&call, volumes).await?;
    let server = server.to_string();
    let made = call.cloud.create_image(&call.caller, &server, name.to_owned(), tags);
    let image = made.await?;
    let noted = call.cloud.change(|model, _| {
        let mut image = model.images.get_mut(image).ok_or_else(|| missing(image))?;
        image.options = ImageOptions { description, volumes, ..image.options.clone() };
        Ok::<_, Fault>(())
    });
    noted.await?;
    Ok(answer(image))
}

/// The volumes of an instance that are to be in its image, each with what holds for it there.
fn volumes(
    params: &Params,
    model: &Model,
    server: ServerId,
) -> Result<Vec<(VolumeId, ImageVolume)>, Fault> {
    let mut wanted: Vec<_> = model
        .volumes_of(server)
        .filter(|(_, held)| !is_root(&held.device))
        .map(|(volume, held)| {
            let volume_in_image = ImageVolume {
                device: held.device.clone(),
                snapshot_id: None,
                size_gib: volume.size_gib,
                performance: volume.performance.clone(),
                delete_on_termination: held.delete_on_termination,
            };
            (volume.id, volume_in_image)
        })
        .collect();
    for device in params.list("BlockDeviceMapping") {
        let path = device.required("DeviceName")?;
        let name = path.strip_prefix("/dev/").unwrap_or(path);
        if device.has("NoDevice") {
            wanted.retain(|(_, volume)| volume.device != name);
            continue;
        }
        let known = wanted.iter_mut().find(|(_, volume)| volume.device == name);
        match (known, device.flag("Ebs.DeleteOnTermination")?) {
            (Some((_, volume)), delete) => {
                volume.delete_on_termination = delete.unwrap_or(volume.delete_on_termination);
            }
            (None, _) if is_root(name) || device.text("VirtualName").is_some() => {}
            (None, _) => {
                let message = format!("The instance has no volume at {path} to put in the image");
                return Err(Fault::new("InvalidBlockDeviceMapping", message));
            }
        }
    }
    Ok(wanted)
}

async fn take_snapshots(
    call: &Call,
    volumes: Vec<(VolumeId, ImageVolume)>,
) -> Result<Vec<ImageVolume>, Fault> {
    let mut tags = tags::specified(&call.params, Kind::Snapshot)?;
    let name = tags.remove(tags::NAME);
    let mut taken = Vec::new();
    for (id, mut volume) in volumes {
        let description =
            format!("Created by CreateImage({})", call.params.required("InstanceId")?);
        let wanted = NewVolume {
            name: name.clone(),
            description: Some(description),
            metadata: tags.clone(),
            ..NewVolume::default()
        };
        let snapshot =
            call.cloud.create_snapshot(&call.caller, &id.to_string(), wanted, true).await?;
        volume.snapshot_id = Some(snapshot.id);
        taken.push(volume);
    }
    Ok(taken)
}

/// A copy within the region: the snapshots of its volumes are those of the original.
pub(in crate::ec2) async fn copy(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let (name, region) = (params.required("Name")?, params.required("SourceRegion")?);
    if region != call.cloud.region {
        let message = format!("This cloud copies no images from the region {region}");
        return Err(Fault::new("UnsupportedOperation", message));
    }
    if params.flag("Encrypted")? == Some(true) {
        let message = "This cloud has no images that are encrypted";
        return Err(Fault::new("UnsupportedOperation", message));
    }
    let mut tags = tags::specified(params, Kind::Image)?;
    let source = {
        let model = call.cloud.read();
        check_name(&call, &model, name)?;
        let source = by_id(&call, &model, params.required("SourceImageId")?)?;
        if params.flag("CopyImageTags")? == Some(true) {
            let mut copied = super::tags(source);
            copied.extend(tags);
            tags = copied;
        }
        source.id
    };
    let description = params.text("Description").map(str::to_owned);
    let made = call.cloud.copy_image(&call.caller, source, |model, now| {
        let (source, name) = (source.to_string(), name.to_owned());
        let copy = model.copy_of_image(&call.caller, call.project, &source, name, now)?;
        let options = ImageOptions { description, ..copy.options };
        Ok(Image { properties: tags, options, ..copy })
    });
    Ok(answer(made.await?))
}

pub(in crate::ec2) async fn deregister(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let deleted = call.cloud.change(|model, _| {
        let image = super::changeable(&call, model, params.required("ImageId")?)?;
        let volumes = image.options.volumes.clone();
        let id = model.delete_image(&call.caller, &image.id.to_string())?;
        Ok::<_, Fault>((id, volumes))
    });
    let (image, volumes) = deleted.await?;
    call.cloud.delete_image_content(image).await;
    call.cloud.drop_image_trees().await;
    let mut xml = Xml::done();
    if params.flag("DeleteAssociatedSnapshots")? == Some(true) {
        let mut results: Vec<(SnapshotId, &str)> = Vec::new();
        for snapshot in volumes.into_iter().filter_map(|volume| volume.snapshot_id) {
            let used = call.cloud.read().image_of_snapshot(snapshot).is_some();
            let deleted = match used {
                true => "in-use-by-another-image",
                false => {
                    let id = snapshot.to_string();
                    match call.cloud.delete_snapshot(&call.caller, &id).await {
                        Ok(()) => "success",
                        Err(_) => "internal-error",
                    }
                }
            };
            results.push((snapshot, deleted));
        }
        xml.list("deleteSnapshotResultSet", results, |xml, (snapshot, code)| {
            xml.text("snapshotId", Kind::Snapshot.id(snapshot));
            xml.text("returnCode", code);
        });
    }
    Ok(xml)
}

/// Names of an account's images are unique, and not of any characters.
fn check_name(call: &Call, model: &Model, name: &str) -> Result<(), Fault> {
    let formed = (3..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&byte));
    if !formed {
        return Err(Fault::new(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, \
             numbers, '(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'",
        ));
    }
    let own = |image: &&Image| image.owner == call.project;
    match model.images.iter().filter(own).find(|image| image.name.as_deref() == Some(name)) {
        None => Ok(()),
        Some(image) => {
            let message = format!("AMI name {name} is already in use by AMI {}", id(image));
            Err(Fault::new("InvalidAMIName.Duplicate", message))
        }
    }
}

fn missing(image: ImageId) -> Fault {
    Fault::missing(Kind::Image, Kind::Image.id(image))
}

fn answer(image: ImageId) -> Xml {
    let mut xml = Xml::default();
    xml.text("imageId", Kind::Image.id(image));
    xml
}
