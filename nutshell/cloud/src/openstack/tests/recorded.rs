//! A small OpenStack that answers in the shapes recorded from a real one (2026.2), and writes down what
//! it was asked. It decides nothing by itself: each test says how it behaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::super::Settings;

/// How the cloud behaves, and what it holds.
#[derive(Default)]
pub(super) struct Behaviour {
    /// Every request as `METHOD path`.
    pub(super) log: Vec<String>,
    pub(super) logins: usize,
    /// Refuses every token it gave.
    pub(super) refuses_tokens: bool,
    /// How many looks at a server show it in `BUILD`.
    pub(super) looks_in_build: usize,
    /// New servers end in `ERROR` with this fault.
    pub(super) fault: Option<String>,
    pub(super) pool_is_empty: bool,
    pub(super) instance_quota_is_used_up: bool,
    /// Knows no microversions, as clouds from before 2018.
    pub(super) is_old: bool,
    /// Lists one server a page.
    pub(super) pages: bool,
    pub(super) servers: BTreeMap<String, Value>,
    pub(super) addresses: BTreeMap<String, Value>,
    /// The body of the last creation.
    pub(super) asked: Value,
}

/// A running recorded cloud; ends with the test's runtime.
pub(super) struct Recorded {
    auth_url: String,
    shared: Arc<Shared>,
}

struct Shared {
    base: String,
    behaviour: Mutex<Behaviour>,
    server_made: Notify,
}

impl Recorded {
    pub(super) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            base: base.clone(),
            behaviour: Mutex::new(behaviour),
            server_made: Notify::new(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { auth_url: base, shared }
    }

    pub(super) fn settings(&self) -> Settings {
        toml::from_str(&format!(
            r#"
            auth_url = "{}"
            username = "test"
            password = "sesame"
            project = "test"
            image = "cirros"
            flavor = "m1.tiny"
            network = "private"
            floating_pool = "public"
            "#,
            self.auth_url
        ))
        .unwrap()
    }

    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.shared.behaviour.lock().unwrap()
    }

    /// Returns when the next server was made.
    pub(super) async fn server_made(&self) {
        self.shared.server_made.notified().await;
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut behaviour = shared.behaviour.lock().unwrap();
    behaviour.log.push(format!("{method} {}", uri.path()));
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if uri.path() == "/v3/auth/tokens" {
        return log_in(&mut behaviour, &shared.base, &body);
    }
    let current = format!("token-{}", behaviour.logins);
    let token = headers.get("X-Auth-Token").and_then(|token| token.to_str().ok());
    if behaviour.refuses_tokens || token != Some(current.as_str()) {
        return unauthorized();
    }
    if behaviour.is_old && headers.contains_key("OpenStack-API-Version") {
        return fault(406, "computeFault", "Version 2.61 is not supported by the API");
    }
    let path: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let query = uri.query().unwrap_or_default();
    let answer = match (method.as_str(), path.as_slice()) {
        (_, ["compute", "v2.1", rest @ ..]) => {
            compute(&mut behaviour, method.as_str(), rest, query, &body)
        }
        ("GET", ["image", "v2", rest @ ..]) => image(rest, query),
        (_, ["network", "v2.0", rest @ ..]) => {
            network(&mut behaviour, method.as_str(), rest, query, &body)
        }
        _ => fault(404, "itemNotFound", "no such path"),
    };
    if (method.as_str(), uri.path()) == ("POST", "/compute/v2.1/servers") {
        shared.server_made.notify_one();
    }
    answer
}

fn log_in(behaviour: &mut Behaviour, base: &str, body: &Value) -> Response {
    if body["auth"]["identity"]["password"]["user"]["password"] != "sesame" {
        return unauthorized();
    }
    behaviour.logins += 1;
    let service = |kind: &str, path: &str| {
        json!({"type": kind, "name": kind, "id": kind, "endpoints": [
            {"id": "1", "interface": "public", "region_id": "RegionOne", "region": "RegionOne",
             "url": format!("{base}{path}")}]})
    };
    let body = json!({"token": {
        "methods": ["password"], "is_domain": false, "audit_ids": ["weMJNbLkSi6gGBx-f_CnHQ"],
        "expires_at": "2026-11-21T08:09:01.000000Z", "issued_at": "2026-11-21T07:09:01.000000Z",
        "catalog": [service("compute", "/compute/v2.1"), service("image", "/image"),
                    service("network", "/network")],
    }});
    let token = format!("token-{}", behaviour.logins);
    (StatusCode::CREATED, [("X-Subject-Token", token)], axum::Json(body)).into_response()
}

