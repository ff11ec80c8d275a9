//! Servers as Nova shows them, which depends on the version of the API and on who looks. Written
//! straight from the model, because lists of servers are what clients ask for most.

use std::fmt::Display;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::model::life::State;
use crate::model::{Caller, Flavor, HOST, ImageId, Model, SecurityGroupId, Server, VolumeId};
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, Zulu};

/// What all servers of an answer have in common.
pub(super) struct Lens<'a> {
    model: &'a Model,
    api_url: &'a str,
    version: Microversion,
    is_admin: bool,
}

/// How much of a server is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// In a list of all details.
    Listed,
    /// On its own.
    Alone,
    /// After a change, before version 2.75: the core only.
    Changed,
}

impl<'a> Lens<'a> {
    pub(super) fn new(cx: &'a Context, model: &'a Model, caller: &Caller) -> Self {
        Self { model, api_url: &cx.cloud.api_url, version: cx.version, is_admin: caller.is_admin }
    }

    pub(super) fn links<'b>(&'b self, collection: &'static str, id: &'b dyn Display) -> Links<'b> {
        Links { api_url: self.api_url, collection, id, bookmark_only: false }
    }

    fn bookmark<'b>(&'b self, collection: &'static str, id: &'b dyn Display) -> Links<'b> {
        Links { api_url: self.api_url, collection, id, bookmark_only: true }
    }

    /// Whether the answer's version is at least `2.<minor>`.
    fn since(&self, minor: u16) -> bool {
        self.version >= Microversion(minor)
    }
}

/// The links to something, with the API's version in the path and without.
pub(super) struct Links<'a> {
    pub(super) api_url: &'a str,
    pub(super) collection: &'static str,
    pub(super) id: &'a dyn Display,
    pub(super) bookmark_only: bool,
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Link<'a> {
            rel: &'a str,
            href: Text<std::fmt::Arguments<'a>>,
        }
        let Self { api_url, collection, id, .. } = self;
        let mut links = serializer.serialize_seq(None)?;
        if !self.bookmark_only {
            let href = Text(format_args!("{api_url}/compute/v2.1/{collection}/{id}"));
            links.serialize_element(&Link { rel: "self", href })?;
        }
        let href = Text(format_args!("{api_url}/compute/{collection}/{id}"));
        links.serialize_element(&Link { rel: "bookmark", href })?;
        links.end()
    }
}

/// Something written as a string.
struct Text<D>(D);

impl<D: Display> Serialize for Text<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A server's id, name and links.
pub(super) struct Brief<'a>(pub(super) &'a Lens<'a>, pub(super) &'a Server);

impl Serialize for Brief<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(lens, server) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &server.id)?;
        map.serialize_entry("name", &server.name)?;
        map.serialize_entry("links", &lens.links("servers", &server.id))?;
        map.end()
    }
}

/// A server with all that may be shown.
pub(super) struct Full<'a> {
    /// What it has in common with others.
    pub(super) lens: &'a Lens<'a>,
    /// The server.
    pub(super) server: &'a Server,
    /// How much of it is shown.
    pub(super) depth: Depth,
    /// When it went, if it is gone.
    pub(super) gone: Option<OffsetDateTime>,
}

impl Serialize for Full<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { lens, server, .. } = *self;
        let mut map = serializer.serialize_map(None)?;
        self.core(&mut map)?;
        if self.is_whole() {
            self.extended(&mut map)?;
            if lens.is_admin {
                self.for_admin(&mut map)?;
            } else if lens.since(90) {
                map.serialize_entry("OS-EXT-SRV-ATTR:hostname", &server.hostname)?;
            }
            self.later(&mut map)?;
        } else {
            if lens.since(9) {
                map.serialize_entry("locked", &server.lock.is_some())?;
            }
            if lens.since(19) {
                map.serialize_entry("description", &server.description)?;
            }
            if lens.since(26) {
                map.serialize_entry("tags", &server.tags)?;
            }
        }
        map.end()
    }
}

