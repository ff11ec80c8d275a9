//! The administrator of a real OpenStack, who gives each test a project of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use cloud::openstack::Settings;
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

const PASSWORD: &str = "lovelace";

/// What the environment of `integration/real-openstack` says about its cloud.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} names no real OpenStack: run this by `integration/real-openstack`")
    })
}

/// Who vouches for it; not every cloud has anybody who does.
fn authority() -> Option<String> {
    std::env::var("OS_CACERT").ok()
}

/// May do anything; speaks to the APIs itself.
pub(crate) struct Administrator {
    client: Client,
    token: String,
    catalog: Value,
    /// Of a thing that must be new to the cloud.
    prefix: String,
}

/// A user with a project that nobody else has.
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) user: String,
    name: String,
}

impl Administrator {
    pub(crate) async fn from_environment() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        // Whoever comes second finds one there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder().no_proxy();
        if let Some(path) = authority() {
            let authority = std::fs::read(path).unwrap();
            client = client.tls_certs_only(Certificate::from_pem_bundle(&authority).unwrap());
        }
        let client = client.build().unwrap();
        let domain = json!({"id": "default"});
        let login = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": variable("OS_USERNAME"), "domain": domain, "password": variable("OS_PASSWORD"),
            }}},
            "scope": {"project": {"name": variable("OS_PROJECT_NAME"), "domain": domain}},
        }});
        let url = format!("{}/auth/tokens", variable("OS_AUTH_URL"));
        let answer = client.post(url).json(&login).send().await.unwrap();
        let token = answer.headers()["X-Subject-Token"].to_str().unwrap().to_owned();
        let body: Value = answer.json().await.unwrap();
        let prefix = format!("{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        Self { client, token, catalog: body["token"]["catalog"].clone(), prefix }
    }

    /// Makes a call that must succeed, to the service of this type.
    pub(crate) async fn call(
        &self,
        service: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Value {
        let entries = self.catalog.as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["type"] == service).unwrap();
        let url = format!("{}{path}", entry["endpoints"][0]["url"].as_str().unwrap());
        let mut request = self.client.request(method, url).header("X-Auth-Token", &self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Makes something, by a request that names it as its answer does; returns its id.
    pub(crate) async fn make(&self, service: &str, path: &str, thing: &str, body: Value) -> String {
        let answer = self.call(service, Method::POST, path, json!({ thing: body })).await;
        answer[thing]["id"].as_str().unwrap().to_owned()
    }

    /// A name that nothing else in the cloud has.
    pub(crate) fn new_name(&self, what: &str) -> String {
        format!("{what}-{}", self.prefix)
    }
}

impl Project {
    pub(crate) async fn new(administrator: &Administrator) -> Self {
        let name = administrator.new_name("engines");
        let project = json!({"name": name, "domain_id": "default"});
        let id = administrator.make("identity", "/projects", "project", project).await;
        let user = json!({"name": name, "domain_id": "default", "password": PASSWORD});
        let user = administrator.make("identity", "/users", "user", user).await;
        let roles = administrator.call("identity", Method::GET, "/roles?name=member", Value::Null);
        let roles = roles.await;
        let role = roles["roles"][0]["id"].as_str().unwrap();
        let path = format!("/projects/{id}/users/{user}/roles/{role}");
        administrator.call("identity", Method::PUT, &path, Value::Null).await;
        Self { id, user, name }
    }

    /// What a driver needs to know to use it.
    pub(crate) fn settings(&self) -> Settings {
        let settings: Settings = toml::from_str(&format!(
            r#"
            auth_url = "{auth_url}"
            username = "{name}"
            password = "{PASSWORD}"
            project = "{name}"
            image = "host"
            flavor = "m1.small"
            network = "private"
            floating_pool = "public"
            server_timeout_seconds = 60
            "#,
            auth_url = variable("OS_AUTH_URL"),
            name = self.name,
        ))
        .unwrap();
        Settings { ca_certificate: authority().map(Into::into), ..settings }
    }
}
