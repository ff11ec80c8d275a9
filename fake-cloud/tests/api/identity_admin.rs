//! Keystone: what the administrator makes of it, and what becomes of tokens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

const NOBODY: &str = "";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

impl Stack {
    /// Asks for a token with any proof: the status, the token, and what it says.
    async fn authenticate(&self, auth: Value) -> (u16, String, Value) {
        let url = format!("{}/auth/tokens", self.cloud.auth_url());
        let answer = self.http.post(url).json(&json!({"auth": auth})).send().await.unwrap();
        let status = answer.status().as_u16();
        let token = answer.headers().get("x-subject-token");
        let token = token.map_or(String::new(), |token| token.to_str().unwrap().to_owned());
        (status, token, answer.json::<Value>().await.unwrap()["token"].take())
    }

    async fn by_token(&self, token: &str, scope: Value) -> (u16, String, Value) {
        let identity = json!({"methods": ["token"], "token": {"id": token}});
        self.authenticate(json!({"identity": identity, "scope": scope})).await
    }
}

impl Client {
    async fn is_valid(&self) -> bool {
        self.status(Method::GET, "/v3/auth/projects").await == 200
    }

    async fn find(&self, collection: &str, name: &str) -> String {
        let list = self.get(&format!("/v3/{collection}?name={name}")).await;
        text(&list[collection][0]["id"]).to_owned()
    }

    /// Makes a project and a user who is a member there; gives their ids.
    async fn settle(&self, project: &str, user: &str, password: &str) -> (String, String) {
        let (status, made) = self.post("/v3/projects", json!({"project": {"name": project}})).await;
        assert_eq!(status, 201, "{made}");
        let project = text(&made["project"]["id"]).to_owned();
        let wanted = json!({"user": {"name": user, "password": password}});
        let (status, made) = self.post("/v3/users", wanted).await;
        assert_eq!(status, 201, "{made}");
        let user = text(&made["user"]["id"]).to_owned();
        let member = self.find("roles", "member").await;
        let grant = format!("/v3/projects/{project}/users/{user}/roles/{member}");
        assert_eq!(self.status(Method::PUT, &grant).await, 204);
        assert_eq!(self.status(Method::HEAD, &grant).await, 204);
        (project, user)
    }
}

#[tokio::test]
async fn a_new_user_of_a_new_project_makes_a_server() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let (project, user) = admin.settle("looms", "joseph", "jacquard").await;
    let again = json!({"project": {"name": "looms"}});
    assert_eq!(admin.post("/v3/projects", again).await.0, 409, "the name is taken");
    let joseph = stack.login("joseph", "jacquard", "looms").await;
    joseph.create_server("vm").await;
    let groups = joseph.get("/network/v2.0/security-groups").await;
    assert_eq!(groups["security_groups"][0]["name"], "default");

    let (status, answer) = joseph.post("/v3/projects", json!({"project": {"name": "x"}})).await;
    let message =
        "You are not authorized to perform the requested action: identity:create_project.";
    assert_eq!((status, &answer["error"]["message"]), (403, &json!(message)));

    let path = format!("/v3/role_assignments?user.id={user}&include_names=True");
    let assignments = admin.get(&path).await;
    let only = &assignments["role_assignments"][0];
    assert_eq!(
        (&only["role"]["name"], &only["user"]["name"], &only["scope"]["project"]["id"]),
        (&json!("member"), &json!("joseph"), &json!(project))
    );

    let stack = stack.restart().await;
    let joseph = stack.login("joseph", "jacquard", "looms").await;
    let admin = stack.admin().await;
    let member = admin.find("roles", "member").await;
    let grant = format!("/v3/projects/{project}/users/{user}/roles/{member}");
    assert_eq!(admin.delete(&grant).await, 204);
    assert!(!joseph.is_valid().await, "no role is left");
    assert_eq!(admin.delete(&grant).await, 404);
    assert_eq!(admin.delete(&format!("/v3/users/{user}")).await, 204);
    assert_eq!(stack.ask_token("joseph", "jacquard", None).await.status(), 401);
}

