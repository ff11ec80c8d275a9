//! The catalogue: which services there are and where.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::cloud::Cloud;
use crate::model::{ProjectId, token_id};
use crate::openstack::SERVICES;
use crate::openstack::request::Context;
use crate::openstack::response::ok;
use crate::openstack::route::Service;

const INTERFACES: [&str; 3] = ["public", "internal", "admin"];

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let own = format!("{}/v3/auth/catalog", cx.cloud.api_url);
    Ok(ok(&json!({"catalog": catalog(&cx.cloud, cx.caller()?.project_id), "links": {"self": own}})))
}

pub(super) async fn regions(cx: Context) -> Result<Response, Error> {
    let region = json!({
        "id": cx.cloud.region, "description": "", "parent_region_id": null,
        "links": {"self": format!("{}/v3/regions/{}", cx.cloud.api_url, cx.cloud.region)}
    });
    Ok(ok(&json!({"regions": [region], "links": cx.list_links("/v3/regions")})))
}

pub(super) async fn services(cx: Context) -> Result<Response, Error> {
    let service = |(service, kind): (Service, &str)| {
        json!({
            "id": service_id(kind), "type": kind, "name": service.name_as(kind), "enabled": true,
            "links": {"self": format!("{}/v3/services/{}", cx.cloud.api_url, service_id(kind))}
        })
    };
    let services: Vec<Value> = kinds().map(service).collect();
    Ok(ok(&json!({"services": services, "links": cx.list_links("/v3/services")})))
}

pub(super) async fn endpoints(cx: Context) -> Result<Response, Error> {
    let mut endpoints = Vec::new();
    for (service, kind) in kinds() {
        for mut endpoint in endpoints_of(&cx.cloud, service, kind, "$(project_id)s") {
            let own = format!("{}/v3/endpoints/{}", cx.cloud.api_url, endpoint["id"]);
            endpoint["service_id"] = json!(service_id(kind));
            endpoint["enabled"] = json!(true);
            endpoint["links"] = json!({"self": own.replace('"', "")});
            endpoints.push(endpoint);
        }
    }
    Ok(ok(&json!({"endpoints": endpoints, "links": cx.list_links("/v3/endpoints")})))
}

/// The catalogue as tokens carry it.
pub(super) fn catalog(cloud: &Cloud, project: Option<ProjectId>) -> Vec<Value> {
    let project = project.map(|id| id.to_string()).unwrap_or_default();
    let service = |(service, kind): (Service, &str)| {
        json!({
            "id": service_id(kind),
            "type": kind,
            "name": service.name_as(kind),
            "endpoints": endpoints_of(cloud, service, kind, &project),
        })
    };
    kinds().map(service).collect()
}

/// Each service with each of its types.
fn kinds() -> impl Iterator<Item = (Service, &'static str)> {
    SERVICES
        .into_iter()
        .flat_map(|service| service.kinds().iter().map(move |kind| (service, *kind)))
}

fn endpoints_of(cloud: &Cloud, service: Service, kind: &str, project: &str) -> Vec<Value> {
    let endpoint = service.endpoint().replace("{project}", project);
    let url = format!("{}{}{endpoint}", cloud.api_url, service.prefix());
    let endpoint = |interface: &&str| {
        json!({
            "id": token_id(&format!("{kind}/{interface}")),
            "interface": interface,
            "region_id": cloud.region,
            "region": cloud.region,
            "url": url,
        })
    };
    INTERFACES.iter().map(endpoint).collect()
}

/// Always the same, as an id should be, and nothing to keep.
fn service_id(kind: &str) -> crate::model::TokenId {
    token_id(kind)
}
