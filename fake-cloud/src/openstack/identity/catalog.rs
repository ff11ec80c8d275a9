//! The catalogue: which services there are and where.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::cloud::Cloud;
use crate::model::{ProjectId, token_id};
use crate::openstack::SERVICES;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;
use crate::openstack::route::Service;
use crate::regions::Place;

const INTERFACES: [&str; 3] = ["public", "internal", "admin"];

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let own = format!("{}/v3/auth/catalog", cx.cloud.api_url);
    Ok(ok(&json!({"catalog": catalog(&cx.cloud, cx.caller()?.project_id), "links": {"self": own}})))
}

pub(super) async fn regions(cx: Context) -> Result<Response, Error> {
    let regions: Vec<Value> =
        cx.cloud.places.iter().map(|place| region_view(&cx, &place.region)).collect();
    Ok(ok(&json!({"regions": regions, "links": cx.list_links("/v3/regions")})))
}

pub(super) async fn region(cx: Context) -> Result<Response, Error> {
    let id = cx.param("id");
    if cx.cloud.places.iter().any(|place| place.region == id) {
        return Ok(ok(&json!({"region": region_view(&cx, id)})));
    }
    Err(Fault::not_found(format!("Could not find region: {id}.")).into())
}

fn region_view(cx: &Context, id: &str) -> Value {
    json!({
        "id": id, "description": "", "parent_region_id": null,
        "links": {"self": format!("{}/v3/regions/{id}", cx.cloud.api_url)}
    })
}

pub(super) async fn services(cx: Context) -> Result<Response, Error> {
    let wanted = |view: &Value| {
        ["name", "type"].iter().all(|name| cx.query(name).is_none_or(|it| view[*name] == it))
    };
    let services: Vec<Value> = all_services(&cx).filter(wanted).collect();
    Ok(ok(&json!({"services": services, "links": cx.list_links("/v3/services")})))
}

pub(super) async fn service(cx: Context) -> Result<Response, Error> {
    let found = all_services(&cx).find(|view| view["id"] == cx.param("id"));
    let missing = || Fault::not_found(format!("Could not find service: {}.", cx.param("id")));
    Ok(ok(&json!({"service": found.ok_or_else(missing)?})))
}

fn all_services(cx: &Context) -> impl Iterator<Item = Value> {
    kinds().map(|(service, kind)| {
        json!({
            "id": service_id(kind), "type": kind, "name": service.name_as(kind), "enabled": true,
            "links": {"self": format!("{}/v3/services/{}", cx.cloud.api_url, service_id(kind))}
        })
    })
}

pub(super) async fn endpoints(cx: Context) -> Result<Response, Error> {
    let filters = ["service_id", "interface", "region_id"];
    let wanted = |view: &Value| {
        filters.iter().all(|name| cx.query(name).is_none_or(|wanted| view[*name] == wanted))
    };
    let endpoints: Vec<Value> = all_endpoints(&cx).filter(wanted).collect();
    Ok(ok(&json!({"endpoints": endpoints, "links": cx.list_links("/v3/endpoints")})))
}

pub(super) async fn endpoint(cx: Context) -> Result<Response, Error> {
    let found = all_endpoints(&cx).find(|view| view["id"] == cx.param("id"));
    let missing = || Fault::not_found(format!("Could not find endpoint: {}.", cx.param("id")));
    Ok(ok(&json!({"endpoint": found.ok_or_else(missing)?})))
}

fn all_endpoints(cx: &Context) -> impl Iterator<Item = Value> {
    kinds().flat_map(move |(service, kind)| {
        endpoints_of(&cx.cloud, service, kind, "$(project_id)s").into_iter().map(
            move |mut endpoint| {
                let own = format!("{}/v3/endpoints/{}", cx.cloud.api_url, endpoint["id"]);
                endpoint["service_id"] = json!(service_id(kind));
                endpoint["enabled"] = json!(true);
                endpoint["links"] = json!({"self": own.replace('"', "")});
                endpoint
            },
        )
    })
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

/// The endpoints of a service in all regions. There is one Keystone for all of them.
fn endpoints_of(cloud: &Cloud, service: Service, kind: &str, project: &str) -> Vec<Value> {
    let path = service.endpoint().replace("{project}", project);
    let endpoints = cloud.places.iter().flat_map(|Place { region, api_url }| {
        let api_url = if service == Service::Identity { &cloud.api_url } else { api_url };
        let url = format!("{api_url}{}{path}", service.prefix());
        INTERFACES.map(|interface| {
            json!({
                "id": token_id(&format!("{region}/{kind}/{interface}")),
                "interface": interface,
                "region_id": region,
                "region": region,
                "url": url,
            })
        })
    });
    endpoints.collect()
}

/// Always the same, as an id should be, and nothing to keep.
fn service_id(kind: &str) -> crate::model::TokenId {
    token_id(kind)
}
