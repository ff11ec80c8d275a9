//! Whom an image is shared with.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{ImageId, Member, MemberStatus, ProjectId, Visibility};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let image = model.image(&caller, cx.param("id"))?;
    if image.visibility != Visibility::Shared {
        return Err(Fault::forbidden("Only shared images have members.").into());
    }
    let members = image.members_seen_by(&caller);
    let members: Vec<Value> = members.map(|member| view(image.id, member)).collect();
    Ok(ok(&json!({"members": members, "schema": "/v2/schemas/members"})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let (caller, member) = (cx.caller()?, project(cx.param("member"))?);
    let model = cx.cloud.read();
    let image = model.image(&caller, cx.param("id"))?;
    let mut seen = image.members_seen_by(&caller);
    let found = seen.find(|known| known.project_id == member);
    let missing = || ModelError::not_found(Kind::ImageMember, member);
    Ok(ok(&view(image.id, found.ok_or_else(missing)?)))
}

#[derive(Debug, Deserialize)]
struct NewMember {
    member: String,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = project(&cx.json::<NewMember>().await?.member)?;
    let caller = cx.caller()?;
    let shared = cx.cloud.change(|model, now| {
        let id = model.image(&caller, cx.param("id"))?.id;
        Ok::<_, Error>(view(id, &model.share_image(&caller, cx.param("id"), wanted, now)?))
    });
    Ok(ok(&shared.await?))
}

#[derive(Debug, Deserialize)]
struct Judgement {
    status: MemberStatus,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let status = cx.json::<Judgement>().await?.status;
    let (caller, member) = (cx.caller()?, project(cx.param("member"))?);
    let judged = cx.cloud.change(|model, now| {
        let id = model.image(&caller, cx.param("id"))?.id;
        let member = model.judge_image(&caller, cx.param("id"), member, status, now)?;
        Ok::<_, Error>(view(id, &member))
    });
    Ok(ok(&judged.await?))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (caller, member) = (cx.caller()?, project(cx.param("member"))?);
    let unshared = cx.cloud.change(|model, now| {
        Ok::<_, Error>(model.unshare_image(&caller, cx.param("id"), member, now)?)
    });
    unshared.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn project(text: &str) -> Result<ProjectId, ModelError> {
    text.parse().map_err(|_| ModelError::not_found(Kind::ImageMember, text))
}

fn view(image: ImageId, member: &Member) -> Value {
    json!({
        "member_id": member.project_id,
        "image_id": image,
        "status": member.status,
        "created_at": Zulu(member.created),
        "updated_at": Zulu(member.updated),
        "schema": "/v2/schemas/member",
    })
}