impl Full<'_> {
    /// Whether extensions of the API add to it.
    fn is_whole(&self) -> bool {
        self.depth != Depth::Changed || self.lens.since(75)
    }

    fn core<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { lens, server, gone, .. } = *self;
        map.serialize_entry("accessIPv4", "")?;
        map.serialize_entry("accessIPv6", "")?;
        let extended = self.is_whole();
        map.serialize_entry("addresses", &Addresses(lens, server, extended))?;
        map.serialize_entry("created", &Zulu(server.created))?;
        map.serialize_entry("flavor", &FlavorOf(lens, &server.flavor))?;
        let host_id = match server.launched {
            Some(_) => lens.model.tenants.get(server.project_id).map_or("", |it| &it.host_id),
            None => "",
        };
        map.serialize_entry("hostId", host_id)?;
        map.serialize_entry("id", &server.id)?;
        if server.volume_backed {
            map.serialize_entry("image", "")?;
        } else {
            map.serialize_entry("image", &ImageOf(lens, server.image_id))?;
        }
        map.serialize_entry("links", &lens.links("servers", &server.id))?;
        map.serialize_entry("metadata", &server.metadata)?;
        map.serialize_entry("name", &server.name)?;
        let status = if gone.is_some() { "DELETED" } else { server.status() };
        map.serialize_entry("status", status)?;
        map.serialize_entry("tenant_id", &server.project_id)?;
        map.serialize_entry("user_id", &server.user_id)?;
        map.serialize_entry("updated", &Zulu(gone.unwrap_or(server.updated)))?;
        map.serialize_entry("OS-DCF:diskConfig", "MANUAL")?;
        if matches!(status, "ACTIVE" | "BUILD") {
            map.serialize_entry("progress", &0)?;
        }
        if let (State::Error, Some(fault)) = (server.state, &server.fault) {
            #[derive(Serialize)]
            struct View<'a> {
                code: u16,
                created: Zulu,
                message: &'a str,
            }
            let view = View { code: 500, created: Zulu(fault.created), message: &fault.message };
            map.serialize_entry("fault", &view)?;
        }
        Ok(())
    }

    fn extended<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { lens, server, gone, .. } = *self;
        let zone = if server.is_placed() { lens.model.zone() } else { "" };
        map.serialize_entry("OS-EXT-AZ:availability_zone", zone)?;
        map.serialize_entry("config_drive", "")?;
        map.serialize_entry("key_name", &server.key.as_ref().map(|(name, _)| name))?;
        map.serialize_entry("OS-SRV-USG:launched_at", &server.launched.map(Micros))?;
        map.serialize_entry("OS-SRV-USG:terminated_at", &gone.map(Micros))?;
        if !server.security_groups.is_empty() {
            map.serialize_entry("security_groups", &Groups(lens, &server.security_groups))?;
        }
        let alive = gone.is_none();
        let task = server.task.filter(|_| alive).map(|task| task.name());
        let state = if alive { server.state.vm_state() } else { "deleted" };
        let power = if alive { server.power_state() } else { 0 };
        map.serialize_entry("OS-EXT-STS:task_state", &task)?;
        map.serialize_entry("OS-EXT-STS:vm_state", state)?;
        map.serialize_entry("OS-EXT-STS:power_state", &power)?;
        map.serialize_entry("os-extended-volumes:volumes_attached", &Volumes(lens, server))
    }

    fn for_admin<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { lens, server, gone, .. } = *self;
        let host = (server.is_placed() && gone.is_none()).then_some(HOST);
        map.serialize_entry("OS-EXT-SRV-ATTR:host", &host)?;
        map.serialize_entry("OS-EXT-SRV-ATTR:instance_name", &server.instance_name())?;
        map.serialize_entry("OS-EXT-SRV-ATTR:hypervisor_hostname", &host)?;
        if lens.since(3) {
            map.serialize_entry("OS-EXT-SRV-ATTR:hostname", &server.hostname)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:kernel_id", "")?;
            map.serialize_entry("OS-EXT-SRV-ATTR:launch_index", &server.launch_index)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:ramdisk_id", "")?;
            map.serialize_entry("OS-EXT-SRV-ATTR:reservation_id", &server.reservation_id)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:root_device_name", "/dev/sda")?;
            map.serialize_entry("OS-EXT-SRV-ATTR:user_data", &server.user_data)?;
        }
        if lens.since(16) {
            map.serialize_entry("host_status", "UP")?;
        }
        Ok(())
    }

    fn later<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { lens, server, depth, .. } = *self;
        if lens.since(9) {
            map.serialize_entry("locked", &server.lock.is_some())?;
        }
        if lens.since(19) {
            map.serialize_entry("description", &server.description)?;
        }
        if lens.since(26) {
            map.serialize_entry("tags", &server.tags)?;
        }
        if lens.since(63) {
            map.serialize_entry("trusted_image_certificates", &())?;
        }
        if lens.since(71) && depth != Depth::Listed {
            let group = server.group_id.filter(|id| lens.model.server_groups.get(*id).is_some());
            map.serialize_entry("server_groups", &Vec::from_iter(group))?;
        }
        if lens.since(73) {
            let reason = server.lock.as_ref().and_then(|lock| lock.reason.as_ref());
            map.serialize_entry("locked_reason", &reason)?;
        }
        if lens.since(96) {
            map.serialize_entry("pinned_availability_zone", &())?;
        }
        if lens.since(100) {
            map.serialize_entry("scheduler_hints", &server.scheduler_hints)?;
        }
        Ok(())
    }
}

