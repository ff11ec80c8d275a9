//! Tokens: given for a password or for another token, shown, and taken back.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, StatusCode};
use rand::RngCore;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::catalog::catalog;
use crate::cloud::Cloud;
use crate::model::error::Error as ModelError;
use crate::model::{
    ApplicationCredentialId, DomainId, Model, Scope, Token, TokenId, TokenScope, UserId, token_id,
};
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
    application_credential: Option<Credential>,
}

#[derive(Debug, Deserialize)]
struct Credential {
    id: Option<String>,
    name: Option<String>,
    user: Option<Whose>,
    secret: String,
}

#[derive(Debug, Deserialize)]
struct Whose {
    id: Option<String>,
    name: Option<String>,
    domain: Option<Named>,
}

/// Who asks for a token, and what they prove it with.
#[derive(Debug)]
struct Proven {
    user_id: UserId,
    /// The token that was given as a proof: the new one takes after it.
    token: Option<Token>,
    credential: Option<ApplicationCredentialId>,
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
    let proven = identify(&cx.cloud, &auth.identity).await?;
    let scope = read_scope(&cx.cloud.read(), auth.scope)?;
    let (text, audit_id) = (random_text(48), random_text(16));
    let id = token_id(&text);
    let mut methods = auth.identity.methods;
    let lifetime = cx.cloud.token_lifetime;
    let issued = cx.cloud.change(|model, now| {
        let (scope, application_credential) = match (&proven.credential, &proven.token) {
            // A program's token is for its project, whatever else it asks for.
            (Some(id), _) => {
                let credential = model.application_credentials.get(*id);
                let project = credential.ok_or_else(Fault::unauthorized)?.project_id;
                (Scope::ProjectId(project), Some(*id))
            }
            (None, before) => (scope, before.as_ref().and_then(|it| it.application_credential)),
        };
        let scope =
            model.resolve_scope(proven.user_id, &scope).map_err(|_| Fault::unauthorized())?;
        let (mut expires, mut audit_ids) = (now + lifetime, vec![audit_id]);
        if let Some(before) = &proven.token {
            let first = before.audit_ids.last().cloned();
            expires = expires.min(before.expires);
            audit_ids.extend(first);
            methods = before.methods.iter().chain(&methods).cloned().collect();
        }
        let mut seen = std::collections::HashSet::new();
        methods.retain(|method| seen.insert(method.clone()));
        let user_id = proven.user_id;
        let token = Token {
            id,
            user_id,
            scope,
            application_credential,
            methods,
            audit_ids,
            issued: now,
            expires,
        };
        model.issue_token(token);
        // Nobody, when the user may not log in: the token is taken back with the answer.
        match model.caller(id, now) {
            Some(_) => Ok::<_, Error>(()),
            None => {
                model.tokens.remove(id);
                Err(Fault::unauthorized().into())
            }
        }
    });
    issued.await?;
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
async fn identify(cloud: &Cloud, identity: &Identity) -> Result<Proven, Fault> {
    let refused = Fault::unauthorized;
    let wants = |method: &str| identity.methods.iter().any(|wanted| wanted == method);
    if let Some(wanted) = identity.application_credential.as_ref().filter(|_| wants(CREDENTIAL)) {
        return identify_program(cloud, wanted).await;
    }
    match (&identity.password, &identity.token) {
        (Some(Password { user }), _) if wants("password") => {
            let id = {
                let model = cloud.read();
                find_user(&model, user.id.as_deref(), user.name.as_deref(), user.domain.as_ref())
            };
            let user_id = id.ok_or_else(refused)?;
            if check_password(cloud, user_id, &user.password).await {
                Ok(Proven { user_id, token: None, credential: None })
            } else {
                Err(refused())
            }
        }
        (_, Some(Named { id: Some(token), .. })) if wants("token") => {
            let model = cloud.read();
            let caller = model.caller(token_id(token), cloud.now()).ok_or_else(refused)?;
            let token = model.tokens.get(caller.token_id).cloned();
            Ok(Proven { user_id: caller.user_id, token, credential: None })
        }
        _ => Err(refused()),
    }
}

/// The method of a program's proof.
const CREDENTIAL: &str = "application_credential";

async fn identify_program(cloud: &Cloud, wanted: &Credential) -> Result<Proven, Fault> {
    let found = {
        let model = cloud.read();
        let named = || {
            let Whose { id, name, domain } = wanted.user.as_ref()?;
            let user = find_user(&model, id.as_deref(), name.as_deref(), domain.as_ref())?;
            let mut own = model.application_credentials_of(user);
            own.find(|it| Some(&it.name) == wanted.name.as_ref())
        };
        let known = match &wanted.id {
            Some(id) => id.parse().ok().and_then(|id| model.application_credentials.get(id)),
            None => named(),
        };
        known
            .filter(|it| it.expires.is_none_or(|end| end > cloud.now()))
            .map(|it| (it.id, it.user_id, it.secret_hash.clone()))
    };
    let (id, user_id, hash) = found.ok_or_else(Fault::unauthorized)?;
    if verify(&wanted.secret, hash).await {
        Ok(Proven { user_id, token: None, credential: Some(id) })
    } else {
        Err(Fault::unauthorized())
    }
}

fn find_user(
    model: &Model,
    id: Option<&str>,
    name: Option<&str>,
    domain: Option<&Named>,
) -> Option<UserId> {
    let domain = find_domain(model, domain)?;
    let user = match (id, name) {
        (Some(id), _) => id.parse().ok().and_then(|id| model.users.get(id)),
        (None, Some(name)) => model.user_in(domain, name),
        (None, None) => None,
    };
    user.map(|user| user.id)
}

/// The domain that is named, the default one when none is.
fn find_domain(model: &Model, domain: Option<&Named>) -> Option<DomainId> {
    match domain {
        None => Some(DomainId::DEFAULT),
        Some(Named { id: Some(id), .. }) => {
            id.parse().ok().filter(|id| model.domains.get(*id).is_some())
        }
        Some(Named { id: None, name: Some(name) }) => model.domain_named(name).map(|it| it.id),
        Some(Named { id: None, name: None }) => Some(DomainId::DEFAULT),
    }
}

/// Whether a password is a user's.
pub(super) async fn check_password(cloud: &Cloud, id: UserId, password: &str) -> bool {
    if let Some(right) = cloud.passwords.is_right(id, password) {
        return right;
    }
    let hash_of = |model: &Model| model.users.get(id).and_then(|it| it.password_hash.clone());
    let Some(hash) = hash_of(&cloud.read()) else { return false };
    if !verify(password, hash.clone()).await {
        return false;
    }
    // While we looked it may have been changed: then what was right is not.
    let model = cloud.read();
    let right = hash_of(&model).as_ref() == Some(&hash);
    if right {
        cloud.passwords.remember(id, password);
    }
    right
}

async fn verify(secret: &str, hash: String) -> bool {
    let given = secret.to_owned();
    let checked = tokio::task::spawn_blocking(move || passwords::verify(&given, &hash)).await;
    checked.unwrap_or(false)
}

fn read_scope(model: &Model, scope: Option<Value>) -> Result<Scope, Fault> {
    let mut scope = match scope {
        None | Some(Value::Null) => return Ok(Scope::Unnamed),
        Some(Value::Object(scope)) => scope,
        Some(_) => return Ok(Scope::Unscoped),
    };
    if scope.contains_key("unscoped") {
        return Ok(Scope::Unscoped);
    }
    if scope.contains_key("system") {
        return Ok(Scope::System);
    }
    let project = scope.remove("project").ok_or_else(Fault::unauthorized)?;
    let project: ProjectScope = serde_json::from_value(project)
        .map_err(|error| Fault::bad_request(format!("Invalid input for field 'scope': {error}")))?;
    let domain = find_domain(model, project.domain.as_ref()).ok_or_else(Fault::unauthorized)?;
    match (project.id, project.name) {
        (Some(id), _) => Ok(Scope::ProjectId(id.parse().map_err(|_| Fault::unauthorized())?)),
        (None, Some(name)) => Ok(Scope::ProjectName(domain, name)),
        (None, None) => Err(Fault::bad_request("Expecting to find id or name in scope.project.")),
    }
}

/// What a token says.
fn document(cloud: &Cloud, model: &Model, id: TokenId) -> Result<Value, Error> {
    let missing = || ModelError::not_found(crate::model::error::Kind::Token, "");
    let token = model.tokens.get(id).ok_or_else(missing)?;
    let user = model.users.get(token.user_id).ok_or_else(missing)?;
    let domain =
        |id: DomainId| json!({"id": id, "name": model.domains.get(id).map(|domain| &domain.name)});
    let mut document = json!({
        "methods": token.methods,
        "user": {
            "domain": domain(user.domain_id), "id": user.id, "name": user.name,
            "password_expires_at": null
        },
        "audit_ids": token.audit_ids,
        "expires_at": ZuluMicros(token.expires),
        "issued_at": ZuluMicros(token.issued),
    });
    match token.scope {
        TokenScope::Unscoped => return Ok(json!({"token": document})),
        TokenScope::System => document["system"] = json!({"all": true}),
        TokenScope::Project(id) => {
            let project = model.projects.get(id).ok_or_else(missing)?;
            let domain = domain(project.domain_id);
            document["project"] = json!({"domain": domain, "id": id, "name": project.name});
            document["is_domain"] = json!(false);
        }
    }
    let used = token.application_credential;
    if let Some(used) = used.and_then(|id| model.application_credentials.get(id)) {
        document["application_credential"] =
            json!({"id": used.id, "name": used.name, "restricted": !used.unrestricted});
    }
    let role = |role: &crate::model::Role| json!({"id": role.id, "name": role.name});
    document["roles"] = model.roles_by(token).into_iter().map(role).collect();
    document["catalog"] = json!(catalog(cloud, token.scope.project()));
    Ok(json!({"token": document}))
}

/// Text that nobody can guess.
pub(super) fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read() {
        let mut model = Model::default();
        model.create_domain("Other", "").unwrap();
        let other = model.domain_named("Other").unwrap().id;
        model.domains.insert(crate::model::Domain {
            id: DomainId::DEFAULT,
            name: "Default".to_owned(),
            description: String::new(),
            enabled: true,
        });
        let read =
            |scope: Value| read_scope(&model, Some(scope)).map_err(|fault| fault.status.as_u16());
        let named = |domain| Scope::ProjectName(domain, "demo".to_owned());
        let domain = |domain: Value| json!({"project": {"name": "demo", "domain": domain}});
        assert_eq!(read_scope(&model, None).unwrap(), Scope::Unnamed);
        assert_eq!(read(json!("unscoped")), Ok(Scope::Unscoped));
        assert_eq!(read(json!({"unscoped": {}})), Ok(Scope::Unscoped));
        assert_eq!(read(json!({"system": {"all": true}})), Ok(Scope::System));
        assert_eq!(read(domain(json!({"id": "default"}))), Ok(named(DomainId::DEFAULT)));
        assert_eq!(read(domain(json!({"name": "Default"}))), Ok(named(DomainId::DEFAULT)));
        assert_eq!(read(domain(json!({"name": "Other"}))), Ok(named(other)));
        assert_eq!(read(domain(json!({"name": "None"}))), Err(401));
        assert_eq!(read(json!({"project": {}})), Err(400));
    }
}
