//! How much of Neutron a project may use and does use.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use super::listing::list as answer;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::quota::{Quotas, UNLIMITED};
use crate::model::{Model, ProjectId, Tenant};
use crate::openstack::errors::Fault;
use crate::openstack::quotas::{self, Hidden, Names};
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    Ok(ok(&json!({"quota": view(&cx.cloud.read().quotas(project))})))
}

pub(super) async fn defaults(cx: Context) -> Result<Response, Error> {
    visible_project(&cx)?;
    Ok(ok(&json!({"quota": view(&cx.cloud.read().default_quotas)})))
}

pub(super) async fn details(cx: Context) -> Result<Response, Error> {
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
    quota: Map<String, Value>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.quota;
    let quotas = quotas::update::<Error>(&cx, visible_project(&cx)?, OWN, &wanted).await?;
    Ok(ok(&json!({"quota": view(&quotas)})))
}

/// The quotas of all projects that have any of their own.
pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let usual = view(&model.default_quotas);
    let of = |tenant: &Tenant| {
        let mut quota = tenant.quotas.as_ref().map(view).filter(|own| *own != usual)?;
        quota.insert("project_id".to_owned(), json!(tenant.id));
        quota.insert("tenant_id".to_owned(), json!(tenant.id));
        Some(Value::Object(quota))
    };
    answer(&cx, "quotas", model.tenants.iter().filter_map(of))
}

pub(super) async fn reset(cx: Context) -> Result<Response, Error> {
    let project = visible_project(&cx)?;
    let has_own = {
        let model = cx.cloud.read();
        let own = model.tenants.get(project).and_then(|tenant| tenant.quotas);
        own.is_some_and(|own| view(&own) != view(&model.default_quotas))
    };
    if !has_own {
        let message = format!("Quota for tenant {project} could not be found.");
        return Err(Fault::named(StatusCode::NOT_FOUND, "TenantQuotaNotFound", message).into());
    }
    quotas::reset::<Error>(&cx, project, OWN).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The quotas that are Neutron's business, as it calls them.
const OWN: &Names = &[
    ("network", "networks"),
    ("subnet", "subnets"),
    ("router", "routers"),
    ("port", "ports"),
    ("floatingip", "floating_ips"),
    ("security_group", "security_groups"),
    ("security_group_rule", "security_group_rules"),
];

fn visible_project(cx: &Context) -> Result<ProjectId, Error> {
    let text = cx.param("project");
    quotas::visible_project(cx, text, |hidden| match hidden {
        Hidden::Unknown => Error::from(ModelError::not_found(Kind::Project, text)),
        Hidden::Forbidden => Fault::forbidden("(rule:get_quota) is disallowed by policy").into(),
    })
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
        "port" => model.ports.index().projects.of(project),
        "floatingip" => model.floating_ips_used(project),
        "security_group" => model.security_groups_used(project),
        "security_group_rule" => model.security_group_rules.index().projects.of(project),
        _ => 0,
    }
}
