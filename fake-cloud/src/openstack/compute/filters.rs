//! Which servers a list shows: filters, order and pages, as the query asks.

use std::cmp::Ordering;

use regex_lite::Regex;
use time::OffsetDateTime;

use super::times;
use crate::model::{Caller, HOST, Model, Server, ServerId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;

/// The longest page.
const PAGE_MAX: usize = 1000;

/// What a query asks of each server.
#[derive(Debug)]
pub(super) struct Filters {
    all_projects: bool,
    /// Whether servers are shown that are gone, that are not, or both.
    gone: Option<bool>,
    since: Option<OffsetDateTime>,
    before: Option<OffsetDateTime>,
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
    any_tags: Vec<String>,
    not_any_tags: Vec<String>,
    locked: Option<bool>,
    host: Option<String>,
    zone: Option<String>,
    states: Vec<String>,
    reservation: Option<String>,
    description: Option<Regex>,
    hostname: Option<Regex>,
}

/// A server in a list, and when it went if it is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) server: &'a Server,
    pub(super) gone: Option<OffsetDateTime>,
}

/// Servers of one page, and whether there are more.
pub(super) struct Page<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) more: bool,
}

/// What `status` may be.
const STATUSES: [&str; 16] = [
    "ACTIVE",
    "BUILD",
    "REBUILD",
    "SHUTOFF",
    "PAUSED",
    "SUSPENDED",
    "REBOOT",
    "HARD_REBOOT",
    "RESIZE",
    "VERIFY_RESIZE",
    "REVERT_RESIZE",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "ERROR",
    "DELETED",
    "RESCUE",
];

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
        let since = times::query(cx, "changes-since")?;
        let before = times::query(cx, "changes-before")?.filter(|_| cx.since(66));
        if since.zip(before).is_some_and(|(since, before)| since > before) {
            return Err(Fault::bad_request(
                "The value of changes-since must be less than or equal to changes-before.",
            ));
        }
        let statuses: Vec<String> = cx.queries("status").map(str::to_uppercase).collect();
        let for_gone = statuses.iter().any(|status| status == "DELETED");
        if for_gone && !caller.is_admin {
            return Err(Fault::forbidden("Only administrators may list deleted instances"));
        }
        let unknown = |status: &&String| !STATUSES.contains(&status.as_str());
        if cx.since(38) && statuses.iter().any(|status| unknown(&status)) {
            return Err(Fault::bad_request("Invalid status value"));
        }
        let gone = match cx.query("deleted").filter(|_| caller.is_admin) {
            Some(_) => Some(flag(cx, "deleted")),
            None if for_gone => None,
            None if since.is_some() => None,
            None => Some(false),
        };
        Ok(Self {
            all_projects: wants_all,
            gone,
            since,
            before,
            name: expression(cx, "name")?,
            ip: expression(cx, "ip")?,
            statuses,
            id: text("uuid"),
            flavor: text("flavor"),
            image: text("image"),
            project: text("project_id").or_else(|| text("tenant_id")),
            user: text("user_id"),
            key_name: text("key_name"),
            tags: list("tags"),
            not_tags: list("not-tags"),
            any_tags: list("tags-any"),
            not_any_tags: list("not-tags-any"),
            locked: cx.query("locked").filter(|_| cx.since(73)).map(|_| flag(cx, "locked")),
            host: text("host").filter(|_| caller.is_admin),
            zone: text("availability_zone"),
            states: cx.queries("vm_state").map(str::to_lowercase).collect(),
            reservation: text("reservation_id"),
            description: expression(cx, "description")?,
            hostname: expression(cx, "hostname")?,
        })
    }

    fn accept(&self, model: &Model, caller: &Caller, row: Row<'_>) -> bool {
        let Row { server, gone } = row;
        let is = |wanted: &Option<String>, actual: &dyn std::fmt::Display| {
            wanted.as_ref().is_none_or(|wanted| *wanted == actual.to_string())
        };
        let tagged = |tag: &String| server.tags.contains(tag);
        let at = |wanted: &Regex| {
            let mut fixed = model.ports_of(server).flat_map(|port| &port.fixed_ips);
            fixed.any(|fixed| wanted.is_match(&fixed.address.to_string()))
        };
        let matches = |wanted: &Option<Regex>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.is_match(actual))
        };
        let status = if gone.is_some() { "DELETED" } else { server.status() };
        let state = if gone.is_some() { "deleted" } else { server.state.vm_state() };
        let updated = gone.unwrap_or(server.updated);
        let placed = |name: &str| gone.is_none() && server.is_placed() && name == HOST;
        self.gone.is_none_or(|wanted| wanted == gone.is_some())
            && self.since.is_none_or(|since| updated >= since)
            && self.before.is_none_or(|before| updated <= before)
            && (self.all_projects || caller.project_id == Some(server.project_id))
            && matches(&self.name, &server.name)
            && matches(&self.description, server.description.as_deref().unwrap_or_default())
            && matches(&self.hostname, &server.hostname)
            && self.ip.as_ref().is_none_or(at)
            && (self.statuses.is_empty() || self.statuses.iter().any(|wanted| wanted == status))
            && (self.states.is_empty() || self.states.iter().any(|wanted| wanted == state))
            && is(&self.id, &server.id)
            && self.flavor.as_ref().is_none_or(|wanted| *wanted == server.flavor.shown_id())
            && is(&self.image, &server.image_id)
            && (!self.all_projects || is(&self.project, &server.project_id))
            && is(&self.reservation, &server.reservation_id)
            && self.locked.is_none_or(|locked| locked == server.lock.is_some())
            && self.host.as_deref().is_none_or(placed)
            && self.zone.as_deref().is_none_or(|zone| zone == model.zone())
            && is(&self.user, &server.user_id)
            && self
                .key_name
                .as_ref()
                .is_none_or(|wanted| server.key.as_ref().is_some_and(|(name, _)| name == wanted))
            && self.tags.iter().all(tagged)
            && (self.not_tags.is_empty() || !self.not_tags.iter().all(tagged))
            && (self.any_tags.is_empty() || self.any_tags.iter().any(tagged))
            && !self.not_any_tags.iter().any(tagged)
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
        let ordered = ["sort_key", "sort_dir"].iter().any(|name| cx.query(name).is_some());
        if self.gone == Some(false) && !ordered {
            return self.newest(cx, model, caller, limit);
        }
        let present = model.servers.iter().rev().map(|server| Row { server, gone: None });
        let gone = model.lately_terminated(cx.cloud.now());
        let gone = gone.filter(|_| self.gone != Some(false));
        let gone = gone.map(|it| Row { server: &it.server, gone: Some(it.at) });
        let rows = present.chain(gone).filter(|row| self.accept(model, caller, *row));
        let mut rows: Vec<Row<'_>> = rows.collect();
        if self.gone != Some(false) {
            rows.sort_by_key(|row| std::cmp::Reverse(row.server.number));
        }
        sort(&mut rows, cx)?;
        let start = match cx.query("marker") {
            None => 0,
            Some(marker) => {
                let id: Option<ServerId> = marker.parse().ok();
                let place = rows.iter().position(|row| Some(row.server.id) == id);
                1 + place.ok_or_else(|| unknown_marker(marker))?
            }
        };
        let more = rows.len() > start + limit;
        let rows = rows.into_iter().skip(start).take(limit).collect();
        Ok(Page { rows, more })
    }

    /// The page without an order of its own: the newest come first, as Nova has it. It begins at
    /// its marker, without a look at what came before.
    fn newest<'a>(
        &self,
        cx: &Context,
        model: &'a Model,
        caller: &Caller,
        limit: usize,
    ) -> Result<Page<'a>, Fault> {
        let end = match cx.query("marker") {
            None => u64::MAX,
            Some(marker) => {
                let server = marker.parse().ok().and_then(|id| model.servers.get(id));
                let seen = |server: &&Server| {
                    self.all_projects || caller.project_id == Some(server.project_id)
                };
                let server = server.filter(seen).ok_or_else(|| unknown_marker(marker))?;
                model.servers.sequence(server.id)
            }
        };
        let older = model.servers.before(end).rev().map(|server| Row { server, gone: None });
        let mut rows = older.filter(|row| self.accept(model, caller, *row));
        let page = rows.by_ref().take(limit).collect();
        Ok(Page { rows: page, more: rows.next().is_some() })
    }
}