#[tokio::test]
async fn who_changes_a_password_ends_all_tokens() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let admin = stack.admin().await;
    let id = admin.find("users", "ada").await;
    let path = format!("/v3/users/{id}/password");
    let change =
        |old: &str, new: &str| json!({"user": {"original_password": old, "password": new}});
    assert_eq!(ada.post(&path, change("wrong", "byron")).await.0, 401);
    assert!(ada.is_valid().await);
    assert_eq!(ada.post(&path, change("lovelace", "byron")).await.0, 204);
    assert!(!ada.is_valid().await);
    assert_eq!(stack.ask_token("ada", "lovelace", None).await.status(), 401);
    let ada = stack.login("ada", "byron", "engines").await;

    let by_admin = json!({"user": {"password": "reset"}});
    assert_eq!(admin.send(Method::PATCH, &format!("/v3/users/{id}"), by_admin).await.0, 200);
    assert!(!ada.is_valid().await);
    stack.login("ada", "reset", "engines").await;
}

#[tokio::test]
async fn who_may_not_log_in_any_more_is_out_for_good() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let enable = |enabled: bool, kind: &str| json!({kind: {"enabled": enabled}});
    for (kind, collection, name) in [("user", "users", "ada"), ("project", "projects", "engines")] {
        let ada = stack.ada().await;
        let path = format!("/v3/{collection}/{}", admin.find(collection, name).await);
        assert_eq!(admin.send(Method::PATCH, &path, enable(false, kind)).await.0, 200);
        assert!(!ada.is_valid().await, "{kind}");
        let scope = json!({"project": {"name": "engines", "domain": {"id": "default"}}});
        assert_eq!(stack.ask_token("ada", "lovelace", Some(scope)).await.status(), 401);
        assert_eq!(admin.send(Method::PATCH, &path, enable(true, kind)).await.0, 200);
        assert!(!ada.is_valid().await, "{kind}: what has ended does not come back");
        stack.ada().await;
    }
}

#[tokio::test]
async fn a_token_for_a_token_lives_no_longer_than_that_one() {
    let stack = Stack::start().await;
    let answer = stack.ask_token("ada", "lovelace", Some(json!("unscoped"))).await;
    let unscoped = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let first = answer.json::<Value>().await.unwrap()["token"].take();
    stack.clock.advance(std::time::Duration::from_secs(59 * 60));
    let scope = json!({"project": {"name": "engines", "domain": {"name": "Default"}}});
    let (status, scoped, second) = stack.by_token(&unscoped, scope).await;
    assert_eq!(status, 201);
    assert_eq!(second["expires_at"], first["expires_at"]);
    assert_eq!(second["methods"], json!(["password", "token"]));
    assert_eq!(second["audit_ids"][1], first["audit_ids"][0]);
    assert!(stack.with_token(&scoped).is_valid().await);
    stack.clock.advance(std::time::Duration::from_secs(60));
    assert!(!stack.with_token(&scoped).is_valid().await);
}

