//! Who may use a private flavor.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use crate::model::{Flavor, ProjectId};
use crate::openstack::compute::fields;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(in crate::openstack::compute) async fn access(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let flavor = model.flavor(&cx.caller()?, cx.param("id"))?;
    if flavor.private_to.is_none() {
        return Err(Fault::not_found("Access list not available for public flavors.").into());
    }
    Ok(ok(&view(flavor)))
}

#[derive(Debug, Deserialize)]
struct Tenant {
    tenant: String,
}

/// `POST /flavors/{id}/action`.
pub(in crate::openstack::compute) async fn change_access(
    mut cx: Context,
) -> Result<Response, Error> {
    let mut body: Map<String, Value> = cx.json().await?;
    let allow = body.contains_key("addTenantAccess");
    let name = if allow { "addTenantAccess" } else { "removeTenantAccess" };
    let tenant = fields::below(name, std::mem::take(&mut body))?;
    let Tenant { tenant } = fields::read(&cx, name, tenant, &[("tenant", 1)])?;
    let project = tenant.parse::<ProjectId>().ok();
    let project = project.filter(|id| cx.cloud.has_project(*id));
    let project = project.ok_or_else(|| {
        Fault::bad_request(format!("Project ID {tenant} is not a valid project."))
    })?;
    let changed = cx.cloud.change(|model, _| {
        let id = cx.param("id");
        if allow {
            model.allow_flavor(id, project)?;
        } else if !model.forbid_flavor(id, project)? {
            return Err(Error::from(Fault::not_found(format!(
                "Flavor access not found for {id} / {project} combination."
            ))));
        }
        let flavor = model.flavor_mut(id)?;
        Ok(view(&flavor))
    });
    Ok(ok(&changed.await?))
}

fn view(flavor: &Flavor) -> Value {
    let id = flavor.shown_id();
    let projects = flavor.private_to.iter().flatten();
    let access: Vec<Value> =
        projects.map(|project| json!({"flavor_id": id, "tenant_id": project})).collect();
    json!({"flavor_access": access})
}
