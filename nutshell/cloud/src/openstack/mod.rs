//! The OpenStack driver: Keystone v3, Nova 2.1, Neutron v2.0, Glance v2, Cinder v3.
//!
//! `session` makes calls, `compute`, `network`, `image`, `volume` and `security_group` are one thin function a
//! call, and here, in `volumes` and in `security_groups` the calls become what the contract promises. An order
//! of steps matters twice:
//!
//! * Create: the server first, tagged by the same call; then its address, which is born attached and tagged.
//!   Killed anywhere, only tagged things are left.
//! * Delete: the address first, then the server. Killed between, the server is still there to be found.

mod auth;
mod catalog;
mod compute;
mod fault;
mod image;
mod names;
mod network;
mod security_group;
mod security_groups;
mod session;
mod settings;
mod volume;
mod volumes;

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

pub use self::settings::{Interface, Settings};

use self::names::{Kind, Names};
use self::session::Session;
use crate::fault::check_tags;
use crate::offer::offer;
use crate::patience::{in_time, undo_server, until_gone};
use crate::pauses;
use crate::{Cloud, CloudError, InstanceType, NewServer, Server, ServerState};

/// One project on one OpenStack cloud.
#[derive(Debug)]
pub struct OpenStack {
    name: String,
    settings: Settings,
    session: Session,
    names: Names,
}

/// A server that can be asked for: every name resolved, every text encoded, nothing made yet.
#[derive(Debug)]
struct Plan {
    server: compute::NewServerRecord,
    address: Option<AddressPlan>,
}

/// The floating address that a planned server gets.
#[derive(Debug)]
struct AddressPlan {
    pool: String,
    pool_id: String,
    description: String,
}

impl OpenStack {
    /// Prepares to use a cloud; speaks to it at the first call only.
    pub fn new(name: impl Into<String>, settings: Settings) -> Result<Self, CloudError> {
        let session = Session::new(&settings)?;
        Ok(Self { name: name.into(), settings, session, names: Names::default() })
    }

    async fn id(&self, kind: Kind, wanted: &str) -> Result<String, CloudError> {
        self.names.id(&self.session, kind, wanted).await
    }

    async fn plan(&self, new: &NewServer) -> Result<Plan, CloudError> {
        check_tags("server", &new.name, &new.tags)?;
        let settings = &self.settings;
        let flavor = new.instance_type.as_ref().unwrap_or(&settings.flavor);
        let network = match &settings.network {
            Some(network) => Some(self.id(Kind::Network, network).await?),
            None => None,
        };
        let address = match &settings.floating_pool {
            Some(pool) => Some(AddressPlan {
                pool: pool.clone(),
                pool_id: self.id(Kind::FloatingPool, pool).await?,
                description: network::describe("a floating address", &new.tags)?,
            }),
            None => None,
        };
        let server = compute::NewServerRecord {
            name: new.name.clone(),
            image: self.id(Kind::Image, &settings.image).await?,
            flavor: self.id(Kind::Flavor, flavor).await?,
            network,
            security_groups: match new.security_groups.as_slice() {
                [] => settings.security_groups.clone(),
                asked => asked.to_vec(),
            },
            key_name: settings.key_name.clone(),
            user_data: compute::encode_user_data(&new.user_data)?,
            metadata: new.tags.clone(),
        };
        Ok(Plan { server, address })
    }

    /// Waits for the server, and gives it its address.
    async fn complete(&self, id: &str, plan: &Plan) -> Result<Server, CloudError> {
        let mut server = self.until_active(id, &plan.server.name).await?;
        if let Some(address) = &plan.address {
            server.public_ip = Some(self.address_attach(id, plan, address).await?);
        }
        Ok(server)
    }

