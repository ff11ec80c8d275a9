//! Policies by which projects let others use their networks.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, one};
use super::listing::list as answer;
use crate::model::{Model, NetworkId, ProjectId, RbacPolicy, RbacPolicyId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    answer(&cx, "rbac_policies", model.rbac_policies(&caller).map(view))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(one(&cx, "rbac_policy", view(model.rbac_policy(&cx.caller()?, cx.param("id"))?)))
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "rbac_policy").await?;
    let kind: String = wanted.required("object_type")?;
    if kind != "network" {
        return Err(Fault::bad_request(format!(
            "Invalid input for object_type. Reason: '{kind}' is not in ['network']."
        ))
        .into());
    }
    let action: String = wanted.required("action")?;
    if action != "access_as_shared" {
        let message = format!("Invalid action '{action}' for object type '{kind}'.");
        return Err(Fault::named(StatusCode::BAD_REQUEST, "InvalidInput", message).into());
    }
    let network: String = wanted.required("object_id")?;
    let named = [wanted.text("target_project")?, wanted.text("target_tenant")?];
    let target = match named.into_iter().flatten().next().as_deref() {
        None => {
            return Err(Fault::bad_request(
                "Failed to parse request. Required attribute 'target_tenant' not specified",
            )
            .into());
        }
        Some("*") => None,
        Some(id) => Some(id.parse::<ProjectId>().map_err(|_| {
            Fault::bad_request(format!(
                "Invalid input for target_tenant. Reason: '{id}' is not a project."
            ))
        })?),
    };
    let project = wanted.project(&cx)?;
    wanted.finish()?;
    let caller = cx.caller()?;
    let made = cx.cloud.change(|model, _| {
        let id = model.create_rbac_policy(&caller, project, &network, target)?;
        Ok::<_, Error>(shown(model, id))
    });
    Ok(json(StatusCode::CREATED, &json!({"rbac_policy": made.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, _| Ok::<_, Error>(model.delete_rbac_policy(&caller, cx.param("id"))?))
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn shown(model: &Model, id: RbacPolicyId) -> Option<Value> {
    model.networks.iter().find_map(|network| {
        let policy = network.policies.iter().find(|policy| policy.id == id)?;
        Some(view((network.id, policy)))
    })
}

fn view((network, policy): (NetworkId, &RbacPolicy)) -> Value {
    let target = policy.target.map_or("*".to_owned(), |target| target.to_string());
    json!({
        "id": policy.id,
        "project_id": policy.project_id,
        "tenant_id": policy.project_id,
        "object_type": "network",
        "object_id": network,
        "action": "access_as_shared",
        "target_tenant": target,
        "target_project": target,
    })
}