#[tokio::test]
async fn a_program_logs_in_with_a_credential_of_its_own() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = stack.admin().await.find("users", "ada").await;
    let path = format!("/v3/users/{id}/application_credentials");
    let wanted = json!({"application_credential": {"name": "ci", "roles": [{"name": "reader"}]}});
    let (status, answer) = ada.post(&path, wanted.clone()).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(ada.post(&path, wanted).await.0, 409, "the name is taken");
    let made = &answer["application_credential"];
    let own = format!("{path}/{}", text(&made["id"]));
    let shown = ada.get(&own).await;
    assert!(shown["application_credential"].get("secret").is_none(), "told once");

    let auth = |proof: Value| json!({"identity": {"methods": ["application_credential"], "application_credential": proof}});
    let by_id = json!({"id": made["id"], "secret": made["secret"]});
    let by_name = json!({
        "name": "ci", "secret": made["secret"],
        "user": {"name": "ada", "domain": {"name": "Default"}}
    });
    let wrong = json!({"id": made["id"], "secret": "wrong"});
    assert_eq!(stack.authenticate(auth(wrong)).await.0, 401);
    assert_eq!(stack.authenticate(auth(by_name)).await.0, 201);
    let (status, token, says) = stack.authenticate(auth(by_id.clone())).await;
    assert_eq!((status, &says["project"]["name"]), (201, &json!("engines")));
    assert_eq!(says["roles"].as_array().unwrap().len(), 1, "as it was bounded: {says}");
    assert_eq!(says["application_credential"]["restricted"], true);
    let program = stack.with_token(&token);
    let more = json!({"application_credential": {"name": "more"}});
    assert_eq!(program.post(&path, more).await.0, 403, "restricted");

    assert_eq!(ada.delete(&own).await, 204);
    assert!(!program.is_valid().await);
    assert_eq!(stack.authenticate(auth(by_id)).await.0, 401);
}

#[tokio::test]
async fn groups_and_domains_hold_users_together() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let (status, made) = admin.post("/v3/domains", json!({"domain": {"name": "weavers"}})).await;
    assert_eq!(status, 201);
    let domain = text(&made["domain"]["id"]).to_owned();
    let wanted = json!({"user": {"name": "ada", "password": "warp", "domain_id": domain}});
    let (status, made) = admin.post("/v3/users", wanted).await;
    assert_eq!(status, 201, "a name is unique in its domain only: {made}");
    let user = text(&made["user"]["id"]).to_owned();
    let wanted = json!({"group": {"name": "guild", "domain_id": domain}});
    let (_, made) = admin.post("/v3/groups", wanted).await;
    let group = text(&made["group"]["id"]).to_owned();
    let member = format!("/v3/groups/{group}/users/{user}");
    assert_eq!(admin.status(Method::HEAD, &member).await, 404);
    assert_eq!(admin.status(Method::PUT, &member).await, 204);
    let project = admin.find("projects", "engines").await;
    let role = admin.find("roles", "reader").await;
    let grant = format!("/v3/projects/{project}/groups/{group}/roles/{role}");
    assert_eq!(admin.status(Method::PUT, &grant).await, 204);

    let who = json!({"name": "ada", "domain": {"name": "weavers"}, "password": "warp"});
    let auth = json!({
        "identity": {"methods": ["password"], "password": {"user": who}},
        "scope": {"project": {"name": "engines", "domain": {"id": "default"}}}
    });
    let (status, token, says) = stack.authenticate(auth.clone()).await;
    assert_eq!((status, &says["user"]["domain"]["name"]), (201, &json!("weavers")));
    let path = format!("/v3/domains/{domain}");
    assert_eq!(admin.delete(&path).await, 403, "it is enabled");
    let off = json!({"domain": {"enabled": false}});
    assert_eq!(admin.send(Method::PATCH, &path, off).await.0, 200);
    assert!(!stack.with_token(&token).is_valid().await);
    assert_eq!(admin.delete(&path).await, 204);
    assert_eq!(admin.status(Method::GET, &format!("/v3/groups/{group}")).await, 404);
    assert_eq!(stack.authenticate(auth).await.0, 401);
}

#[tokio::test]
async fn the_cloud_as_a_whole_is_for_administrators() {
    let stack = Stack::start().await;
    let system = json!({"system": {"all": true}});
    assert_eq!(stack.ask_token("ada", "lovelace", Some(system.clone())).await.status(), 401);
    let answer = stack.ask_token("admin", "secret", Some(system)).await;
    assert_eq!(answer.status(), 201);
    let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let says = answer.json::<Value>().await.unwrap();
    assert_eq!(says["token"]["system"], json!({"all": true}));
    let admin = stack.with_token(&token);
    assert!(admin.get("/v3/users").await["users"].as_array().unwrap().len() > 1);
    assert!(!stack.with_token(NOBODY).is_valid().await);
}
