//! Servers: lists, one, changes, and what is plugged into them.

use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::Error;
pub(super) use super::actions::act as action;
pub(super) use super::create::create;
use super::filters::{Filters, Row};
use super::views::{Addresses, Brief, Depth, Full, Lens};
use crate::model::life::Request;
use crate::model::{Caller, Model, Server, host_name};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok, sized_json};

/// About as many bytes as a server takes in a list of details.
const SERVER_SIZE: usize = 2048;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    page(&cx, "servers", |lens, row| Shown::Brief(Brief(lens, row.server)))
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, "servers/detail", |lens, Row { server, gone }| {
        Shown::Full(Full { lens, server, depth: Depth::Listed, gone })
    })
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let server = model.server(&caller, cx.param("id"))?;
    Ok(one(&cx, &model, &caller, server, Depth::Alone))
}

#[derive(Debug, Deserialize)]
struct Update {
    server: Changes,
}

#[derive(Debug, Deserialize)]
struct Changes {
    name: Option<String>,
    #[serde(default, with = "double_option")]
    description: Option<Option<String>>,
    hostname: Option<String>,
}

/// Tells a field that is `null` from one that is not there.
pub(super) mod double_option {
    use serde::{Deserialize, Deserializer};

    pub(in crate::openstack) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<String>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let Changes { name, description, hostname } = cx.json::<Update>().await?.server;
    if name.as_ref().is_some_and(|name| name.trim().is_empty() || name.len() > 255) {
        return Err(Fault::bad_request("Invalid input for field/attribute name.").into());
    }
    cx.cloud
        .change(|model, now| {
            let mut server = model.server_mut(&caller, cx.param("id"))?;
            server.updated = now;
            if let Some(name) = name {
                server.name = name.trim().to_owned();
            }
            if let Some(description) = description {
                server.description = description;
            }
            if let Some(hostname) = hostname {
                server.hostname = host_name(&hostname);
            }
            Ok::<_, Error>(())
        })
        .await?;
    let model = cx.cloud.read();
    let server = model.server(&caller, cx.param("id"))?;
    Ok(one(&cx, &model, &caller, server, Depth::Changed))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    cx.cloud.act(&cx.caller()?, cx.param("id"), Request::Delete, &cx.request_id).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn addresses(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let server = model.server(&caller, cx.param("id"))?;
    let lens = Lens::new(&cx, &model, &caller);
    Ok(ok(&Wrapped("addresses", Addresses(&lens, server, false))))
}

pub(super) async fn addresses_on(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let server = model.server(&caller, cx.param("id"))?;
    let lens = Lens::new(&cx, &model, &caller);
    let addresses = Addresses(&lens, server, false);
    match addresses.entries().into_iter().find(|(name, _)| *name == cx.param("network")) {
        Some((name, views)) => Ok(ok(&std::collections::BTreeMap::from([(name, views)]))),
        None => Err(Fault::not_found("Network name not found").into()),
    }
}

/// A value below a name.
struct Wrapped<T>(&'static str, T);

impl<T: Serialize> Serialize for Wrapped<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}

/// A server in a list.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Brief(Brief<'a>),
    Full(Full<'a>),
}

#[derive(Serialize)]
struct List<'a> {
    servers: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers_links: Option<[NextLink; 1]>,
}

#[derive(Serialize)]
struct NextLink {
    rel: &'static str,
    href: String,
}

/// A server by itself, to add something to it.
pub(super) fn view(
    cx: &Context,
    model: &Model,
    caller: &Caller,
    server: &Server,
    depth: Depth,
) -> Value {
    json!(Full { lens: &Lens::new(cx, model, caller), server, depth, gone: None })
}

fn one(cx: &Context, model: &Model, caller: &Caller, server: &Server, depth: Depth) -> Response {
    let lens = Lens::new(cx, model, caller);
    ok(&Wrapped("server", Full { lens: &lens, server, depth, gone: None }))
}

fn page(
    cx: &Context,
    path: &str,
    show: for<'a> fn(&'a Lens<'a>, Row<'a>) -> Shown<'a>,
) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let filters = Filters::read(cx, &caller)?;
    let model = cx.cloud.read();
    let page = filters.page(cx, &model, &caller)?;
    let lens = Lens::new(cx, &model, &caller);
    let next = page.rows.last().filter(|_| page.more).map(|last| {
        let query =
            cx.raw_query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("marker="));
        let query: Vec<&str> = query.collect();
        let separator = if query.is_empty() { "" } else { "&" };
        let href = format!(
            "{}/compute/v2.1/{path}?{}{separator}marker={}",
            cx.cloud.api_url,
            query.join("&"),
            last.server.id
        );
        [NextLink { rel: "next", href }]
    });
    let servers: Vec<Shown<'_>> = page.rows.iter().map(|row| show(&lens, *row)).collect();
    let size = 1024 + servers.len() * SERVER_SIZE;
    Ok(sized_json(StatusCode::OK, &List { servers, servers_links: next }, size))
}
