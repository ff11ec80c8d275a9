//! Which volumes there are, how they are, and how they were changed.

use super::{attachment_status, by_id, own, performance, status, tags, view};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::Kind;
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::places::NO_TAGS;
use crate::ec2::xml::{Millis, Xml};
use crate::model::{Model, Volume, VolumeId, VolumeState};

const FILTERS: [&str; 14] = [
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "create-time",
    "encrypted",
    "multi-attach-enabled",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

pub(in crate::ec2) fn volumes(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "VolumeId")?;
    let model = call.cloud.read();
    let wanted = selected(call, &model)?
        .filter(|volume| filters.pass(&tags(volume), |name| values(call, volume, name)));
    let (volumes, next) = page.in_order(&model.volumes, wanted);
    let mut xml = Xml::default();
    xml.list("volumeSet", volumes, |xml, volume| view(xml, call, volume));
    xml.optional("nextToken", next);
    Ok(xml)
}

/// The volumes that are named, or all when none is.
fn selected<'a>(call: &Call, model: &'a Model) -> Result<impl Iterator<Item = &'a Volume>, Fault> {
    let named = call.params.texts("VolumeId").into_iter();
    let named = named.map(|text| Ok(by_id(call, model, text)?.id));
    let named: Vec<VolumeId> = named.collect::<Result<_, Fault>>()?;
    Ok(own(call, model).filter(move |volume| named.is_empty() || named.contains(&volume.id)))
}

fn values(call: &Call, volume: &Volume, name: &str) -> Vec<String> {
    let held = |value: fn(&crate::model::Attachment) -> String| {
        volume.attachment.iter().map(value).collect()
    };
    match name {
        "attachment.attach-time" => held(|it| Millis(it.attached).to_string()),
        "attachment.delete-on-termination" => held(|it| it.delete_on_termination.to_string()),
        "attachment.device" => held(|it| format!("/dev/{}", it.device)),
        "attachment.instance-id" => held(|it| Kind::Instance.id(it.server_id).to_string()),
        "attachment.status" => {
            volume.attachment.iter().map(|_| attachment_status(volume).to_owned()).collect()
        }
        "availability-zone" => vec![call.zone().to_string()],
        "create-time" => vec![Millis(volume.created).to_string()],
        "size" => vec![volume.size_gib.to_string()],
        "snapshot-id" => {
            volume.snapshot_id.iter().map(|id| Kind::Snapshot.id(*id).to_string()).collect()
        }
        "status" => vec![status(volume).to_owned()],
        "volume-id" => vec![Kind::Volume.id(volume.id).to_string()],
        "volume-type" => vec![volume.performance.volume_type.clone()],
        // Encrypted, or shared by instances.
        _ => vec!["false".to_owned()],
    }
}

/// How well volumes do: their data is there, or it is not.
pub(in crate::ec2) fn health(call: &Call) -> Result<Xml, Fault> {
    let known = ["availability-zone", "volume-status.status"];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "VolumeId")?;
    let model = call.cloud.read();
    let health = |volume: &Volume| match volume.state {
        VolumeState::Creating | VolumeState::Deleting => "insufficient-data",
        VolumeState::Error => "impaired",
        _ => "ok",
    };
    let wanted = selected(call, &model)?.filter(|volume| {
        filters.pass(NO_TAGS, |name| match name {
            "availability-zone" => vec![call.zone().to_string()],
            _ => vec![health(volume).to_owned()],
        })
    });
    let (volumes, next) = page.in_order(&model.volumes, wanted);
    let mut xml = Xml::default();
    xml.list("volumeStatusSet", volumes, |xml, volume| {
        xml.text("volumeId", Kind::Volume.id(volume.id));
        xml.text("availabilityZone", call.zone());
        xml.within("volumeStatus", |xml| {
            let health = health(volume);
            xml.text("status", health);
            let enabled = if health == "ok" { "passed" } else { "failed" };
            let details = [("io-enabled", enabled), ("io-performance", "not-applicable")];
            xml.list("details", details, |xml, (name, status)| {
                xml.text("name", name);
                xml.text("status", status);
            });
        });
        xml.list("eventsSet", [(); 0], |_, ()| {});
        xml.list("actionsSet", [(); 0], |_, ()| {});
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(in crate::ec2) fn modifications(call: &Call) -> Result<Xml, Fault> {
    let known = ["modification-state", "target-size", "original-size", "volume-id"];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "VolumeId")?;
    let model = call.cloud.read();
    let wanted = selected(call, &model)?.filter(|volume| {
        volume.modification.as_ref().is_some_and(|before| {
            filters.pass(NO_TAGS, |name| {
                vec![match name {
                    "modification-state" => "completed".to_owned(),
                    "target-size" => volume.size_gib.to_string(),
                    "original-size" => before.size_gib.to_string(),
                    _ => Kind::Volume.id(volume.id).to_string(),
                }]
            })
        })
    });
    let (volumes, next) = page.in_order(&model.volumes, wanted);
    let mut xml = Xml::default();
    xml.list("volumeModificationSet", volumes, modification);
    xml.optional("nextToken", next);
    Ok(xml)
}

/// A volume's last change. It is complete as soon as it is known.
pub(super) fn modification(xml: &mut Xml, volume: &Volume) {
    let Some(before) = &volume.modification else { return };
    xml.text("volumeId", Kind::Volume.id(volume.id));
    xml.text("modificationState", "completed");
    let states = [
        ("target", volume.size_gib, &volume.performance),
        ("original", before.size_gib, &before.performance),
    ];
    for (when, size, figures) in states {
        xml.text(&format!("{when}Size"), size);
        xml.optional(&format!("{when}Iops"), performance::iops(figures, size));
        xml.text(&format!("{when}VolumeType"), &figures.volume_type);
        xml.optional(&format!("{when}Throughput"), figures.throughput);
        xml.text(&format!("{when}MultiAttachEnabled"), false);
    }
    xml.text("progress", 100);
    xml.text("startTime", Millis(before.at));
    xml.text("endTime", Millis(before.at));
}

pub(in crate::ec2) fn attribute(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let volume = by_id(call, &model, call.params.required("VolumeId")?)?;
    let mut xml = Xml::default();
    xml.text("volumeId", Kind::Volume.id(volume.id));
    match call.params.required("Attribute")? {
        "autoEnableIO" => xml.within("autoEnableIO", |xml| xml.text("value", false)),
        "productCodes" => xml.list("productCodes", [(); 0], |_, ()| {}),
        other => return Err(Fault::invalid_value(format!("Invalid attribute: {other}"))),
    }
    Ok(xml)
}
