//! Our answers have the shape of a real OpenStack's: status, headers, keys and types.
//!
//! `exchanges.json` holds 139 distinct exchanges that the real clients had with Keystone 30, Nova 34,
//! Glance 33, Neutron 29 and Cinder 29 (2026.2), values replaced by their types. The stories beside this file hold
//! the same conversations with us; all that differs is listed at once.

mod compute;
mod others;
mod shape;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::client::Stack;

/// One request of a real client, and the shape of the real answer.
#[derive(Debug, Clone, Deserialize)]
struct Exchange {
    service: String,
    method: String,
    /// With `{name}` where an id or a name was.
    path: String,
    /// The header `OpenStack-API-Version`, or Nova's older one when it has no service in it.
    version: Option<String>,
    status: u16,
    headers: Vec<String>,
    /// The answer's media type, when it had content.
    r#type: Option<String>,
    answer: Option<Value>,
}

/// What the real one answers and we do not, on purpose.
const DELIBERATE: &[&str] = &[
    // The list of versions needs no token, which saves every client a round trip.
    "cinder GET /v3/ -> 401",
];

/// The conversations with one cloud, and how they went.
struct Golden {
    stack: Stack,
    token: String,
    project: String,
    exchanges: BTreeMap<String, Exchange>,
    asked: RefCell<BTreeSet<String>>,
    differences: RefCell<Vec<String>>,
}

/// A request that is being put together.
struct Ask<'a> {
    golden: &'a Golden,
    name: String,
    ids: Vec<String>,
    query: &'a str,
    body: Option<Value>,
    raw: Option<&'a str>,
    token: Cell<Option<&'a str>>,
}

impl Golden {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let token = stack.admin().await.token;
        let projects = stack.with_token(&token).get("/v3/projects?name=admin").await;
        let project = projects["projects"][0]["id"].as_str().unwrap().to_owned();
        let exchanges: Vec<Exchange> =
            serde_json::from_str(include_str!("exchanges.json")).unwrap();
        let named = |exchange: Exchange| (exchange.name(), exchange);
        Self {
            stack,
            token,
            project,
            exchanges: exchanges.into_iter().map(named).collect(),
            asked: RefCell::default(),
            differences: RefCell::default(),
        }
    }

    /// Begins the exchange of that name, as in `nova GET /v2.1/servers/{id} -> 200 [compute 2.100]`.
    fn ask(&self, name: &str, ids: &[&str]) -> Ask<'_> {
        Ask {
            golden: self,
            name: name.to_owned(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            query: "",
            body: None,
            raw: None,
            token: Cell::new(Some(self.token.as_str())),
        }
    }

    /// Fails with all that differed, and with what was not asked.
    fn verdict(self, services: &[&str]) {
        let asked = self.asked.into_inner();
        let missing = self.exchanges.iter().filter(|(name, exchange)| {
            services.contains(&exchange.service.as_str()) && !asked.contains(*name)
        });
        let missing = missing.filter(|(name, _)| !DELIBERATE.contains(&name.as_str()));
        let missing: Vec<_> = missing.map(|(name, _)| format!("not asked: {name}")).collect();
        let differences = self.differences.into_inner();
        assert!(
            differences.is_empty() && missing.is_empty(),
            "{}\n{}",
            differences.join("\n"),
            missing.join("\n")
        );
    }
}

impl Exchange {
    fn name(&self) -> String {
        let version = self.version.as_ref().map(|v| format!(" [{v}]")).unwrap_or_default();
        format!("{} {} {} -> {}{version}", self.service, self.method, self.path, self.status)
    }

    /// The path of the service below the address of everything.
    fn prefix(&self) -> &'static str {
        match self.service.as_str() {
            "cinder" => "/volume",
            "glance" => "/image",
            "neutron" => "/network",
            "nova" => "/compute",
            "placement" => "/placement",
            _ => "",
        }
    }
}

impl<'a> Ask<'a> {
    fn query(mut self, query: &'a str) -> Self {
        self.query = query;
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Content that is not JSON.
    fn raw(mut self, content: &'a str) -> Self {
        self.raw = Some(content);
        self
    }

    fn without_token(self) -> Self {
        self.token.set(None);
        self
    }

    /// Asks, notes what differs, and gives the answer's JSON.
    async fn send(self) -> Value {
        let golden = self.golden;
        let exchange = golden.exchanges.get(&self.name);
        let exchange = exchange.unwrap_or_else(|| panic!("no such exchange: {}", self.name));
        golden.asked.borrow_mut().insert(self.name.clone());
        let mut ids = self.ids.iter();
        let segments = exchange.path.split('/').map(|segment| match segment {
            "{project_id}" => golden.project.clone(),
            s if s.starts_with('{') => ids.next().expect("an id for each gap").clone(),
            other => other.to_owned(),
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let url =
            format!("{}{}{path}{}", golden.stack.cloud.api_url(), exchange.prefix(), self.query);
        let method: Method = exchange.method.parse().unwrap();
        let mut request = golden.stack.http.request(method, url);
        if let Some(token) = self.token.get() {
            request = request.header("X-Auth-Token", token);
        }
        request = match exchange.version.as_deref() {
            Some(version) if version.contains(' ') => {
                request.header("OpenStack-API-Version", version)
            }
            Some(version) => request.header("X-OpenStack-Nova-API-Version", version),
            None => request,
        };
        request = match (&self.body, self.raw) {
            (Some(body), _) => request.json(body),
            (None, Some(content)) => {
                request.header("Content-Type", "application/octet-stream").body(content.to_owned())
            }
            (None, None) => request,
        };
        let answer = request.send().await.unwrap();
        let differences = &golden.differences;
        let note = |what: String| {
            differences.borrow_mut().push(format!("{}: {what}", self.name));
        };
        let status = answer.status().as_u16();
        for header in &exchange.headers {
            if !answer.headers().contains_key(header) {
                note(format!("lacks the header {header}"));
            }
        }
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("").split(';').next().unwrap_or("").to_owned();
        let text = answer.text().await.unwrap();
        if status != exchange.status {
            note(format!("answers {status}: {text}"));
            return Value::Null;
        }
        if let Some(expected) = &exchange.r#type
            && *expected != kind
        {
            note(format!("has content of type {kind:?}, not {expected:?}"));
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        if let (Some(expected), true) = (&exchange.answer, kind == "application/json") {
            for difference in shape::differences(expected, &body) {
                note(difference);
            }
        }
        body
    }
}
