//! A client of the OpenStack APIs, as far as the measurements need one.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::load::Request;
use crate::server::Server;

/// Someone with a token.
pub(crate) struct OpenStack {
    url: String,
    token: String,
    project: String,
    http: reqwest::Client,
}

impl OpenStack {
    /// Logs in as the administrator.
    pub(crate) async fn login(server: &Server, http: reqwest::Client) -> Self {
        let url = format!("http://{}", server.address);
        let answer = http
            .post(format!("{url}/v3/auth/tokens"))
            .json(&credentials(server))
            .send()
            .await
            .expect("an answer");
        let token = answer.headers()["x-subject-token"].to_str().expect("a token").to_owned();
        let body: Value = answer.json().await.expect("JSON");
        let project = body["token"]["project"]["id"].as_str().expect("a project").to_owned();
        Self { url, token, project, http }
    }

    /// A request to be repeated.
    pub(crate) fn get(&self, path: &str) -> Request {
        let headers = vec![
            ("X-Auth-Token".to_owned(), self.token.clone()),
            ("X-Subject-Token".to_owned(), self.token.clone()),
        ];
        Request { method: "GET", url: format!("{}{path}", self.url), headers, body: String::new() }
    }

    /// Asks once: the answer, and how long it took.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> (Value, Duration) {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request
            .header("X-Auth-Token", &self.token)
            .header("OpenStack-API-Version", "compute 2.96");
        let request = if body.is_null() { request } else { request.json(&body) };
        let begin = Instant::now();
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a whole answer");
        assert!(status.is_success(), "{path}: {status} {text}");
        (serde_json::from_str(&text).unwrap_or_default(), begin.elapsed())
    }

    /// Lifts the limits of the project.
    pub(crate) async fn unlimited(&self) {
        let path = format!("/compute/v2.1/os-quota-sets/{}", self.project);
        let quotas = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
        self.ask(Method::PUT, &path, quotas).await;
        let path = format!("/network/v2.0/quotas/{}", self.project);
        self.ask(Method::PUT, &path, json!({"quota": {"port": -1}})).await;
    }

    /// Ids of the smallest flavor and of the first image.
    pub(crate) async fn ingredients(&self) -> (String, String) {
        let first = async |path: &str, what: &str| {
            let (answer, _) = self.ask(Method::GET, path, Value::Null).await;
            answer[what][0]["id"].as_str().expect("at least one").to_owned()
        };
        let flavor = first("/compute/v2.1/flavors", "flavors").await;
        (flavor, first("/image/v2/images", "images").await)
    }

    /// Makes servers in one call, and gives the id of the first.
    pub(crate) async fn create(
        &self,
        (flavor, image): &(String, String),
        count: usize,
    ) -> (String, Duration) {
        let server = json!({"name": "vm", "flavorRef": flavor, "imageRef": image,
            "networks": "auto", "min_count": count, "max_count": count});
        let body = json!({"server": server});
        let (answer, took) = self.ask(Method::POST, "/compute/v2.1/servers", body).await;
        (answer["server"]["id"].as_str().expect("an id").to_owned(), took)
    }

    /// The status of a server.
    pub(crate) async fn status(&self, id: &str) -> String {
        let path = format!("/compute/v2.1/servers/{id}");
        let (answer, _) = self.ask(Method::GET, &path, Value::Null).await;
        answer["server"]["status"].as_str().expect("a status").to_owned()
    }

    /// Removes a server.
    pub(crate) async fn delete(&self, id: &str) {
        self.ask(Method::DELETE, &format!("/compute/v2.1/servers/{id}"), Value::Null).await;
    }
}

/// The request for a token.
pub(crate) fn token(server: &Server) -> Request {
    Request {
        method: "POST",
        url: format!("http://{}/v3/auth/tokens", server.address),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: credentials(server).to_string(),
    }
}

fn credentials(server: &Server) -> Value {
    let domain = json!({"name": "Default"});
    let user = json!({"name": server.variable("OS_USERNAME"), "domain": domain,
        "password": server.variable("OS_PASSWORD")});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let scope = json!({"project": {"name": server.variable("OS_PROJECT_NAME"), "domain": domain}});
    json!({"auth": {"identity": identity, "scope": scope}})
}
