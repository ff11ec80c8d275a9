//! Placement groups: Nova's server groups as EC2 sees them. There is one machine, so that a group
//! that spreads its instances does so as well as it can.

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Kind, arn};
use super::operation::Call;
use super::tags::{self, tag_set};
use super::xml::Xml;
use crate::model::{Model, Policy, ServerGroup};

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let name = params.required("GroupName")?;
    let policy = match params.text("Strategy").unwrap_or("cluster") {
        "cluster" => Policy::Affinity,
        "spread" => Policy::SoftAntiAffinity,
        "partition" => {
            let message = "This cloud has one machine, and no partitions";
            return Err(Fault::new("UnsupportedOperation", message));
        }
        other => {
            return Err(Fault::invalid_value(format!("Invalid value '{other}' for Strategy.")));
        }
    };
    let tags = tags::specified(params, Kind::PlacementGroup)?;
    let made = call.cloud.change(|model, now| {
        if by_name(&call, model, name).is_ok() {
            let message = format!("The placement group '{name}' already exists.");
            return Err(Fault::new("InvalidPlacementGroup.Duplicate", message));
        }
        let (caller, project) = (&call.caller, call.project);
        let made =
            model.create_server_group(caller, project, name.to_owned(), policy, None, now)?;
        let group = model.server_groups.get_mut(made.id).map(|mut group| {
            group.tags = tags;
            group.clone()
        });
        Ok(group.unwrap_or(made))
    });
    let group = made.await?;
    let mut xml = Xml::done();
    xml.within("placementGroup", |xml| view(xml, &call, &group));
    Ok(xml)
}

pub(super) fn placement_groups(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["group-name", "state", "strategy", "group-arn"])?;
    let model = call.cloud.read();
    let names = call.params.texts("GroupName").into_iter();
    let names = names.map(|name| by_name(call, &model, name));
    let ids = call.params.texts("GroupId").into_iter();
    let ids = ids.map(|text| by_id(call, &model, text));
    let named: Vec<_> = names.chain(ids).map(|it| Ok(it?.id)).collect::<Result<_, Fault>>()?;
    let shown = own(call, &model).filter(|group| {
        (named.is_empty() || named.contains(&group.id))
            && filters.pass(&group.tags, |name| {
                vec![match name {
                    "group-name" => group.name.clone(),
                    "state" => "available".to_owned(),
                    "strategy" => strategy(group).to_owned(),
                    _ => group_arn(call, group),
                }]
            })
    });
    let mut xml = Xml::default();
    xml.list("placementGroupSet", shown, |xml, group| view(xml, call, group));
    Ok(xml)
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let name = call.params.required("GroupName")?;
    let deleted = call.cloud.change(|model, _| {
        let id = by_name(&call, model, name)?.id;
        if model.group_members(id).next().is_some() {
            let message = format!("The placement group '{name}' is in use and may not be deleted.");
            return Err(Fault::new("InvalidPlacementGroup.InUse", message));
        }
        Ok(model.delete_server_group(&call.caller, &id.to_string())?)
    });
    deleted.await?;
    Ok(Xml::done())
}

fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a ServerGroup> {
    let project = call.project;
    model.server_groups.iter().filter(move |group| group.project_id == project)
}

/// The account's group with a name.
pub(super) fn by_name<'a>(
    call: &Call,
    model: &'a Model,
    name: &str,
) -> Result<&'a ServerGroup, Fault> {
    own(call, model).find(|group| group.name == name).ok_or_else(|| {
        let message = format!("The Placement Group '{name}' is unknown.");
        Fault::new("InvalidPlacementGroup.Unknown", message)
    })
}

/// The account's group with an id.
pub(super) fn by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a ServerGroup, Fault> {
    let wanted = Kind::PlacementGroup.parse(text)?;
    let found = own(call, model).find(|group| Kind::PlacementGroup.id(group.id) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::PlacementGroup, text))
}

fn strategy(group: &ServerGroup) -> &'static str {
    match group.policy {
        Policy::Affinity | Policy::SoftAffinity => "cluster",
        Policy::AntiAffinity | Policy::SoftAntiAffinity => "spread",
    }
}

fn group_arn(call: &Call, group: &ServerGroup) -> String {
    arn(&call.cloud.region, group.project_id, Kind::PlacementGroup, &group.name)
}

fn view(xml: &mut Xml, call: &Call, group: &ServerGroup) {
    xml.text("groupName", &group.name);
    xml.text("state", "available");
    xml.text("strategy", strategy(group));
    xml.text("groupId", Kind::PlacementGroup.id(group.id));
    xml.text("groupArn", group_arn(call, group));
    xml.optional("spreadLevel", (strategy(group) == "spread").then_some("rack"));
    tag_set(xml, &group.tags);
}
