//! A cloud of its own for each test, and a client with a token for it.

use std::path::Path;
use std::sync::Arc;

use fake_cloud::clock::ManualClock;
use fake_cloud::settings::{Listen, UserSettings};
use fake_cloud::{FakeCloud, Settings};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running cloud and who asks it.
pub(crate) struct Stack {
    pub(crate) cloud: FakeCloud,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
    pub(crate) http: reqwest::Client,
}

/// Someone with a token for a project.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    pub(crate) token: String,
    /// The version of Nova's API that requests ask for.
    pub(crate) microversion: &'static str,
}

/// Settings for a private cloud in a directory, with the users `admin` and `ada`.
pub(crate) fn settings(dir: &Path, clock: &Arc<ManualClock>) -> Settings {
    let listen = Listen::Address("127.0.0.1:0".parse().unwrap());
    let mut settings = Settings::loopback(dir.to_owned(), listen, "secret");
    settings.users.push(UserSettings::member("ada", "lovelace", "engines"));
    // On a busy machine too, the first look finds the work done.
    settings.patience = std::time::Duration::from_secs(30);
    settings.clock = Arc::clone(clock) as _;
    settings
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(time::OffsetDateTime::now_utc()));
        let mut settings = settings(dir.path(), &clock);
        adjust(&mut settings);
        Self::of(FakeCloud::start(settings).await.unwrap(), clock, dir)
    }

    /// A cloud that was started some other way.
    pub(crate) fn of(cloud: FakeCloud, clock: Arc<ManualClock>, dir: TempDir) -> Self {
        Self { cloud, clock, dir, http: http() }
    }

    /// Ends the cloud and starts it again on the same state.
    pub(crate) async fn restart(self) -> Self {
        let Self { cloud, clock, dir, http } = self;
        cloud.shutdown().await;
        let cloud = FakeCloud::start(settings(dir.path(), &clock)).await.unwrap();
        Self { cloud, clock, dir, http }
    }

    pub(crate) async fn admin(&self) -> Client {
        self.login("admin", "secret", "admin").await
    }

    /// A user without special rights.
    pub(crate) async fn ada(&self) -> Client {
        self.login("ada", "lovelace", "engines").await
    }

    pub(crate) async fn login(&self, user: &str, password: &str, project: &str) -> Client {
        let scope = json!({"project": {"name": project, "domain": {"id": "default"}}});
        let answer = self.ask_token(user, password, Some(scope)).await;
        assert_eq!(answer.status(), 201);
        let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
        self.with_token(&token)
    }

    pub(crate) fn with_token(&self, token: &str) -> Client {
        Client {
            http: self.http.clone(),
            url: self.cloud.api_url().to_owned(),
            token: token.to_owned(),
            microversion: "2.100",
        }
    }

    pub(crate) async fn ask_token(
        &self,
        user: &str,
        password: &str,
        scope: Option<Value>,
    ) -> Response {
        let who = json!({"name": user, "domain": {"name": "Default"}, "password": password});
        let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": who}}});
        if let Some(scope) = scope {
            auth["scope"] = scope;
        }
        let url = format!("{}/auth/tokens", self.cloud.auth_url());
        self.http.post(url).json(&json!({"auth": auth})).send().await.unwrap()
    }
}

impl Client {
    /// The same caller at the address of another region.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The administrator of a cloud in a process of its own, by what it prints at its start.
    pub(crate) async fn of_environment(greeting: &str) -> Self {
        let value = |name: &str| {
            let line =
                greeting.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.unwrap_or_else(|| panic!("no {name} in {greeting}")).trim_matches('\'').to_owned()
        };
        let domain = json!({"id": "default"});
        let user = json!({
            "name": value("OS_USERNAME"), "domain": domain, "password": value("OS_PASSWORD"),
        });
        let scope = json!({"project": {"name": value("OS_PROJECT_NAME"), "domain": domain}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": scope}});
        let (http, auth_url) = (http(), value("OS_AUTH_URL"));
        let answer = http.post(format!("{auth_url}/auth/tokens")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let url = auth_url.trim_end_matches("/v3").to_owned();
        Self { http, url, token, microversion: "2.100" }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request =
            request.header("OpenStack-API-Version", format!("compute {}", self.microversion));
        if self.token.is_empty() { request } else { request.header("X-Auth-Token", &self.token) }
    }

    /// The same, asking for another version of Nova's API.
    pub(crate) fn at_version(&self, microversion: &'static str) -> Self {
        Self { microversion, ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "GET {path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::PUT, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> u16 {
        self.status(Method::DELETE, path).await
    }

    pub(crate) async fn status(&self, method: Method, path: &str) -> u16 {
        self.request(method, path).send().await.unwrap().status().as_u16()
    }

    /// The status, and the JSON if there is any.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let answer = self.request(method, path).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// A request that must fail: its status and its answer.
    pub(crate) async fn refusal(&self, method: Method, path: &str) -> (u16, Value) {
        let answer = self.request(method, path).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status >= 400, "{path}: {status}");
        (status, answer.json().await.unwrap())
    }

    pub(crate) async fn flavor(&self, name: &str) -> String {
        let flavors = self.get("/compute/v2.1/flavors").await;
        let flavor = flavors["flavors"].as_array().unwrap().iter().find(|f| f["name"] == name);
        flavor.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn image(&self) -> String {
        let images = self.get("/image/v2/images?name=host").await;
        images["images"][0]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn network(&self, name: &str) -> String {
        let networks = self.get(&format!("/network/v2.0/networks?name={name}")).await;
        networks["networks"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The body that asks for a server, with more fields if wanted.
    pub(crate) async fn wanted(&self, name: &str, more: Value) -> Value {
        let mut server = json!({
            "name": name, "imageRef": self.image().await, "flavorRef": self.flavor("m1.tiny").await,
            "networks": "auto",
        });
        for (field, value) in more.as_object().unwrap() {
            server[field] = value.clone();
        }
        json!({"server": server})
    }

    /// Makes a server and gives its id.
    pub(crate) async fn create_server(&self, name: &str) -> String {
        self.create_server_with(name, json!({})).await
    }

    pub(crate) async fn create_server_with(&self, name: &str, more: Value) -> String {
        let body = self.wanted(name, more).await;
        let (status, answer) = self.post("/compute/v2.1/servers", body).await;
        assert_eq!(status, 202, "{answer}");
        answer["server"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn server(&self, id: &str) -> Value {
        self.get(&format!("/compute/v2.1/servers/{id}")).await["server"].take()
    }

    pub(crate) async fn act(&self, id: &str, action: Value) -> (u16, Value) {
        self.post(&format!("/compute/v2.1/servers/{id}/action"), action).await
    }

    /// The id of the port of a server.
    pub(crate) async fn port_of(&self, server: &str) -> String {
        let ports = self.get(&format!("/network/v2.0/ports?device_id={server}")).await;
        ports["ports"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Takes a floating IP from the pool.
    pub(crate) async fn create_floating_ip(&self) -> Value {
        let network = self.network("public").await;
        let body = json!({"floatingip": {"floating_network_id": network}});
        let (status, mut answer) = self.post("/network/v2.0/floatingips", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["floatingip"].take()
    }
}

pub(crate) fn http() -> reqwest::Client {
    // Nothing here speaks TLS, but the client wants to know how it would; the first test to say
    // so says it for all of this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