fn sort(rows: &mut [Row<'_>], cx: &Context) -> Result<(), Fault> {
    let keys: Vec<&str> = cx.queries("sort_key").collect();
    let directions: Vec<&str> = cx.queries("sort_dir").collect();
    if let Some(wrong) = directions.iter().find(|word| !["asc", "desc"].contains(*word)) {
        return Err(Fault::bad_request(format!(
            "Invalid input for query parameters sort_dir. Value: {wrong}. It must be asc or desc."
        )));
    }
    // The last key first: each sort keeps the order of the one before among equals.
    for (index, key) in keys.iter().enumerate().rev() {
        // Without a direction of its own a key has that of the first.
        let direction = directions.get(index).or(directions.first()).copied();
        let descending = direction.unwrap_or("desc") == "desc";
        let order = order(key).ok_or_else(|| {
            Fault::bad_request(format!(
                "Invalid input for query parameters sort_key. Value: {key}."
            ))
        })?;
        rows.sort_by(|a, b| {
            let order = order(a.server, b.server);
            if descending { order.reverse() } else { order }
        });
    }
    Ok(())
}

/// How servers are compared by a key; nothing for one that there is not.
fn order(key: &str) -> Option<fn(&Server, &Server) -> Ordering> {
    Some(match key {
        "display_name" | "name" => |a, b| a.name.cmp(&b.name),
        "created_at" => |a, b| a.created.cmp(&b.created),
        "updated_at" => |a, b| a.updated.cmp(&b.updated),
        "launched_at" => |a, b| a.launched.cmp(&b.launched),
        "launch_index" => |a, b| a.launch_index.cmp(&b.launch_index),
        "uuid" => |a, b| a.id.cmp(&b.id),
        "vm_state" => |a, b| a.state.vm_state().cmp(b.state.vm_state()),
        "power_state" => |a, b| a.power_state().cmp(&b.power_state()),
        "task_state" => |a, b| {
            let name = |server: &Server| server.task.map(|task| task.name());
            name(a).cmp(&name(b))
        },
        "display_description" => |a, b| a.description.cmp(&b.description),
        "hostname" => |a, b| a.hostname.cmp(&b.hostname),
        "image_ref" => |a, b| a.image_id.cmp(&b.image_id),
        "instance_type_id" => |a, b| a.flavor.id.cmp(&b.flavor.id),
        "project_id" => |a, b| a.project_id.cmp(&b.project_id),
        "key_name" => |a, b| {
            let name = |server: &Server| server.key.as_ref().map(|(name, _)| name.clone());
            name(a).cmp(&name(b))
        },
        "locked" => |a, b| a.lock.is_some().cmp(&b.lock.is_some()),
        // All servers are the same in these.
        "access_ip_v4" | "access_ip_v6" | "auto_disk_config" | "availability_zone"
        | "config_drive" | "host" | "kernel_id" | "node" => |_, _| Ordering::Equal,
        _ => return None,
    })
}

fn unknown_marker(marker: &str) -> Fault {
    Fault::bad_request(format!("marker [{marker}] not found"))
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