    async fn until_active(&self, id: &str, name: &str) -> Result<Server, CloudError> {
        let failed = |fault: &str| {
            Err(CloudError::ServerFailed { name: name.to_owned(), fault: fault.to_owned() })
        };
        let mut pauses = pauses::growing();
        loop {
            let Some(record) = compute::server(&self.session, id).await? else {
                return failed("somebody deleted it while it was being made");
            };
            match record.state() {
                ServerState::Active => return Ok(record.into()),
                ServerState::Failed => return failed(&record.fault()),
                ServerState::Deleting => return failed("somebody is deleting it"),
                ServerState::Building | ServerState::Stopped | ServerState::Unknown => {}
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    async fn address_attach(
        &self,
        id: &str,
        plan: &Plan,
        address: &AddressPlan,
    ) -> Result<Ipv4Addr, CloudError> {
        let ports = network::ports(&self.session, id).await?;
        let port = network::choose_port(&ports, plan.server.network.as_deref());
        let port = port.ok_or_else(|| CloudError::ServerFailed {
            name: plan.server.name.clone(),
            fault: "it has no port with an IPv4 address, so no floating address can reach it"
                .into(),
        })?;
        let AddressPlan { pool, pool_id, description } = address;
        let created =
            network::floating_address_create(&self.session, pool_id, &port.id, description).await;
        match created {
            Ok(created) => Ok(created.address),
            Err(CloudError::AddressesExhausted { .. }) => {
                Err(CloudError::AddressesExhausted { pool: pool.clone() })
            }
            Err(error) => Err(error),
        }
    }

    /// Releases the addresses that were made for this server; one that somebody attached by hand is theirs.
    async fn addresses_release(&self, server: &compute::ServerRecord) -> Result<(), CloudError> {
        for port in network::ports(&self.session, &server.id).await? {
            for address in network::floating_addresses(&self.session, Some(&port.id)).await? {
                if address.has_only_tags_of(&server.metadata) {
                    network::floating_address_delete(&self.session, &address.id).await?;
                }
            }
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.settings.server_timeout_seconds)
    }

    async fn check_image(&self) -> Result<(), CloudError> {
        let id = self.id(Kind::Image, &self.settings.image).await?;
        match image::image(&self.session, &id).await? {
            Some(image) if image.status != "active" => Err(CloudError::Refused {
                operation: format!("use image '{}'", self.settings.image),
                message: format!("it is {}, not active", image.status),
            }),
            _ => Ok(()),
        }
    }

    async fn check_network(&self) -> Result<(), CloudError> {
        if let Some(network) = &self.settings.network {
            return self.id(Kind::Network, network).await.map(drop);
        }
        let mut networks = network::networks(&self.session).await?;
        networks.retain(network::NetworkRecord::is_for_servers);
        match networks.len() {
            0 | 1 => Ok(()),
            _ => Err(CloudError::Ambiguous {
                what: "the network of the servers, which the settings do not name,".to_owned(),
                candidates: networks.into_iter().map(|network| network.id).collect(),
            }),
        }
    }

    async fn check_security_group(&self, name: &str) -> Result<(), CloudError> {
        let groups = security_group::group_names(&self.session).await?;
        match groups.iter().any(|group| group.id == name || group.name == name) {
            true => Ok(()),
            false => Err(CloudError::NotFound { what: format!("security group '{name}'") }),
        }
    }

    async fn check_key_pair(&self, name: &str) -> Result<(), CloudError> {
        match compute::key_pair_exists(&self.session, name).await? {
            true => Ok(()),
            false => Err(CloudError::NotFound { what: format!("key pair '{name}'") }),
        }
    }
}

#[async_trait]
impl Cloud for OpenStack {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "openstack"
    }

    fn usual_instance_type(&self) -> &str {
        &self.settings.flavor
    }

    async fn check(&self) -> Result<(), Vec<CloudError>> {
        self.names.forget();
        // Without a way in, everything else would fail for the same reason.
        self.session.check().await.map_err(|error| vec![error])?;
        let settings = &self.settings;
        let mut problems = Vec::new();
        problems.extend(self.check_image().await.err());
        problems.extend(self.id(Kind::Flavor, &settings.flavor).await.err());
        problems.extend(self.check_network().await.err());
        if let Some(pool) = &settings.floating_pool {
            problems.extend(self.id(Kind::FloatingPool, pool).await.err());
        }
        for group in &settings.security_groups {
            problems.extend(self.check_security_group(group).await.err());
        }
        if let Some(key_name) = &settings.key_name {
            problems.extend(self.check_key_pair(key_name).await.err());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    async fn server_create(&self, new: &NewServer) -> Result<Server, CloudError> {
        let plan = self.plan(new).await?;
        let created = compute::server_create(&self.session, &plan.server).await;
        let id = created.inspect_err(|error| {
            // Perhaps an image or network was replaced under its name: ask for the ids again next time.
            if matches!(error, CloudError::NotFound { .. } | CloudError::Refused { .. }) {
                self.names.forget();
            }
        })?;
        let what = format!("server {} to be ready", new.name);
        let completed = in_time(self.patience(), what, self.complete(&id, &plan)).await;
        if completed.is_err() {
            undo_server(self, &id).await;
        }
        completed
    }

    async fn server_delete(&self, id: &str) -> Result<(), CloudError> {
        let Some(server) = compute::server(&self.session, id).await? else {
            return Ok(());
        };
        self.addresses_release(&server).await?;
        compute::server_delete(&self.session, id).await?;
        let gone = until_gone(|| compute::server(&self.session, id));
        in_time(self.patience(), format!("server {id} to be gone"), gone).await
    }

    async fn servers(&self, key: &str, value: &str) -> Result<Vec<Server>, CloudError> {
        let mut servers = compute::servers(&self.session).await?;
        servers.retain(|server| server.metadata.get(key).is_some_and(|tag| tag == value));
        Ok(servers.into_iter().map(Server::from).collect())
    }

    async fn addresses_release_unused(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Ipv4Addr>, CloudError> {
        let mut released = Vec::new();
        for address in network::floating_addresses(&self.session, None).await? {
            if address.port_id.is_none() && address.has_tag(key, value) {
                network::floating_address_delete(&self.session, &address.id).await?;
                released.push(address.address);
            }
        }
        Ok(released)
    }

    async fn instance_types(&self) -> Result<Vec<InstanceType>, CloudError> {
        let flavors = compute::flavors(&self.session).await?;
        let Settings { flavor: usual, prices, .. } = &self.settings;
        let named = flavors.iter().find(|flavor| [&flavor.id, &flavor.name].contains(&usual));
        let usual = named.map_or(usual, |flavor| &flavor.name).clone();
        Ok(offer(flavors.into_iter().map(InstanceType::from).collect(), &usual, prices))
    }

    async fn memory_mib(&self, instance_type: &str) -> Result<u64, CloudError> {
        let id = self.id(Kind::Flavor, instance_type).await?;
        Ok(compute::flavor(&self.session, &id).await?.ram)
    }

    async fn console(&self, id: &str) -> Result<String, CloudError> {
        compute::console(&self.session, id).await
    }
}