fn compute(
    behaviour: &mut Behaviour,
    method: &str,
    path: &[&str],
    query: &str,
    body: &Value,
) -> Response {
    match (method, path) {
        ("GET", ["flavors", wanted @ ("detail" | "f1" | "f2")]) => {
            let extra_specs = json!({"price:per_hour": "0.25"});
            let mut flavors = [
                json!({"id": "f2", "name": "m1.small", "ram": 2048, "disk": 20, "swap": "", "vcpus": 1}),
                json!({"id": "f1", "name": "m1.tiny", "ram": 512, "disk": 1, "swap": "", "vcpus": 1}),
            ];
            if !behaviour.is_old {
                flavors[1]["extra_specs"] = extra_specs;
            }
            match flavors.iter().find(|flavor| flavor["id"] == **wanted) {
                Some(flavor) => answer(200, json!({ "flavor": flavor })),
                None => answer(200, json!({ "flavors": flavors })),
            }
        }
        ("GET", ["servers", "detail"]) => {
            let mut servers: Vec<_> = behaviour.servers.values().cloned().collect();
            let marker = query.split('&').find_map(|pair| pair.strip_prefix("marker="));
            servers
                .retain(|server| marker.is_none_or(|marker| server["id"].as_str() > Some(marker)));
            let mut body = json!({ "servers": servers });
            if behaviour.pages && servers.len() > 1 {
                body = json!({"servers": servers[..1], "servers_links": [{"rel": "next", "href": "?"}]});
            }
            answer(200, body)
        }
        ("POST", ["servers"]) if behaviour.instance_quota_is_used_up => fault(
            403,
            "forbidden",
            "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
        ),
        ("POST", ["servers"]) => {
            behaviour.asked = body.clone();
            let id = format!("server-{}", behaviour.servers.len() + 1);
            behaviour.servers.insert(id.clone(), json!({
                "id": id, "name": body["server"]["name"], "metadata": body["server"]["metadata"],
                "status": "BUILD", "addresses": {}, "created": "2026-11-21T07:01:20Z",
                "OS-EXT-STS:task_state": "scheduling",
            }));
            answer(202, json!({"server": {"id": id, "links": [], "adminPass": "PmwRxzyCY6YT"}}))
        }
        ("GET", ["servers", id]) => look(behaviour, id),
        ("DELETE", ["servers", id]) => match behaviour.servers.remove(*id) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => no_instance(id),
        },
        ("POST", ["servers", _, "action"]) => {
            answer(200, json!({"output": "FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE"}))
        }
        _ => fault(404, "itemNotFound", "no such path"),
    }
}

fn look(behaviour: &mut Behaviour, id: &str) -> Response {
    let Some(server) = behaviour.servers.get_mut(id) else {
        return no_instance(id);
    };
    if behaviour.looks_in_build > 0 {
        behaviour.looks_in_build -= 1;
    } else if let Some(message) = &behaviour.fault {
        server["status"] = json!("ERROR");
        server["fault"] =
            json!({"code": 500, "created": "2026-11-21T07:01:21Z", "message": message});
    } else {
        server["status"] = json!("ACTIVE");
        server["OS-EXT-STS:task_state"] = Value::Null;
        server["addresses"] = json!({"private": [{"version": 4, "addr": "10.20.0.140",
            "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:c2:6b:95"}]});
    }
    answer(200, json!({ "server": server }))
}

fn image(path: &[&str], query: &str) -> Response {
    let cirros =
        json!({"id": "cbfc221b", "name": "cirros", "status": "active", "visibility": "public"});
    match path {
        ["images"] if query.contains("name=") && !query.contains("name=cirros") => {
            answer(200, json!({"images": []}))
        }
        ["images"] => answer(200, json!({"images": [cirros]})),
        ["images", "cbfc221b"] => answer(200, cirros),
        _ => (StatusCode::NOT_FOUND, "<html><h1>404 Not Found</h1>No image found</html>")
            .into_response(),
    }
}

fn network(
    behaviour: &mut Behaviour,
    method: &str,
    path: &[&str],
    query: &str,
    body: &Value,
) -> Response {
    match (method, path) {
        ("GET", ["networks"]) => answer(
            200,
            json!({"networks": [
            {"id": "4d4f3a71", "name": "private", "router:external": false, "status": "ACTIVE"},
            {"id": "55b68d56", "name": "public", "router:external": true, "status": "ACTIVE"}]}),
        ),
        ("GET", ["security-groups"]) => {
            answer(200, json!({"security_groups": [{"id": "99a42038", "name": "default"}]}))
        }
        ("GET", ["ports"]) => {
            let server = query.strip_prefix("device_id=").unwrap_or_default();
            answer(
                200,
                json!({"ports": [{"id": format!("port-of-{server}"), "network_id": "4d4f3a71",
                "device_id": server, "device_owner": "compute:nova",
                "fixed_ips": [{"subnet_id": "0a9fee8a", "ip_address": "10.20.0.140"}]}]}),
            )
        }
        ("GET", ["floatingips"]) => {
            // Ignores filters, as Neutron does with those it does not know.
            let addresses: Vec<_> = behaviour.addresses.values().collect();
            answer(200, json!({ "floatingips": addresses }))
        }
        ("POST", ["floatingips"]) if behaviour.pool_is_empty => answer(
            409,
            json!({"NeutronError": {
            "type": "IpAddressGenerationFailure",
            "message": "No more IP addresses available on network 55b68d56.", "detail": ""}}),
        ),
        ("POST", ["floatingips"]) => {
            let id = format!("address-{}", behaviour.addresses.len() + 1);
            let mut address = body["floatingip"].clone();
            address["id"] = json!(id);
            address["floating_ip_address"] = json!("203.0.113.226");
            behaviour.addresses.insert(id, address.clone());
            answer(201, json!({ "floatingip": address }))
        }
        ("DELETE", ["floatingips", id]) => {
            behaviour.addresses.remove(*id);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => fault(404, "itemNotFound", "no such path"),
    }
}

fn answer(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

fn fault(status: u16, kind: &str, message: &str) -> Response {
    answer(status, json!({kind: {"code": status, "message": message}}))
}

fn no_instance(id: &str) -> Response {
    fault(404, "itemNotFound", &format!("Instance {id} could not be found."))
}

fn unauthorized() -> Response {
    answer(
        401,
        json!({"error": {"code": 401, "title": "Unauthorized",
        "message": "The request you have made requires authentication."}}),
    )
}
