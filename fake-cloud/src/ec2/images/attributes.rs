//! The attributes of an image, one by one: shown and changed.

use super::{by_id, changeable, devices, id};
use crate::ec2::errors::Fault;
use crate::ec2::ids::account;
use crate::ec2::operation::Call;
use crate::ec2::xml::Xml;
use crate::model::{Image, LaunchPermission, Model};

pub(in crate::ec2) fn describe(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let image = by_id(call, &model, call.params.required("ImageId")?)?;
    let mut xml = Xml::default();
    xml.text("imageId", id(image));
    match call.params.required("Attribute")? {
        "launchPermission" => {
            check_owner(call, image)?;
            xml.list("launchPermission", image.launch_permissions(), |xml, permission| {
                match permission {
                    LaunchPermission::Everyone => xml.text("group", "all"),
                    LaunchPermission::Project(project) => xml.text("userId", account(project)),
                }
            });
        }
        "description" => {
            xml.within("description", |xml| {
                xml.optional("value", image.options.description.as_ref());
            });
        }
        "blockDeviceMapping" => devices(&mut xml, image),
        "productCodes" => xml.list("productCodes", [(); 0], |_, ()| {}),
        "bootMode" => xml.within("bootMode", |_| {}),
        empty @ ("kernel" | "ramdisk" | "sriovNetSupport" | "tpmSupport" | "uefiData"
        | "lastLaunchedTime" | "imdsSupport") => xml.within(empty, |_| {}),
        "deregistrationProtection" => {
            let value = if image.protected { "enabled-without-cooldown" } else { "disabled" };
            xml.within("deregistrationProtection", |xml| xml.text("value", value));
        }
        other => return Err(Fault::invalid_value(format!("Invalid attribute: {other}"))),
    }
    Ok(xml)
}

pub(in crate::ec2) async fn modify(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let changes = permissions(&call)?;
    let changed = call.cloud.change(|model, now| {
        let image = changeable(&call, model, params.required("ImageId")?)?.id;
        let attribute = params.text("Attribute");
        let description = params
            .text("Description.Value")
            .or_else(|| params.text("Value").filter(|_| attribute == Some("description")));
        match description {
            None if changes.is_empty() => {
                return Err(Fault::combination("No attributes specified."));
            }
            None => {}
            Some(text) => {
                if let Some(mut image) = model.images.get_mut(image) {
                    image.options.description = Some(text.to_owned());
                    image.updated = now;
                }
            }
        }
        model.change_launch_permissions(&call.caller, &image.to_string(), &changes, now)?;
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

/// Takes back all permissions.
pub(in crate::ec2) async fn reset(call: Call) -> Result<Xml, Fault> {
    let attribute = call.params.required("Attribute")?;
    if attribute != "launchPermission" {
        return Err(Fault::invalid_value(format!("Invalid attribute: {attribute}")));
    }
    let changed = call.cloud.change(|model, now| {
        let image = changeable(&call, model, call.params.required("ImageId")?)?;
        let all = image.launch_permissions().into_iter().map(|permission| (permission, false));
        let (image, changes) = (image.id.to_string(), all.collect::<Vec<_>>());
        Ok::<_, Fault>(model.change_launch_permissions(&call.caller, &image, &changes, now)?)
    });
    changed.await?;
    Ok(Xml::done())
}

/// The permissions that a request gives and takes back, in the form of today or in the older one.
fn permissions(call: &Call) -> Result<Vec<(LaunchPermission, bool)>, Fault> {
    let (model, params) = (call.cloud.identity().read(), &call.params);
    let mut changes = Vec::new();
    for (list, allowed) in [("LaunchPermission.Add", true), ("LaunchPermission.Remove", false)] {
        for permission in params.list(list) {
            changes.push((
                read(&model, permission.text("UserId"), permission.text("Group"))?,
                allowed,
            ));
        }
    }
    let allowed = match params.text("OperationType") {
        None => return Ok(changes),
        Some("add") => true,
        Some("remove") => false,
        Some(other) => {
            return Err(Fault::invalid_value(format!(
                "Invalid value '{other}' for OperationType."
            )));
        }
    };
    for user in params.texts("UserId") {
        changes.push((read(&model, Some(user), None)?, allowed));
    }
    for group in params.texts("UserGroup") {
        changes.push((read(&model, None, Some(group))?, allowed));
    }
    Ok(changes)
}

fn read(model: &Model, user: Option<&str>, group: Option<&str>) -> Result<LaunchPermission, Fault> {
    match (user, group) {
        (_, Some("all")) => Ok(LaunchPermission::Everyone),
        (Some(user), None) => {
            let project = model.projects.iter().find(|project| account(project.id) == user);
            let unknown = || {
                let message = format!("The following user id is invalid: {user}");
                Fault::new("InvalidAMIAttributeItemValue", message)
            };
            Ok(LaunchPermission::Project(project.ok_or_else(unknown)?.id))
        }
        (_, Some(other)) => Err(Fault::new(
            "InvalidAMIAttributeItemValue",
            format!("Invalid attribute item value \"{other}\" for userGroup item type."),
        )),
        (None, None) => Err(Fault::missing_parameter("UserId")),
    }
}

/// Whom an image is shared with is for its owner to know.
fn check_owner(call: &Call, image: &Image) -> Result<(), Fault> {
    if image.writable_by(&call.caller) {
        return Ok(());
    }
    let message = format!("Not authorized for image:{}", id(image));
    Err(Fault::new("AuthFailure", message).with_status(http::StatusCode::FORBIDDEN))
}
