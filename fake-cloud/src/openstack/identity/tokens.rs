//! Tokens: given for a password or for another token, shown, and taken back.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, StatusCode};
use rand::RngCore;
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::catalog;
use super::{DOMAIN_ID, DOMAIN_NAME, Error};
use crate::cloud::Cloud;
use crate::model::error::Error as ModelError;
use crate::model::{Model, Scope, Token, TokenId, UserId, token_id};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{ZuluMicros, empty, json, with_header};
use crate::passwords;

const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");

#[derive(Debug, Deserialize)]
struct Body {
    auth: Auth,
}

#[derive(Debug, Deserialize)]
struct Auth {
    identity: Identity,
    scope: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Identity {
    methods: Vec<String>,
    password: Option<Password>,
    token: Option<Named>,
}

#[derive(Debug, Deserialize)]
struct Password {
    user: NamedUser,
}

#[derive(Debug, Deserialize)]
struct NamedUser {
    id: Option<String>,
    name: Option<String>,
    domain: Option<Named>,
    password: String,
}

#[derive(Debug, Deserialize)]
struct Named {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ProjectScope {
    id: Option<String>,
    name: Option<String>,
    domain: Option<Named>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let auth = cx.json::<Body>().await?.auth;
    let user_id = identify(&cx.cloud, &auth.identity).await?;
    let scope = read_scope(auth.scope)?;
    let (text, audit_id) = (random_text(48), random_text(16));
    let id = token_id(&text);
    let mut methods = auth.identity.methods;
    methods.dedup();
    let lifetime = cx.cloud.token_lifetime;
    cx.cloud
        .change(|model, now| {
            let project_id =
                model.resolve_scope(user_id, &scope).map_err(|_| Fault::unauthorized())?;
            let expires = now + lifetime;
            model.issue_token(Token {
                id,
                user_id,
                project_id,
                methods,
                audit_id,
                issued: now,
                expires,
            });
            Ok::<_, Error>(())
        })
        .await?;
    let document = document(&cx.cloud, &cx.cloud.read(), id)?;
    Ok(with_header(json(StatusCode::CREATED, &document), SUBJECT_TOKEN, &text))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let (text, id) = subject(&cx)?;
    let document = document(&cx.cloud, &cx.cloud.read(), id)?;
    Ok(with_header(json(StatusCode::OK, &document), SUBJECT_TOKEN, &text))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (_, id) = subject(&cx)?;
    cx.cloud.change(|model, _| Ok::<_, Error>(model.revoke_token(id)?)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The token that the request is about: a valid one of the caller's own, or anyone's for the
/// administrator.
fn subject(cx: &Context) -> Result<(String, TokenId), Fault> {
    let caller = cx.caller()?;
    let text = cx.headers.get(SUBJECT_TOKEN).and_then(|token| token.to_str().ok());
    let text = text.ok_or_else(|| Fault::bad_request("X-Subject-Token is missing."))?;
    let id = token_id(text);
    let bearer = cx.cloud.read().caller(id, cx.cloud.now());
    let bearer = bearer.ok_or_else(|| Fault::not_found("Could not find token."))?;
    if bearer.user_id == caller.user_id || caller.is_admin {
        Ok((text.to_owned(), id))
    } else {
        Err(Fault::forbidden("You are not authorized to perform the requested action."))
    }
}

/// Finds out who wants a token; every doubt is the same refusal.
async fn identify(cloud: &Cloud, identity: &Identity) -> Result<UserId, Fault> {
    let refused = Fault::unauthorized;
    let wants = |method: &str| identity.methods.iter().any(|wanted| wanted == method);
    match (&identity.password, &identity.token) {
        (Some(Password { user }), _) if wants("password") => {
            check_domain(user.domain.as_ref())?;
            let found = {
                let model = cloud.read();
                let known = match (&user.id, &user.name) {
                    (Some(id), _) => id.parse().ok().and_then(|id| model.users.get(id)),
                    (None, Some(name)) => model.user_named(name),
                    (None, None) => None,
                };
                known.map(|user| (user.id, user.password_hash.clone()))
            };
            let (id, hash) = found.ok_or_else(refused)?;
            if check_password(cloud, id, hash, &user.password).await {
                Ok(id)
            } else {
                Err(refused())
            }
        }
        (_, Some(Named { id: Some(token), .. })) if wants("token") => {
            let caller = cloud.read().caller(token_id(token), cloud.now());
            caller.map(|caller| caller.user_id).ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}

async fn check_password(cloud: &Cloud, id: UserId, hash: Option<String>, password: &str) -> bool {
    if let Some(right) = cloud.passwords.is_right(id, password) {
        return right;
    }
    let Some(hash) = hash else { return false };
    let given = password.to_owned();
    let checked = tokio::task::spawn_blocking(move || passwords::verify(&given, &hash)).await;
    let right = checked.unwrap_or(false);
    if right {
        cloud.passwords.remember(id, password);
    }
    right
}

fn check_domain(domain: Option<&Named>) -> Result<(), Fault> {
    let Some(domain) = domain else { return Ok(()) };
    let fits = |given: &Option<String>, ours: &str| given.as_deref().is_none_or(|id| id == ours);
    if fits(&domain.id, DOMAIN_ID) && fits(&domain.name, DOMAIN_NAME) {
        Ok(())
    } else {
        Err(Fault::unauthorized())
    }
}

fn read_scope(scope: Option<Value>) -> Result<Scope, Fault> {
    let Some(Value::Object(mut scope)) = scope else { return Ok(Scope::Unscoped) };
    if scope.contains_key("unscoped") {
        return Ok(Scope::Unscoped);
    }
    let project = scope.remove("project").ok_or_else(Fault::unauthorized)?;
    let project: ProjectScope = serde_json::from_value(project)
        .map_err(|error| Fault::bad_request(format!("Invalid input for field 'scope': {error}")))?;
    check_domain(project.domain.as_ref())?;
    match (project.id, project.name) {
        (Some(id), _) => Ok(Scope::ProjectId(id.parse().map_err(|_| Fault::unauthorized())?)),
        (None, Some(name)) => Ok(Scope::ProjectName(name)),
        (None, None) => Err(Fault::bad_request("Expecting to find id or name in scope.project.")),
    }
}

/// What a token says.
fn document(cloud: &Cloud, model: &Model, id: TokenId) -> Result<Value, Error> {
    let missing = || ModelError::not_found(crate::model::error::Kind::Token, "");
    let token = model.tokens.get(id).ok_or_else(missing)?;
    let user = model.users.get(token.user_id).ok_or_else(missing)?;
    let domain = json!({"id": DOMAIN_ID, "name": DOMAIN_NAME});
    let mut document = json!({
        "methods": token.methods,
        "user": {
            "domain": domain, "id": user.id, "name": user.name, "password_expires_at": null
        },
        "audit_ids": [token.audit_id],
        "expires_at": ZuluMicros(token.expires),
        "issued_at": ZuluMicros(token.issued),
    });
    if let Some(project) = token.project_id.and_then(|id| model.projects.get(id)) {
        let roles: Vec<Value> = model
            .roles_of(user, project.id)
            .into_iter()
            .map(|role| json!({"id": role.id, "name": role.name}))
            .collect();
        document["project"] = json!({"domain": domain, "id": project.id, "name": project.name});
        document["is_domain"] = json!(false);
        document["roles"] = json!(roles);
        document["catalog"] = json!(catalog(cloud, token.project_id));
    }
    Ok(json!({"token": document}))
}

fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read() {
        let read = |scope: Value| read_scope(Some(scope)).map_err(|fault| fault.status.as_u16());
        let named = Scope::ProjectName("demo".to_owned());
        let domain = |domain: Value| json!({"project": {"name": "demo", "domain": domain}});
        assert_eq!(read_scope(None).unwrap(), Scope::Unscoped);
        assert_eq!(read(json!("unscoped")), Ok(Scope::Unscoped));
        assert_eq!(read(json!({"unscoped": {}})), Ok(Scope::Unscoped));
        assert_eq!(read(domain(json!({"id": "default"}))), Ok(named.clone()));
        assert_eq!(read(domain(json!({"name": "Default"}))), Ok(named));
        assert_eq!(read(domain(json!({"name": "Other"}))), Err(401));
        assert_eq!(read(json!({"system": {"all": true}})), Err(401));
        assert_eq!(read(json!({"project": {}})), Err(400));
    }
}
