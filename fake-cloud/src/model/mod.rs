//! What the cloud knows and decides: API-neutral, in memory, free of I/O.
//!
//! Every decision is a method that checks first and then changes: a refused one leaves the model
//! as it was. What has changed is collected by [`Model::take_changes`] for the store.

mod absence;
mod access_key;
pub mod address;
mod aggregate;
mod attachments;
mod capture;
mod catalogue;
mod compute_service;
mod creation;
pub mod error;
pub mod firewall;
mod flavor;
mod identity;
mod ids;
mod index;
mod interfaces;
mod launch;
mod launch_templates;
pub mod life;
mod lock;
mod machine_images;
mod moves;
mod network;
mod options;
mod placement;
pub mod quota;
pub mod reach;
mod rebuild;
mod renumber;
mod resize;
mod runs;
pub mod security;
mod seed;
#[cfg(test)]
mod sequences;
mod server;
mod server_groups;
mod servers;
mod sharing;
mod shortages;
mod table;
mod tenant;
mod terminated;
#[cfg(test)]
pub(crate) mod tests;
mod transfer;
mod usage;
mod volume;
mod volume_states;
mod volume_type;
mod volumes;
mod vpc;

pub use access_key::{AccessKey, AccessKeyPair};
pub use aggregate::Aggregate;
pub use attachments::AttachWanted;
pub(crate) use attachments::mount;
pub use capture::check_capture;
pub use catalogue::{Image, ImageStatus, KeyPair, Visibility};
pub use compute_service::ComputeService;
pub(crate) use creation::check_user_data;
pub use error::Error;
pub use flavor::{Flavor, NewFlavor};
pub use identity::{
    ADMIN, ApplicationCredential, Caller, DEFAULT_DOMAIN, Domain, Grantee, Group, IdentityChanges,
    NewApplicationCredential, NewUser, Project, Role, Scope, Token, TokenScope, User, token_id,
};
pub use ids::*;
pub use interfaces::AttachPlug;
pub use launch::{LaunchSource, LaunchVolume};
pub use launch_templates::{LaunchTemplate, LaunchTemplateVersion, WhichVersion};
pub use lock::Lock;
pub use machine_images::{CAPTURE_PROPERTIES, ImageOptions, ImageVolume, LaunchPermission};
pub use moves::Move;
pub use network::{
    AddressPair, Device, FixedIp, FloatingIp, Gateway, GatewayWanted, HostRoute, InterfaceWanted,
    Network, NewFloatingIp, NewNetwork, NewPort, NewRouter, NewSubnet, NewSubnetPool, Port,
    Provider, RbacPolicy, Router, StandardAttributes, Subnet, SubnetChanges, SubnetPool, Target,
    WantedIp,
};
pub use options::{MetadataOptions, Options};
pub use placement::Resources;
pub use rebuild::Rebuild;
pub use resize::Resize;
pub use security::{SecurityGroup, SecurityGroupRule};
pub use server::{ClientToken, Event, NewServers, Plug, Plugs, Server, host_name};
pub use server_groups::{Policy, ServerGroup};
pub use sharing::{Member, MemberStatus};
pub use shortages::Shortages;
pub use table::{Change, Changing, Record, Table};
pub use tenant::Tenant;
pub use terminated::Terminated;
pub use transfer::Transfer;
pub use usage::{PastServer, ServerUsage};
pub use volume::{
    Attachment, Modification, NewVolume, Orphans, Performance, Snapshot, Volume, VolumeState,
};
pub use volume_type::{DEFAULT_TYPE, VolumeType, VolumeTypeChanges};
pub use volumes::Removal;
pub(crate) use volumes::data_source;
pub use vpc::{GroupOfVpc, Route, RouteTable, RouteTarget, SubnetOptions, Vpc};

use address::Block;
use quota::Quotas;

/// The one machine of this cloud, as the API names it.
pub const HOST: &str = "fake-cloud";

/// The zone that this machine is in.
pub const ZONE: &str = "nova";

/// Declares the model as one table a line, and what must be done for every table.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $record:ty,)*) => {
        /// Everything the cloud knows.
        #[derive(Debug, Default)]
        pub struct Model {
            $($(#[$doc])* pub $name: Table<$record>,)*
            /// The quotas of projects that have none of their own.
            pub default_quotas: Quotas,
            /// What has nothing left, whatever the records say.
            pub shortages: Shortages,
            /// The only addresses that can answer, each in one place; any when there is none.
            pub carried: Option<Block>,
            /// The largest packet, in bytes, that any network can have.
            pub largest_packet: u32,
            /// Grows with every change.
            pub revision: u64,
        }

        impl Model {
            /// Takes what has changed since the last call.
            pub fn take_changes(&mut self) -> Vec<Change> {
                let mut changes = Vec::new();
                $(self.$name.take_changes(&mut changes);)*
                changes
            }

            /// Whether every index is in step with its table.
            #[cfg(test)]
            pub(crate) fn is_in_step(&self) -> bool {
                true $(&& self.$name.is_in_step())*
            }

            /// Puts back a record from the store; `false` when its kind is not known.
            pub fn restore(
                &mut self,
                kind: &str,
                sequence: u64,
                content: &str,
            ) -> serde_json::Result<bool> {
                match kind {
                    $(<$record as Record>::KIND => self.$name.restore(sequence, content)?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

tables! {
    /// Domains.
    domains: Domain,
    /// Projects.
    projects: Project,
    /// Users.
    users: User,
    /// Groups of users.
    groups: Group,
    /// What programs log in with.
    application_credentials: ApplicationCredential,
    /// Roles.
    roles: Role,
    /// Tokens, in the order of their ends.
    tokens: Token,
    /// Keys of the EC2 API.
    access_keys: AccessKey,
    /// Projects as this region knows them.
    tenants: Tenant,
    /// Flavors.
    flavors: Flavor,
    /// Images.
    images: Image,
    /// Key pairs.
    key_pairs: KeyPair,
    /// Networks.
    networks: Network,
    /// Subnets.
    subnets: Subnet,
    /// Subnet pools.
    subnet_pools: SubnetPool,
    /// Ports.
    ports: Port,
    /// Routers.
    routers: Router,
    /// Route tables.
    route_tables: RouteTable,
    /// Floating IPs.
    floating_ips: FloatingIp,
    /// Security groups.
    security_groups: SecurityGroup,
    /// Rules of security groups.
    security_group_rules: SecurityGroupRule,
    /// Groups of servers.
    server_groups: ServerGroup,
    /// Host aggregates.
    aggregates: Aggregate,
    /// What is said of the service that runs servers.
    compute_services: ComputeService,
    /// Servers.
    servers: Server,
    /// Servers that are gone, for a while.
    terminated: Terminated,
    /// What servers that are gone have used.
    past_servers: PastServer,
    /// Volumes.
    volumes: Volume,
    /// Snapshots of volumes.
    snapshots: Snapshot,
    /// Types of volumes.
    volume_types: VolumeType,
    /// Volumes that are offered to other projects.
    transfers: Transfer,
    /// Launch templates.
    launch_templates: LaunchTemplate,
}