/// The addresses of a server by network; with their kinds and hardware addresses if wanted.
pub(super) struct Addresses<'a>(pub(super) &'a Lens<'a>, pub(super) &'a Server, pub(super) bool);

impl Addresses<'_> {
    /// The networks' names and the addresses there.
    pub(super) fn entries(&self) -> Vec<(&str, Vec<AddressView<'_>>)> {
        let Self(lens, server, extended) = *self;
        let mut entries: Vec<(&str, Vec<AddressView<'_>>)> = Vec::with_capacity(1);
        for port in lens.model.ports_of(server) {
            let Some(network) = lens.model.networks.get(port.network_id) else { continue };
            let view = |address, kind| AddressView {
                version: 4,
                addr: Text(address),
                kind: extended.then_some(kind),
                mac: extended.then_some(&port.mac),
            };
            let fixed = port.fixed_ips.iter().map(|fixed| view(fixed.address, "fixed"));
            let floating = lens.model.floating_ips_of(port.id);
            let floating = floating.map(|ip| view(ip.address, "floating"));
            let views = fixed.chain(floating);
            match entries.iter_mut().find(|(name, _)| *name == network.name) {
                Some((_, known)) => known.extend(views),
                None => entries.push((&network.name, views.collect())),
            }
        }
        entries
    }
}

impl Serialize for Addresses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A server that is not placed yet has no addresses to show.
        let shown = self.1.state != State::Building;
        serializer.collect_map(if shown { self.entries() } else { Vec::new() })
    }
}

/// One address.
#[derive(Serialize)]
pub(super) struct AddressView<'a> {
    version: u8,
    addr: Text<std::net::Ipv4Addr>,
    #[serde(rename = "OS-EXT-IPS:type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(rename = "OS-EXT-IPS-MAC:mac_addr", skip_serializing_if = "Option::is_none")]
    mac: Option<&'a String>,
}

struct FlavorOf<'a>(&'a Lens<'a>, &'a Flavor);

impl Serialize for FlavorOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(lens, flavor) = self;
        let mut map = serializer.serialize_map(None)?;
        if lens.since(47) {
            map.serialize_entry("vcpus", &flavor.vcpus)?;
            map.serialize_entry("ram", &flavor.ram_mib)?;
            map.serialize_entry("disk", &flavor.disk_gib)?;
            map.serialize_entry("ephemeral", &flavor.ephemeral_gib)?;
            map.serialize_entry("swap", &flavor.swap_mib)?;
            map.serialize_entry("original_name", &flavor.name)?;
            map.serialize_entry("extra_specs", &flavor.extra_specs)?;
        } else {
            map.serialize_entry("id", &flavor.shown_id())?;
            map.serialize_entry("links", &lens.bookmark("flavors", &flavor.shown_id()))?;
        }
        map.end()
    }
}

struct ImageOf<'a>(&'a Lens<'a>, ImageId);

impl Serialize for ImageOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(lens, id) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("links", &lens.bookmark("images", id))?;
        if lens.since(98) {
            let image = lens.model.images.get(*id);
            map.serialize_entry("properties", &image.map(|image| &image.properties))?;
        }
        map.end()
    }
}

struct Volumes<'a>(&'a Lens<'a>, &'a Server);

impl Serialize for Volumes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Attached {
            id: VolumeId,
            #[serde(skip_serializing_if = "Option::is_none")]
            delete_on_termination: Option<bool>,
        }
        let Self(lens, server) = self;
        let volumes = lens.model.volumes_of(server.id);
        serializer.collect_seq(volumes.map(|(volume, held)| Attached {
            id: volume.id,
            delete_on_termination: lens.since(3).then_some(held.delete_on_termination),
        }))
    }
}

struct Groups<'a>(&'a Lens<'a>, &'a [SecurityGroupId]);

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'a> {
            name: &'a str,
        }
        let name = |id: &SecurityGroupId| {
            Some(Named { name: &self.0.model.security_groups.get(*id)?.name })
        };
        serializer.collect_seq(self.1.iter().filter_map(name))
    }
}
