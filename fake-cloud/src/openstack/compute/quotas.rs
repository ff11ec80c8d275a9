//! How much a project may use and does use.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use crate::model::quota::Quotas;
use crate::model::{Model, ProjectId};
use crate::openstack::errors::Fault;
use crate::openstack::quotas::{self, Hidden, Names};
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn limits(cx: Context) -> Result<Response, Error> {
    let project = cx.project()?;
    let model = cx.cloud.read();
    let (quotas, usage) = (model.quotas(project), model.usage(project));
    let mut absolute = json!({
        "maxTotalCores": quotas.cores,
        "maxTotalInstances": quotas.instances,
        "maxTotalKeypairs": quotas.key_pairs,
        "maxTotalRAMSize": quotas.ram,
        "maxServerMeta": quotas.metadata_items,
        "maxServerGroups": quotas.server_groups,
        "maxServerGroupMembers": quotas.server_group_members,
        "totalRAMUsed": usage.ram,
        "totalCoresUsed": usage.cores,
        "totalInstancesUsed": usage.instances,
        "totalServerGroupsUsed": model.server_groups_used(project),
    });
    if !cx.since(36) {
        absolute["maxTotalFloatingIps"] = json!(quotas.floating_ips);
        absolute["maxSecurityGroups"] = json!(quotas.security_groups);
        absolute["maxSecurityGroupRules"] = json!(quotas.security_group_rules);
        absolute["totalFloatingIpsUsed"] = json!(model.floating_ips_used(project));
        absolute["totalSecurityGroupsUsed"] = json!(model.security_groups_used(project));
    }
    if !cx.since(39) {
        absolute["maxImageMeta"] = json!(quotas.metadata_items);
    }
    if !cx.since(57) {
        absolute["maxPersonality"] = json!(0);
        absolute["maxPersonalitySize"] = json!(0);
    }
    Ok(ok(&json!({"limits": {"rate": [], "absolute": absolute}})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    let quotas = cx.cloud.read().quotas(project);
    Ok(ok(&json!({"quota_set": view(&cx, project, &quotas)})))
}

pub(super) async fn defaults(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    let quotas = cx.cloud.read().default_quotas;
    Ok(ok(&json!({"quota_set": view(&cx, project, &quotas)})))
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    let model = cx.cloud.read();
    let used = in_use(&model, project);
    let mut set = view(&cx, project, &model.quotas(project));
    for (name, limit) in &mut set {
        if name != "id" {
            let in_use = used.get(name.as_str()).cloned().unwrap_or(json!(0));
            *limit = json!({"limit": limit.take(), "in_use": in_use, "reserved": 0});
        }
    }
    Ok(ok(&json!({"quota_set": set})))
}

#[derive(Debug, Deserialize)]
struct Body {
    quota_set: Map<String, Value>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.quota_set;
    let project = visible_project(&cx)?;
    let names = [OWN, NETWORK].concat();
    let quotas = quotas::update::<Error>(&cx, project, &names, &wanted).await?;
    Ok(ok(&json!({"quota_set": view(&cx, project, &quotas)})))
}

/// The quotas that are Nova's own business.
const OWN: &Names = &[
    ("cores", "cores"),
    ("instances", "instances"),
    ("ram", "ram"),
    ("key_pairs", "key_pairs"),
    ("metadata_items", "metadata_items"),
    ("server_groups", "server_groups"),
    ("server_group_members", "server_group_members"),
];

/// Those of Neutron's that older clients set here.
const NETWORK: &Names = &[
    ("floating_ips", "floating_ips"),
    ("security_groups", "security_groups"),
    ("security_group_rules", "security_group_rules"),
];

pub(super) async fn reset(cx: Context) -> Result<Response, Error> {
    quotas::reset::<Error>(&cx, visible_project(&cx)?, OWN).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// The one class of quotas there is: that of projects which have none of their own.
pub(super) async fn class(cx: Context) -> Result<Response, Error> {
    let quotas = cx.cloud.read().default_quotas;
    let mut set = limits_of(&cx, &quotas);
    set["id"] = json!(cx.param("class"));
    Ok(ok(&json!({"quota_class_set": set})))
}

fn visible_project(cx: &Context) -> Result<ProjectId, Error> {
    let text = cx.param("project");
    quotas::visible_project(cx, text, |hidden| {
        Error::from(match hidden {
            Hidden::Unknown => {
                Fault::bad_request(format!("Project ID {text} is not a valid project."))
            }
            Hidden::Forbidden => Fault::forbidden(
                "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.",
            ),
        })
    })
}

fn view(cx: &Context, project: ProjectId, quotas: &Quotas) -> Map<String, Value> {
    let mut set = limits_of(cx, quotas);
    set["id"] = json!(project);
    match set {
        Value::Object(set) => set,
        _ => Map::new(),
    }
}

fn limits_of(cx: &Context, quotas: &Quotas) -> Value {
    let mut set = json!({
        "cores": quotas.cores,
        "instances": quotas.instances,
        "key_pairs": quotas.key_pairs,
        "metadata_items": quotas.metadata_items,
        "ram": quotas.ram,
        "server_group_members": quotas.server_group_members,
        "server_groups": quotas.server_groups,
    });
    if !cx.since(36) {
        set["fixed_ips"] = json!(-1);
        set["floating_ips"] = json!(quotas.floating_ips);
        set["security_groups"] = json!(quotas.security_groups);
        set["security_group_rules"] = json!(quotas.security_group_rules);
    }
    if !cx.since(57) {
        set["injected_files"] = json!(0);
        set["injected_file_content_bytes"] = json!(0);
        set["injected_file_path_bytes"] = json!(0);
    }
    set
}

fn in_use(model: &Model, project: ProjectId) -> Value {
    let usage = model.usage(project);
    json!({
        "cores": usage.cores,
        "instances": usage.instances,
        "ram": usage.ram,
        "server_groups": model.server_groups_used(project),
        "floating_ips": model.floating_ips_used(project),
        "security_groups": model.security_groups_used(project),
    })
}
