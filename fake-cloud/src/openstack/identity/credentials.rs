//! Keys of the EC2 API, as Keystone gives them: `openstack ec2 credentials …`.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::users::visible_user;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{AccessKey, AccessKeyPair};
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, ok};

#[derive(Debug, Deserialize)]
struct Wanted {
    tenant_id: String,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted: Wanted = cx.json().await?;
    let created = cx.cloud.change(|model, _| {
        let user = visible_user(&cx, model)?.id;
        let missing = || ModelError::not_found(Kind::Project, &wanted.tenant_id);
        let project = wanted.tenant_id.parse().map_err(|_| missing())?;
        let id = model.create_access_key(user, project, AccessKeyPair::random())?;
        Ok::<_, Error>(model.access_keys.get(id).map(|key| view(&cx, key)))
    });
    Ok(json(StatusCode::CREATED, &json!({"credential": created.await?})))
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?.id;
    let keys: Vec<Value> = model.access_keys_of(user).map(|key| view(&cx, key)).collect();
    let links = cx.list_links(&format!("/v3/users/{user}/credentials/OS-EC2"));
    Ok(ok(&json!({"credentials": keys, "links": links})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?.id;
    let key = model.access_key_of(user, cx.param("access"))?;
    Ok(ok(&json!({"credential": view(&cx, key)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let deleted = cx.cloud.change(|model, _| {
        let user = visible_user(&cx, model)?.id;
        Ok::<_, Error>(model.delete_access_key(user, cx.param("access"))?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn view(cx: &Context, key: &AccessKey) -> Value {
    let (user, access) = (key.user_id, &key.pair.access);
    json!({
        "access": access,
        "secret": key.pair.secret,
        "user_id": user,
        "tenant_id": key.project_id,
        "trust_id": null,
        "links": {
            "self": format!("{}/v3/users/{user}/credentials/OS-EC2/{access}", cx.cloud.api_url)
        }
    })
}
