//! Subnet pools: where the blocks of subnets come from when nobody names one.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, check_revision, one, with_standard};
use super::listing::list as answer;
use crate::model::address::Block;
use crate::model::{Model, NewSubnetPool, SubnetPool, SubnetPoolId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible =
        model.subnet_pools.iter().filter(|pool| pool.shared || caller.sees(pool.project_id));
    answer(&cx, "subnetpools", visible.map(view))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(one(&cx, "subnetpool", view(model.subnet_pool(&cx.caller()?, cx.param("id"))?)))
}

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let make = |cx: &Context, model: &mut Model, mut wanted: Attributes, now| {
        let truth = |value: Option<Value>| value.and_then(|value| value.as_bool());
        let mut reserved = |name| wanted.reserved(cx, "create_subnetpool", name);
        let shared = truth(reserved("shared")?).unwrap_or(false);
        let is_default = truth(reserved("is_default")?).unwrap_or(false);
        let prefixes: Vec<String> = wanted.required("prefixes")?;
        let block = |text: &String| {
            text.parse::<Block>().map_err(|_| {
                Fault::bad_request(format!(
                    "Invalid input for prefixes. Reason: '{text}' is not a valid IP subnet."
                ))
            })
        };
        let mut prefix = |name| prefix_of(&mut wanted, name);
        let pool = NewSubnetPool {
            default_prefix: prefix("default_prefixlen")?,
            min_prefix: prefix("min_prefixlen")?,
            max_prefix: prefix("max_prefixlen")?,
            name: wanted.required("name")?,
            description: wanted.text("description")?.unwrap_or_default(),
            project_id: wanted.project(cx)?,
            shared,
            is_default,
            prefixes: prefixes.iter().map(block).collect::<Result<_, _>>()?,
        };
        wanted.finish()?;
        Ok::<_, Error>(model.create_subnet_pool(pool, now)?)
    };
    let undo = |model: &mut Model, id: SubnetPoolId| drop(model.subnet_pools.remove(id));
    let shown = |model: &Model, id: SubnetPoolId| model.subnet_pools.get(id).map(view);
    super::attributes::create(cx, ("subnetpool", "subnetpools"), make, undo, shown).await
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let deleted = cx.cloud.change(|model, _| {
        check_revision(&cx, &model.subnet_pool(&caller, id)?.standard)?;
        Ok::<_, Error>(model.delete_subnet_pool(&caller, id)?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The length of a prefix, which some clients send as text.
fn prefix_of(wanted: &mut Attributes, name: &str) -> Result<Option<u8>, Fault> {
    match wanted.take::<Option<Value>>(name)?.flatten() {
        None => Ok(None),
        Some(value) => value.to_string().trim_matches('"').parse().map(Some).map_err(|_| {
            Fault::bad_request(format!("Invalid input for {name}. Reason: {value} is no length."))
        }),
    }
}

fn view(pool: &SubnetPool) -> Value {
    let prefixes: Vec<String> = pool.prefixes.iter().map(Block::to_string).collect();
    let view = json!({
        "id": pool.id,
        "name": pool.name,
        "tenant_id": pool.project_id,
        "project_id": pool.project_id,
        "prefixes": prefixes,
        "default_prefixlen": pool.default_prefix.to_string(),
        "min_prefixlen": pool.min_prefix.to_string(),
        "max_prefixlen": pool.max_prefix.to_string(),
        "default_quota": null,
        "address_scope_id": null,
        "ip_version": 4,
        "shared": pool.shared,
        "is_default": pool.is_default,
    });
    with_standard(view, &pool.standard)
}
