//! Which servers a list shows: filters, order and pages, as the query asks.

use regex_lite::Regex;

use crate::model::{Caller, Model, Server, ServerId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;

/// The longest page.
const PAGE_MAX: usize = 1000;

/// What a query asks of each server.
#[derive(Debug)]
pub(super) struct Filters {
    all_projects: bool,
    deleted: bool,
    name: Option<Regex>,
    ip: Option<Regex>,
    statuses: Vec<String>,
    id: Option<String>,
    flavor: Option<String>,
    image: Option<String>,
    project: Option<String>,
    user: Option<String>,
    key_name: Option<String>,
    tags: Vec<String>,
    not_tags: Vec<String>,
}

/// Servers of one page, and whether there are more.
pub(super) struct Page<'a> {
    pub(super) servers: Vec<&'a Server>,
    pub(super) more: bool,
}

impl Filters {
    pub(super) fn read(cx: &Context, caller: &Caller) -> Result<Self, Fault> {
        let text = |name: &str| cx.query(name).map(str::to_owned);
        let list = |name: &str| -> Vec<String> {
            let words = cx.query(name).into_iter().flat_map(|words| words.split(','));
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let wants_all = flag(cx, "all_tenants") || flag(cx, "all_projects");
        if wants_all && !caller.is_admin {
            return Err(Fault::forbidden(
                "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.",
            ));
        }
        Ok(Self {
            all_projects: wants_all,
            deleted: flag(cx, "deleted"),
            name: expression(cx, "name")?,
            ip: expression(cx, "ip")?,
            statuses: cx.queries("status").map(str::to_uppercase).collect(),
            id: text("uuid"),
            flavor: text("flavor"),
            image: text("image"),
            project: text("project_id").or_else(|| text("tenant_id")),
            user: text("user_id"),
            key_name: text("key_name"),
            tags: list("tags"),
            not_tags: list("not-tags"),
        })
    }

    fn accept(&self, model: &Model, caller: &Caller, server: &Server) -> bool {
        let is = |wanted: &Option<String>, actual: &dyn std::fmt::Display| {
            wanted.as_ref().is_none_or(|wanted| *wanted == actual.to_string())
        };
        let tagged = |tag: &String| server.tags.contains(tag);
        let at = |wanted: &Regex| {
            let mut fixed = model.ports_of(server).flat_map(|port| &port.fixed_ips);
            fixed.any(|fixed| wanted.is_match(&fixed.address.to_string()))
        };
        // Servers that are gone are not kept.
        !self.deleted
            && (self.all_projects || caller.project_id == Some(server.project_id))
            && self.name.as_ref().is_none_or(|name| name.is_match(&server.name))
            && self.ip.as_ref().is_none_or(at)
            && (self.statuses.is_empty()
                || self.statuses.iter().any(|status| status == server.status()))
            && is(&self.id, &server.id)
            && is(&self.flavor, &server.flavor.id)
            && is(&self.image, &server.image_id)
            && (!self.all_projects || is(&self.project, &server.project_id))
            && is(&self.user, &server.user_id)
            && self
                .key_name
                .as_ref()
                .is_none_or(|wanted| server.key.as_ref().is_some_and(|(name, _)| name == wanted))
            && self.tags.iter().all(tagged)
            && (self.not_tags.is_empty() || !self.not_tags.iter().all(tagged))
    }

    /// The page that the query asks for.
    pub(super) fn page<'a>(
        &self,
        cx: &Context,
        model: &'a Model,
        caller: &Caller,
    ) -> Result<Page<'a>, Fault> {
        let limit: Option<usize> = cx.parsed_query("limit")?;
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        // The newest come first, as Nova has it.
        let accepted =
            model.servers.iter().rev().filter(|server| self.accept(model, caller, server));
        let mut servers: Vec<&Server> = accepted.collect();
        sort(&mut servers, cx);
        let start = match cx.query("marker") {
            None => 0,
            Some(marker) => {
                let id: Option<ServerId> = marker.parse().ok();
                let place = servers.iter().position(|server| Some(server.id) == id);
                1 + place
                    .ok_or_else(|| Fault::bad_request(format!("marker [{marker}] not found")))?
            }
        };
        let more = servers.len() > start + limit;
        let servers = servers.into_iter().skip(start).take(limit).collect();
        Ok(Page { servers, more })
    }
}

fn sort(servers: &mut [&Server], cx: &Context) {
    let keys: Vec<&str> = cx.queries("sort_key").collect();
    let directions: Vec<&str> = cx.queries("sort_dir").collect();
    // The last key first: each sort keeps the order of the one before among equals.
    for (index, key) in keys.iter().enumerate().rev() {
        match *key {
            "display_name" | "name" => servers.sort_by(|a, b| a.name.cmp(&b.name)),
            "created_at" => servers.sort_by_key(|server| server.created),
            "updated_at" => servers.sort_by_key(|server| server.updated),
            "uuid" => servers.sort_by_key(|server| server.id),
            "vm_state" => servers.sort_by_key(|server| server.state.vm_state()),
            "display_description" => {
                servers.sort_by(|a, b| a.description.cmp(&b.description));
            }
            _ => continue,
        }
        if directions.get(index).copied().unwrap_or("desc") == "desc" {
            servers.reverse();
        }
    }
}

fn flag(cx: &Context, name: &str) -> bool {
    let truth = ["", "1", "t", "true", "on", "y", "yes"];
    cx.query(name).is_some_and(|value| truth.contains(&value.to_lowercase().as_str()))
}

fn expression(cx: &Context, name: &str) -> Result<Option<Regex>, Fault> {
    let compile = |text: &str| {
        Regex::new(text).map_err(|_| {
            Fault::bad_request(format!("Invalid input for query parameters {name}. Value: {text}."))
        })
    };
    cx.query(name).map(compile).transpose()
}
