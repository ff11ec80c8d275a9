//! The EC2 driver: the Query API that Amazon and its imitators speak.
//!
//! `api` makes signed calls, `instance`, `address`, `volume` and `security_group` are one thin function a call,
//! and here, in `volumes` and in `security_groups` the calls become what the contract promises. An order of steps
//! matters twice:
//!
//! * Create: the server first, tagged by the same call; then its address, tagged likewise. EC2 cannot
//!   make an address attached: between the two calls nobody is let look for unused ones.
//! * Delete: the address first, then the server. Killed between, the server is still there to be found.

mod address;
mod api;
mod fault;
mod instance;
mod security_group;
mod security_groups;
mod settings;
mod signature;
mod volume;
mod volumes;

use std::net::Ipv4Addr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, RwLock};
use tokio::time::{Instant, sleep};

pub use self::settings::Settings;

use self::api::Api;
use crate::fault::check_tags;
use crate::offer::offer;
use crate::patience::{in_time, undo_server, until_gone};
use crate::{Cloud, CloudError, InstanceType, NewServer, Server, ServerState, pauses};

/// How long a new instance may stay unknown: not all of EC2 hears of it at once.
const UNKNOWN_AT_FIRST: Duration = Duration::from_secs(10);

/// One account on one EC2 cloud.
#[derive(Debug)]
pub struct Ec2 {
    name: String,
    settings: Settings,
    api: Api,
    /// The image's id, once it is known.
    image: Mutex<Option<String>>,
    /// The id of the servers' VPC, once it is known.
    vpc: Mutex<Option<String>>,
    /// Held by many from an address's allocation to its association; alone to look for unused ones.
    addresses: RwLock<()>,
    /// Held while a device is chosen.
    devices: Mutex<()>,
}

impl Ec2 {
    /// Prepares to use a cloud; speaks to it at the first call only.
    pub fn new(name: impl Into<String>, settings: Settings) -> Result<Self, CloudError> {
        let api = Api::new(&settings)?;
        Ok(Self {
            name: name.into(),
            settings,
            api,
            image: Mutex::default(),
            vpc: Mutex::default(),
            addresses: RwLock::default(),
            devices: Mutex::default(),
        })
    }

    /// The image's id; looked up once.
    async fn image(&self) -> Result<String, CloudError> {
        let mut known = self.image.lock().await;
        if let Some(id) = known.as_ref() {
            return Ok(id.clone());
        }
        let wanted = &self.settings.image;
        let mut found = instance::images(&self.api, wanted).await?;
        let what = format!("image '{wanted}'");
        let image = match (found.pop(), found.is_empty()) {
            (None, _) => return Err(CloudError::NotFound { what }),
            (Some(image), true) => image,
            (Some(last), false) => {
                let candidates = found.into_iter().chain([last]).map(|image| image.id).collect();
                return Err(CloudError::Ambiguous { what, candidates });
            }
        };
        if image.state != "available" {
            return Err(CloudError::Refused {
                operation: format!("use {what}"),
                message: format!("it is {}, not available", image.state),
            });
        }
        Ok(known.insert(image.id).clone())
    }

    /// Waits for the server, and gives it its address.
    async fn complete(&self, id: &str, new: &NewServer) -> Result<Server, CloudError> {
        let mut server = self.until_active(id, &new.name).await?;
        if self.settings.elastic_addresses {
            let _making = self.addresses.read().await;
            let (allocation, address) = address::allocate(&self.api, &new.tags).await?;
            if let Err(error) = address::associate(&self.api, &allocation, id).await {
                address::release_id(&self.api, &allocation).await?;
                return Err(error);
            }
            server.public_ip = Some(address);
        }
        Ok(server)
    }

    async fn until_active(&self, id: &str, name: &str) -> Result<Server, CloudError> {
        let failed = |fault: &str| {
            Err(CloudError::ServerFailed { name: name.to_owned(), fault: fault.to_owned() })
        };
        let asked = Instant::now();
        let mut pauses = pauses::growing();
        loop {
            match instance::instance(&self.api, id).await? {
                None if asked.elapsed() > UNKNOWN_AT_FIRST => {
                    return failed("somebody deleted it while it was being made");
                }
                None => {}
                Some(record) => match record.state() {
                    ServerState::Active => return Ok(record.into()),
                    ServerState::Failed | ServerState::Deleting | ServerState::Stopped => {
                        return failed(&record.fault());
                    }
                    ServerState::Building | ServerState::Unknown => {}
                },
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.settings.server_timeout_seconds)
    }

    async fn check_type(&self) -> Result<(), CloudError> {
        instance::types(&self.api, Some(&self.settings.instance_type)).await.map(|_| ())
    }
}

#[async_trait]
impl Cloud for Ec2 {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "ec2"
    }

