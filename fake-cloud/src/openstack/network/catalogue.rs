//! What this Neutron is and how much of it a project may use.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use super::listing::list as answer;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::quota::{Quotas, UNLIMITED};
use crate::model::{Model, ProjectId, ZONE};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{html, ok};

pub(super) async fn versions(cx: Context) -> Result<Response, Error> {
    let own = format!("{}/network/v2.0/", cx.cloud.api_url);
    Ok(ok(&json!({"versions": [
        {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": own}]}
    ]})))
}

/// Aliases and names of what this Neutron can do beyond its core.
const EXTENSIONS: [(&str, &str); 8] = [
    ("availability_zone", "Availability Zone"),
    ("external-net", "Neutron external network"),
    ("net-mtu", "Network MTU"),
    ("project-id", "project_id field enabled"),
    ("quotas", "Quota management support"),
    ("quota_details", "Quota details management support"),
    ("router", "Neutron L3 Router"),
    ("security-group", "security-group"),
];

pub(super) async fn extensions(cx: Context) -> Result<Response, Error> {
    answer(&cx, "extensions", EXTENSIONS.into_iter().map(extension_view))
}

pub(super) async fn extension(cx: Context) -> Result<Response, Error> {
    let alias = cx.param("alias");
    match EXTENSIONS.into_iter().find(|(known, _)| *known == alias) {
        Some(extension) => Ok(ok(&json!({"extension": extension_view(extension)}))),
        // As the real one: in the words of its web framework, not in its own.
        None => Ok(html(
            StatusCode::NOT_FOUND,
            "404 Not Found",
            &format!("Extension with alias {alias} does not exist"),
        )),
    }
}

fn extension_view((alias, name): (&str, &str)) -> Value {
    json!({
        "alias": alias, "name": name, "description": name, "links": [],
        "updated": "2026-04-01T00:00:00-00:00",
    })
}

pub(super) async fn zones(cx: Context) -> Result<Response, Error> {
    let zone = |resource| json!({"name": ZONE, "resource": resource, "state": "available"});
    answer(&cx, "availability_zones", ["network", "router"].into_iter().map(zone))
}

/// There are none: this process does their work.
pub(super) async fn agents(cx: Context) -> Result<Response, Error> {
    answer(&cx, "agents", std::iter::empty())
}

pub(super) async fn quota(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    Ok(ok(&json!({"quota": view(&cx.cloud.read().quotas(project))})))
}

pub(super) async fn default_quota(cx: Context) -> Result<Response, Error> {
    visible_project(&cx)?;
    Ok(ok(&json!({"quota": view(&cx.cloud.read().default_quotas)})))
}

pub(super) async fn quota_details(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    let model = cx.cloud.read();
    let mut quota = view(&model.quotas(project));
    for (name, limit) in &mut quota {
        let used = in_use(&model, project, name);
        *limit = json!({"limit": limit.take(), "used": used, "reserved": 0});
    }
    Ok(ok(&json!({"quota": quota})))
}

#[derive(Debug, Deserialize)]
struct Body {
    quota: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    network: Option<i64>,
    subnet: Option<i64>,
    router: Option<i64>,
    floatingip: Option<i64>,
    port: Option<i64>,
    security_group: Option<i64>,
    security_group_rule: Option<i64>,
}

pub(super) async fn update_quota(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.quota;
    let project = visible_project(&cx)?;
    let updated = cx.cloud.change(|model, _| {
        let mut quotas = model.quotas(project);
        for (place, limit) in [
            (&mut quotas.networks, wanted.network),
            (&mut quotas.subnets, wanted.subnet),
            (&mut quotas.routers, wanted.router),
            (&mut quotas.floating_ips, wanted.floatingip),
            (&mut quotas.ports, wanted.port),
            (&mut quotas.security_groups, wanted.security_group),
            (&mut quotas.security_group_rules, wanted.security_group_rule),
        ] {
            *place = limit.unwrap_or(*place).max(-1);
        }
        let missing = || ModelError::not_found(Kind::Project, project);
        model.projects.get_mut(project).ok_or_else(missing)?.quotas = Some(quotas);
        Ok::<_, Error>(quotas)
    });
    Ok(ok(&json!({"quota": view(&updated.await?)})))
}

fn visible_project(cx: &Context) -> Result<ProjectId, Error> {
    let text = cx.param("project");
    let id: Option<ProjectId> = text.parse().ok();
    let known = id.filter(|id| cx.cloud.read().projects.get(*id).is_some());
    let id = known.ok_or_else(|| ModelError::not_found(Kind::Project, text))?;
    if cx.caller()?.sees(id) {
        Ok(id)
    } else {
        Err(Fault::forbidden("(rule:get_quota) is disallowed by policy").into())
    }
}

fn view(quotas: &Quotas) -> Map<String, Value> {
    let limits = [
        ("network", quotas.networks),
        ("subnet", quotas.subnets),
        ("subnetpool", UNLIMITED),
        ("router", quotas.routers),
        ("rbac_policy", 0),
        ("port", quotas.ports),
        ("floatingip", quotas.floating_ips),
        ("security_group", quotas.security_groups),
        ("security_group_rule", quotas.security_group_rules),
    ];
    limits.into_iter().map(|(name, limit)| (name.to_owned(), json!(limit))).collect()
}

fn in_use(model: &Model, project: ProjectId, resource: &str) -> u64 {
    let count = |owners: &mut dyn Iterator<Item = ProjectId>| {
        owners.filter(|owner| *owner == project).count() as u64
    };
    match resource {
        "network" => count(&mut model.networks.iter().map(|it| it.project_id)),
        "subnet" => count(&mut model.subnets.iter().map(|it| it.project_id)),
        "subnetpool" => count(&mut model.subnet_pools.iter().map(|it| it.project_id)),
        "router" => count(&mut model.routers.iter().map(|it| it.project_id)),
        "port" => count(&mut model.ports.iter().map(|port| port.project_id)),
        "floatingip" => model.floating_ips_used(project),
        "security_group" => model.security_groups_used(project),
        "security_group_rule" => {
            count(&mut model.security_group_rules.iter().map(|rule| rule.project_id))
        }
        _ => 0,
    }
}
