//! The attributes of an instance, one by one: shown and changed.

use super::{Instance, options};
use crate::ec2::Kind;
use crate::ec2::errors::Fault;
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::xml::{Millis, Xml};
use crate::ec2::{instance_types, security_groups};
use crate::model::life::State;
use crate::model::{Model, Server, ServerId, check_user_data};

/// Attributes that no instance of this cloud has.
const EMPTY: [&str; 3] = ["kernel", "ramdisk", "sriovNetSupport"];

pub(crate) fn describe(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let instance = super::find(call, &model, call.params.required("InstanceId")?)?;
    let server = instance.server;
    let mut xml = Xml::default();
    xml.text("instanceId", instance.id());
    let name = call.params.required("Attribute")?;
    let value = match name {
        "instanceType" => server.flavor.name.clone(),
        "userData" => server.user_data.clone().unwrap_or_default(),
        "disableApiTermination" => server.options.termination_protected.to_string(),
        "disableApiStop" => server.options.stop_protected.to_string(),
        "instanceInitiatedShutdownBehavior" => {
            let terminates = server.options.terminates_on_shutdown;
            if terminates { "terminate" } else { "stop" }.to_owned()
        }
        "rootDeviceName" => super::view::root_device(&model, server).1.to_owned(),
        "sourceDestCheck" => {
            let port = model.primary_port(server);
            port.is_none_or(|port| port.source_dest_check).to_string()
        }
        "ebsOptimized" | "enaSupport" => "false".to_owned(),
        "groupSet" => {
            super::view::group_set(&mut xml, &model, super::groups(&model, server));
            return Ok(xml);
        }
        "blockDeviceMapping" => {
            super::view::block_devices(&mut xml, &model, server);
            return Ok(xml);
        }
        "productCodes" => {
            xml.list("productCodes", [(); 0], |_, ()| {});
            return Ok(xml);
        }
        empty if EMPTY.contains(&empty) => String::new(),
        other => {
            return Err(Fault::invalid_value(format!(
                "Value ({other}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    };
    xml.within(name, |xml| xml.optional("value", Some(value).filter(|value| !value.is_empty())));
    Ok(xml)
}

/// A change of one attribute.
enum Change {
    Type(String),
    UserData(String),
    TerminationProtected(bool),
    StopProtected(bool),
    SourceDestCheck(bool),
    Groups(Vec<String>),
    DeleteOnTermination(Vec<(String, bool)>),
    TerminatesOnShutdown(bool),
}

pub(crate) async fn modify(call: Call) -> Result<Xml, Fault> {
    let change = read(&call.params)?;
    let changed = call.cloud.change(|model, now| {
        let server = alive(&call, model)?;
        let (id, state) = (server.id, server.state);
        let text = id.to_string();
        let stopped = || match state {
            State::Stopped => Ok(()),
            _ => {
                let id = Kind::Instance.id(id);
                let message = format!("The instance '{id}' is not in the 'stopped' state.");
                Err(Fault::new("IncorrectInstanceState", message))
            }
        };
        match change {
            Change::Type(name) => {
                stopped()?;
                let flavor = instance_types::by_name(&call, model, &name)?.clone();
                model.change_flavor(&call.caller, &text, flavor, now)?;
            }
            Change::Groups(wanted) => {
                let ids = wanted.iter().map(|id| Ok(security_groups::by_id(&call, model, id)?.id));
                let ids = ids.collect::<Result<_, Fault>>()?;
                model.set_server_groups(&call.caller, &text, ids, now)?;
            }
            Change::DeleteOnTermination(devices) => set_devices(model, id, &devices)?,
            Change::UserData(data) => {
                stopped()?;
                check_user_data(Some(&data))?;
                edit(model, id, |server| server.user_data = Some(data));
            }
            Change::TerminationProtected(on) => {
                edit(model, id, |server| server.options.termination_protected = on);
            }
            Change::StopProtected(on) => {
                edit(model, id, |server| server.options.stop_protected = on);
            }
            Change::SourceDestCheck(on) => {
                let port = model.servers.get(id).and_then(|it| model.primary_port(it));
                let port = port.map(|port| port.id);
                if let Some(mut port) = port.and_then(|port| model.ports.get_mut(port)) {
                    port.source_dest_check = on;
                }
            }
            Change::TerminatesOnShutdown(on) => {
                edit(model, id, |server| server.options.terminates_on_shutdown = on);
            }
        }
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

/// The one change that a request asks for, in the form of today or in the older one.
fn read(params: &Params) -> Result<Change, Fault> {
    let older = params.text("Attribute").map(|name| {
        let mut first = name.chars();
        first.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(first).collect::<String>()
    });
    let value = |name: &str| match &older {
        Some(wanted) if wanted == name => Some("Value".to_owned()),
        Some(_) => None,
        None => [format!("{name}.Value"), name.to_owned()]
            .into_iter()
            .find(|path| params.text(path).is_some()),
    };
    let text = |name: &str| value(name).and_then(|path| params.text(&path)).map(str::to_owned);
    let flag = |name: &str| value(name).map_or(Ok(None), |path| params.flag(&path));
    if let Some(name) = text("InstanceType") {
        return Ok(Change::Type(name));
    }
    if let Some(data) = text("UserData") {
        return Ok(Change::UserData(data));
    }
    for (name, change) in [
        ("DisableApiTermination", Change::TerminationProtected as fn(bool) -> Change),
        ("DisableApiStop", Change::StopProtected),
        ("SourceDestCheck", Change::SourceDestCheck),
    ] {
        if let Some(on) = flag(name)? {
            return Ok(change(on));
        }
    }
    let behavior = text("InstanceInitiatedShutdownBehavior");
    if let Some(on) = options::terminates_on_shutdown(behavior.as_deref())? {
        return Ok(Change::TerminatesOnShutdown(on));
    }
    let groups = params.texts("GroupId");
    if !groups.is_empty() {
        return Ok(Change::Groups(groups.into_iter().map(str::to_owned).collect()));
    }
    let devices = params.list("BlockDeviceMapping").into_iter().map(|device| {
        let path = device.required("DeviceName")?;
        let delete = device.flag("Ebs.DeleteOnTermination")?.unwrap_or(true);
        Ok((path.strip_prefix("/dev/").unwrap_or(path).to_owned(), delete))
    });
    let devices = devices.collect::<Result<Vec<_>, Fault>>()?;
    if !devices.is_empty() {
        return Ok(Change::DeleteOnTermination(devices));
    }
    Err(Fault::combination("No attributes specified, or none that an instance of this cloud has."))
}

fn alive<'a>(call: &'a Call, model: &'a Model) -> Result<&'a Server, Fault> {
    let instance = super::find(call, model, call.params.required("InstanceId")?)?;
    if instance.is_gone() {
        let message = format!("The instance '{}' is terminated.", instance.id());
        return Err(Fault::new("IncorrectInstanceState", message));
    }
    Ok(instance.server)
}

fn edit(model: &mut Model, id: ServerId, edit: impl FnOnce(&mut Server)) {
    if let Some(mut server) = model.servers.get_mut(id) {
        edit(&mut server);
    }
}

fn set_devices(
    model: &mut Model,
    server: ServerId,
    devices: &[(String, bool)],
) -> Result<(), Fault> {
    for (device, delete) in devices {
        let found = model.volumes_of(server).find(|(_, held)| held.device == *device);
        let id = found.map(|(volume, _)| volume.id).ok_or_else(|| {
            let message = format!("No device is currently mapped at /dev/{device}");
            Fault::new("InvalidInstanceAttributeValue", message)
        })?;
        let mut volume = model.volumes.get_mut(id);
        if let Some(held) = volume.as_mut().and_then(|volume| volume.attachment.as_mut()) {
            held.delete_on_termination = *delete;
        }
    }
    Ok(())
}

pub(crate) async fn modify_metadata_options(call: Call) -> Result<Xml, Fault> {
    let changed = call.cloud.change(|model, _| {
        let server = alive(&call, model)?;
        let (id, mut wanted) = (server.id, server.options.metadata.clone());
        options::read_metadata(&call.params, &mut wanted)?;
        edit(model, id, |server| server.options.metadata = wanted.clone());
        Ok::<_, Fault>((id, wanted))
    });
    let (id, applied) = changed.await?;
    let mut xml = Xml::default();
    xml.text("instanceId", Kind::Instance.id(id));
    xml.within("instanceMetadataOptions", |xml| options::metadata_options(xml, &applied));
    Ok(xml)
}

pub(crate) async fn monitor(call: Call) -> Result<Xml, Fault> {
    set_monitoring(call, true).await
}

pub(crate) async fn unmonitor(call: Call) -> Result<Xml, Fault> {
    set_monitoring(call, false).await
}

async fn set_monitoring(call: Call, on: bool) -> Result<Xml, Fault> {
    let changed = call.cloud.change(|model, _| {
        let named = super::named(&call, model)?.into_iter().map(|instance| instance.server.id);
        let ids: Vec<_> = named.collect();
        for id in &ids {
            edit(model, *id, |server| server.options.monitored = on);
        }
        Ok::<_, Fault>(ids)
    });
    let ids = changed.await?;
    let mut xml = Xml::default();
    xml.list("instancesSet", ids, |xml, id| {
        xml.text("instanceId", Kind::Instance.id(id));
        let state = if on { "enabled" } else { "disabled" };
        xml.within("monitoring", |xml| xml.text("state", state));
    });
    Ok(xml)
}

/// Only Windows makes up passwords and tells them; of other instances EC2 tells an empty one.
pub(crate) fn password_data(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let instance: Instance<'_> = super::find(call, &model, call.params.required("InstanceId")?)?;
    let mut xml = Xml::default();
    xml.text("instanceId", instance.id());
    xml.text("timestamp", Millis(call.cloud.now()));
    xml.text("passwordData", "");
    Ok(xml)
}
