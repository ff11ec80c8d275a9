//! Keystone: tokens and what they are good for.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Stack;

#[tokio::test]
async fn clients_find_out_what_is_spoken() {
    let stack = Stack::start().await;
    let nobody = stack.with_token("");
    for (path, status) in [
        ("/", 300),
        ("/v3", 200),
        ("/v3/", 200),
        ("/compute", 200),
        ("/compute/v2.1", 200),
        ("/compute/v2.1/", 200),
        ("/image", 300),
        ("/image/", 300),
        ("/image/versions", 200),
        ("/network/", 200),
    ] {
        assert_eq!(nobody.status(Method::GET, path).await, status, "{path}");
    }
    assert_eq!(nobody.get("/v3").await["version"]["id"], "v3.14");
    let nova = nobody.get("/compute/v2.1").await;
    assert_eq!(nova["version"]["version"], "2.100");
}

#[tokio::test]
async fn a_token_says_who_where_and_what() {
    let stack = Stack::start().await;
    let scope = json!({"project": {"name": "engines", "domain": {"name": "Default"}}});
    let answer = stack.ask_token("ada", "lovelace", Some(scope)).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["vary"], "X-Auth-Token");
    let token = answer.json::<Value>().await.unwrap()["token"].take();
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["user"]["name"], "ada");
    assert_eq!(token["project"]["name"], "engines");
    let roles: Vec<&str> =
        token["roles"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(roles, ["member", "reader"]);
    for service in token["catalog"].as_array().unwrap() {
        let endpoints = service["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 3, "{service}");
        assert!(endpoints.iter().all(|endpoint| endpoint["region_id"] == "RegionOne"));
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused_alike() {
    let stack = Stack::start().await;
    let engines = json!({"project": {"name": "engines", "domain": {"id": "default"}}});
    let admins = json!({"project": {"name": "admin", "domain": {"id": "default"}}});
    for (user, password, scope) in
        [("ada", "wrong", &engines), ("nobody", "lovelace", &engines), ("ada", "lovelace", &admins)]
    {
        let answer = stack.ask_token(user, password, Some(scope.clone())).await;
        assert_eq!(answer.status(), 401, "{user} {password}");
        assert!(answer.headers().contains_key("www-authenticate"));
        let error = answer.json::<Value>().await.unwrap()["error"].take();
        assert_eq!(error["message"], "The request you have made requires authentication.");
    }
}

#[tokio::test]
async fn an_unscoped_token_opens_keystone_and_nothing_else() {
    let stack = Stack::start().await;
    let answer = stack.ask_token("ada", "lovelace", None).await;
    let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    assert!(answer.json::<Value>().await.unwrap()["token"].get("catalog").is_none());
    let unscoped = stack.with_token(&token);
    let projects = unscoped.get("/v3/auth/projects").await;
    assert_eq!(projects["projects"][0]["name"], "engines");
    assert_eq!(unscoped.status(Method::GET, "/compute/v2.1/servers").await, 401);

    // A token is good for another token, with a scope this time.
    let body = json!({"auth": {
        "identity": {"methods": ["token"], "token": {"id": token}},
        "scope": {"project": {"id": projects["projects"][0]["id"]}}
    }});
    let (status, answer) = unscoped.post("/v3/auth/tokens", body).await;
    assert_eq!((status, &answer["token"]["project"]["name"]), (201, &json!("engines")));
}

#[tokio::test]
async fn tokens_are_shown_and_taken_back() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let about = |client: &crate::client::Client, method, token: &str| {
        client.request(method, "/v3/auth/tokens").header("X-Subject-Token", token).send()
    };
    let shown = about(&admin, Method::GET, &ada.token).await.unwrap();
    assert_eq!(shown.status(), 200);
    assert_eq!(shown.json::<Value>().await.unwrap()["token"]["user"]["name"], "ada");
    assert_eq!(about(&ada, Method::HEAD, &ada.token).await.unwrap().status(), 200);
    assert_eq!(about(&ada, Method::GET, &admin.token).await.unwrap().status(), 403);
    assert_eq!(about(&ada, Method::DELETE, &ada.token).await.unwrap().status(), 204);
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/servers").await, 401);
    assert_eq!(about(&admin, Method::GET, &ada.token).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_token_ends_in_time() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    stack.clock.advance(Duration::from_secs(3599));
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/servers").await, 200);
    stack.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/servers").await, 401);
}

#[tokio::test]
async fn users_see_themselves_and_the_administrator_sees_all() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let users = admin.get("/v3/users").await;
    let id = |name: &str| {
        let user = users["users"].as_array().unwrap().iter().find(|user| user["name"] == name);
        user.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let own = ada.get(&format!("/v3/users/{}", id("ada"))).await;
    assert_eq!(own["user"]["name"], "ada");
    let other = format!("/v3/users/{}", id("admin"));
    assert_eq!(ada.status(Method::GET, &other).await, 404);
    let names = |projects: Value| -> Vec<String> {
        let projects = projects["projects"].as_array().unwrap().iter();
        projects.map(|project| project["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(ada.get("/v3/projects").await), ["engines"]);
    assert_eq!(names(admin.get("/v3/projects").await), ["admin", "engines"]);
    assert_eq!(ada.status(Method::GET, "/v3/projects/admin").await, 404, "names are no ids");
}
