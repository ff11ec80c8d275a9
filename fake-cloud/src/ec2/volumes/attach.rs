//! Volumes that go to instances and come back.

use super::{by_id, incorrect};
use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::instances;
use crate::ec2::operation::Call;
use crate::ec2::xml::{Millis, Xml};
use crate::model::life::State;
use crate::model::{AttachWanted, Attachment, Model, Server, Volume, VolumeId, VolumeState};

pub(in crate::ec2) async fn attach(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let (device, wanted) = (params.required("Device")?, params.required("VolumeId")?);
    let (volume, server) = {
        let model = call.cloud.read();
        let volume = by_id(&call, &model, wanted)?;
        let instance = instances::find(&call, &model, params.required("InstanceId")?)?;
        let server = check(&model, volume, &instance, device)?;
        (volume.id.to_string(), server.id.to_string())
    };
    let wanted = AttachWanted {
        device: Some(device.to_owned()),
        request_id: call.request_id.clone(),
        ..AttachWanted::default()
    };
    let attached = call.cloud.attach_volume(&call.caller, &server, &volume, wanted).await?;
    let (volume, attachment) = attached;
    Ok(answer(volume, &attachment, "attaching"))
}

/// Refuses, in EC2's words, what the model would refuse in others.
fn check<'a>(
    model: &Model,
    volume: &Volume,
    instance: &instances::Instance<'a>,
    device: &str,
) -> Result<&'a Server, Fault> {
    let (id, server) = (Kind::Volume.id(volume.id), instance.server);
    if volume.attachment.is_some() {
        let message = format!("{id} is already attached to an instance");
        return Err(Fault::new("VolumeInUse", message));
    }
    if volume.state != VolumeState::Available {
        return Err(incorrect(volume));
    }
    let able = matches!(server.state, State::Active | State::Paused | State::Stopped);
    if !able || server.task.is_some() || instance.is_gone() {
        let message = format!("Instance '{}' is not 'running'.", instance.id());
        return Err(Fault::new("IncorrectState", message));
    }
    let taken = model.volumes_of(server.id).any(|(_, it)| it.device == name(device));
    if taken || instances::is_root(name(device)) {
        return Err(Fault::invalid_value(format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        )));
    }
    Ok(server)
}

/// A device's name without its path.
fn name(device: &str) -> &str {
    device.strip_prefix("/dev/").unwrap_or(device)
}

pub(in crate::ec2) async fn detach(call: Call) -> Result<Xml, Fault> {
    let (id, held) = {
        let model = call.cloud.read();
        let volume = by_id(&call, &model, call.params.required("VolumeId")?)?;
        (volume.id, to_detach(&call, volume)?.clone())
    };
    let (server, volume) = (held.server_id.to_string(), id.to_string());
    call.cloud.detach_volume(&call.caller, &server, &volume, &call.request_id).await?;
    let model = call.cloud.read();
    let after = model.volumes.get(id);
    // A process in the instance uses the volume, which stays where it is.
    let busy = after.is_some_and(|volume| {
        volume.state == VolumeState::InUse && volume.attachment.as_ref() == Some(&held)
    });
    Ok(answer(id, &held, if busy { "busy" } else { "detaching" }))
}

/// The attachment that a request means, if it can end.
fn to_detach<'a>(call: &Call, volume: &'a Volume) -> Result<&'a Attachment, Fault> {
    let Some(held) = &volume.attachment else { return Err(incorrect(volume)) };
    let (id, instance) = (Kind::Volume.id(volume.id), Kind::Instance.id(held.server_id));
    let missing = |message: String| Err(Fault::new("InvalidAttachment.NotFound", message));
    if let Some(text) = call.params.text("InstanceId")
        && Kind::Instance.parse(text)? != instance
    {
        return missing(format!("The volume '{id}' is not attached to instance '{text}'"));
    }
    if let Some(device) = call.params.text("Device").filter(|device| name(device) != held.device) {
        return missing(format!("The volume '{id}' is not attached to instance as '{device}'"));
    }
    if instances::is_root(&held.device) {
        let message = format!("Unable to detach root volume '{id}' from instance '{instance}'");
        return Err(Fault::new("OperationNotPermitted", message));
    }
    if volume.state == VolumeState::InUse { Ok(held) } else { Err(incorrect(volume)) }
}

fn answer(volume: VolumeId, attachment: &Attachment, status: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text("volumeId", Kind::Volume.id(volume));
    xml.text("instanceId", Kind::Instance.id(attachment.server_id));
    xml.text("device", format_args!("/dev/{}", attachment.device));
    xml.text("status", status);
    xml.text("attachTime", Millis(attachment.attached));
    xml.text("deleteOnTermination", attachment.delete_on_termination);
    xml
}
