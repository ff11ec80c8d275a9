//! What projects have used: the hours of their servers, and what those were large.

use axum::response::Response;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Error, times};
use crate::model::{ProjectId, ServerUsage};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

/// From when to when.
struct Period {
    start: OffsetDateTime,
    end: OffsetDateTime,
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let period = period(&cx)?;
    let detailed = cx.query("detailed") == Some("1");
    let model = cx.cloud.read();
    let used: Vec<_> = model.usage_between(period.start, period.end).collect();
    let projects = model.tenants.iter().map(|tenant| tenant.id);
    let usages: Vec<Value> = projects
        .filter(|project| used.iter().any(|usage| usage.project_id == *project))
        .map(|project| view(&cx, &period, project, &used, detailed))
        .collect();
    Ok(ok(&json!({"tenant_usages": usages})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let project = cx.param("project").parse::<ProjectId>().ok();
    if !project.is_some_and(|project| caller.sees(project)) && !caller.is_admin {
        return Err(Fault::forbidden(
            "Policy doesn't allow os_compute_api:os-simple-tenant-usage:show to be performed.",
        )
        .into());
    }
    let period = period(&cx)?;
    let model = cx.cloud.read();
    let used: Vec<_> = model.usage_between(period.start, period.end).collect();
    let project = project.filter(|id| used.iter().any(|usage| usage.project_id == *id));
    // Who has used nothing is told nothing.
    let usage = project.map(|project| view(&cx, &period, project, &used, true));
    Ok(ok(&json!({"tenant_usage": usage.unwrap_or_else(|| json!({}))})))
}

fn period(cx: &Context) -> Result<Period, Fault> {
    let now = cx.cloud.now();
    let start = times::query(cx, "start")?.unwrap_or(now);
    let end = times::query(cx, "end")?.unwrap_or(now);
    if end < start {
        return Err(Fault::bad_request(
            "Invalid start time. The start time cannot occur after \
                                       the end time.",
        ));
    }
    Ok(Period { start, end: end.min(now) })
}

fn view(
    cx: &Context,
    period: &Period,
    project: ProjectId,
    used: &[ServerUsage<'_>],
    detailed: bool,
) -> Value {
    let own: Vec<_> = used.iter().filter(|usage| usage.project_id == project).collect();
    let sum = |size: fn(&ServerUsage<'_>) -> f64| -> f64 {
        own.iter().map(|usage| size(usage) * hours(usage)).sum()
    };
    let mut view = json!({
        "tenant_id": project,
        "start": Micros(period.start),
        "stop": Micros(period.end),
        "total_hours": sum(|_| 1.0),
        "total_memory_mb_usage": sum(|usage| usage.flavor.ram_mib as f64),
        "total_vcpus_usage": sum(|usage| f64::from(usage.flavor.vcpus)),
        "total_local_gb_usage": sum(|usage| usage.flavor.disk_gib as f64),
    });
    if detailed {
        let now = cx.cloud.now();
        let servers: Vec<Value> = own.iter().map(|usage| server(usage, now)).collect();
        view["server_usages"] = json!(servers);
    }
    view
}

fn hours(usage: &ServerUsage<'_>) -> f64 {
    usage.duration.as_seconds_f64() / 3600.0
}

fn server(usage: &ServerUsage<'_>, now: OffsetDateTime) -> Value {
    let uptime = usage.ended.unwrap_or(now) - usage.started;
    json!({
        "instance_id": usage.id,
        "name": usage.name,
        "hours": hours(usage),
        "tenant_id": usage.project_id,
        "flavor": usage.flavor.name,
        "vcpus": usage.flavor.vcpus,
        "memory_mb": usage.flavor.ram_mib,
        "local_gb": usage.flavor.disk_gib,
        "started_at": Micros(usage.started),
        "ended_at": usage.ended.map(Micros),
        "state": usage.state,
        "uptime": uptime.whole_seconds(),
    })
}