    fn usual_instance_type(&self) -> &str {
        &self.settings.instance_type
    }

    async fn check(&self) -> Result<(), Vec<CloudError>> {
        *self.image.lock().await = None;
        *self.vpc.lock().await = None;
        let mut problems = Vec::new();
        match self.image().await {
            // Without a way in, everything else would fail for the same reason.
            Err(error @ (CloudError::Unauthorized { .. } | CloudError::Unreachable { .. })) => {
                return Err(vec![error]);
            }
            other => problems.extend(other.err()),
        }
        problems.extend(self.check_type().await.err());
        let describe =
            |action, parameter, wanted| instance::describe(&self.api, action, parameter, wanted);
        let Settings { subnet, security_groups, key_name, .. } = &self.settings;
        if let Some(subnet) = subnet {
            problems.extend(describe("DescribeSubnets", "SubnetId.1", subnet).await.err());
        }
        for group in security_groups {
            problems.extend(describe("DescribeSecurityGroups", "GroupId.1", group).await.err());
        }
        if let Some(key_name) = key_name {
            problems.extend(describe("DescribeKeyPairs", "KeyName.1", key_name).await.err());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    async fn server_create(&self, new: &NewServer) -> Result<Server, CloudError> {
        check_tags("server", &new.name, &new.tags)?;
        let image = self.image().await?;
        let run = instance::run(&self.api, new, &image, &self.settings).await;
        let id = match run {
            Ok(id) => id,
            Err(error) => {
                // Perhaps the image was replaced under its name.
                *self.image.lock().await = None;
                return Err(error);
            }
        };
        let what = format!("server {} to be ready", new.name);
        let completed = in_time(self.patience(), what, self.complete(&id, new)).await;
        if completed.is_err() {
            undo_server(self, &id).await;
        }
        completed
    }

    async fn server_delete(&self, id: &str) -> Result<(), CloudError> {
        let Some(record) = instance::instance(&self.api, id).await? else { return Ok(()) };
        let tags = Server::from(record).tags;
        for address in address::addresses(&self.api, "instance-id", id).await? {
            // One that somebody gave it by hand is theirs.
            if address.has_only_tags_of(&tags) {
                address::release(&self.api, &address).await?;
            }
        }
        instance::terminate(&self.api, id).await?;
        let gone = until_gone(|| instance::instance(&self.api, id));
        in_time(self.patience(), format!("server {id} to be gone"), gone).await
    }

    async fn servers(&self, key: &str, value: &str) -> Result<Vec<Server>, CloudError> {
        let instances = instance::instances(&self.api, key, value).await?;
        let servers = instances.into_iter().map(Server::from);
        Ok(servers.filter(|server| server.tags.get(key).is_some_and(|tag| tag == value)).collect())
    }

    async fn addresses_release_unused(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Ipv4Addr>, CloudError> {
        let _alone = self.addresses.write().await;
        let mut released = Vec::new();
        for address in address::addresses(&self.api, &format!("tag:{key}"), value).await? {
            if address.association_id.is_none() && address.has_tag(key, value) {
                address::release_id(&self.api, &address.allocation_id).await?;
                released.push(address.address);
            }
        }
        Ok(released)
    }

    async fn instance_types(&self) -> Result<Vec<InstanceType>, CloudError> {
        let types = instance::types(&self.api, None).await?;
        Ok(offer(types, &self.settings.instance_type, &self.settings.prices))
    }

    async fn memory_mib(&self, instance_type: &str) -> Result<u64, CloudError> {
        // There are hundreds of types: only this one is asked for.
        let mut types = instance::types(&self.api, Some(instance_type)).await?;
        let what = || format!("instance type '{instance_type}'");
        let found = types.pop().ok_or_else(|| CloudError::NotFound { what: what() })?;
        Ok(found.memory_mib)
    }

    async fn console(&self, id: &str) -> Result<String, CloudError> {
        instance::console(&self.api, id).await
    }
}
