//! Instances, images and what else a server is made of: records as EC2 writes them, and calls.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use time::OffsetDateTime;

use super::api::{Api, Call, Items, Page, Tag, name_of, tags_of};
use super::settings::Settings;
use crate::{CloudError, InstanceType, NewServer, Server, ServerState};

/// EC2 takes no more user-data than this, counted before encoding.
const USER_DATA_LIMIT: usize = 16_384;

/// An instance as EC2 writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceRecord {
    #[serde(rename = "instanceId")]
    pub(crate) id: String,
    #[serde(rename = "instanceState")]
    state: StateRecord,
    #[serde(default)]
    private_ip_address: Option<String>,
    #[serde(default, rename = "ipAddress")]
    public_ip_address: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    launch_time: OffsetDateTime,
    #[serde(default)]
    tag_set: Items<Tag>,
    #[serde(default)]
    state_reason: Option<Reason>,
    placement: Placement,
    #[serde(default)]
    block_device_mapping: Items<Mapping>,
}

#[derive(Clone, Debug, Deserialize)]
struct StateRecord {
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Reason {
    message: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Placement {
    #[serde(rename = "availabilityZone")]
    zone: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Mapping {
    #[serde(rename = "deviceName")]
    device: String,
}

impl InstanceRecord {
    pub(crate) fn state(&self) -> ServerState {
        match self.state.name.as_str() {
            "pending" => ServerState::Building,
            "running" => ServerState::Active,
            "stopping" | "stopped" => ServerState::Stopped,
            "shutting-down" | "terminated" => ServerState::Deleting,
            _ => ServerState::Unknown,
        }
    }

    /// EC2 shows an instance for an hour after it is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.state.name == "terminated"
    }

    /// Why it does not run.
    pub(crate) fn fault(&self) -> String {
        match &self.state_reason {
            Some(reason) => reason.message.clone(),
            None => format!("it is {} and the cloud gives no reason", self.state.name),
        }
    }

    /// Where its volumes have to be.
    pub(crate) fn zone(&self) -> &str {
        &self.placement.zone
    }

    /// The devices it has, without `/dev/`.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &str> {
        self.block_device_mapping
            .item
            .iter()
            .map(|mapping| mapping.device.trim_start_matches("/dev/"))
    }
}

impl From<InstanceRecord> for Server {
    fn from(record: InstanceRecord) -> Self {
        let address =
            |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Ipv4Addr>().ok());
        Self {
            state: record.state(),
            private_ip: address(&record.private_ip_address),
            public_ip: address(&record.public_ip_address),
            name: name_of(&record.tag_set),
            tags: tags_of(&record.tag_set),
            id: record.id,
            created: record.launch_time,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reservations {
    #[serde(default)]
    reservation_set: Items<Reservation>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    #[serde(default)]
    instances_set: Items<InstanceRecord>,
}

impl Page for Reservations {
    type Item = InstanceRecord;

    fn into_parts(self) -> (Vec<InstanceRecord>, Option<String>) {
        let reservations = self.reservation_set.item.into_iter();
        (reservations.flat_map(|one| one.instances_set.item).collect(), self.next_token)
    }
}

/// Asks for an instance; returns its id at once. The call may be made twice: its token says that
/// one is meant.
pub(crate) async fn run(
    api: &Api,
    new: &NewServer,
    image: &str,
    settings: &Settings,
) -> Result<String, CloudError> {
    if new.user_data.len() > USER_DATA_LIMIT {
        return Err(CloudError::Refused {
            operation: "create a server".to_owned(),
            message: format!(
                "its user-data takes {} of {USER_DATA_LIMIT} bytes",
                new.user_data.len()
            ),
        });
    }
    let kind = new.instance_type.as_ref().unwrap_or(&settings.instance_type);
    let mut call = Call::repeatable("RunInstances")
        .with("ImageId", image)
        .with("InstanceType", kind)
        .with("MinCount", "1")
        .with("MaxCount", "1")
        .with("ClientToken", uuid::Uuid::new_v4().to_string())
        .optional("SubnetId", settings.subnet.as_deref())
        .optional("KeyName", settings.key_name.as_deref())
        .tags("instance", Some(&new.name), &new.tags);
    if !new.user_data.is_empty() {
        call = call.with("UserData", STANDARD.encode(&new.user_data));
    }
    let groups = match new.security_groups.as_slice() {
        [] => &settings.security_groups,
        asked => asked,
    };
    for (group, number) in groups.iter().zip(1..) {
        call = call.with(format!("SecurityGroupId.{number}"), group);
    }
    let made: Reservation = api.fetch(call).await?;
    let first = made.instances_set.item.into_iter().next();
    first.map(|instance| instance.id).ok_or_else(|| CloudError::ServerFailed {
        name: new.name.clone(),
        fault: "the cloud made none".to_owned(),
    })
}

/// One instance; `None` when there is none, or none any more.
pub(crate) async fn instance(api: &Api, id: &str) -> Result<Option<InstanceRecord>, CloudError> {
    let call = Call::repeatable("DescribeInstances").with("InstanceId.1", id);
    match api.list::<Reservations>(call).await {
        Err(CloudError::NotFound { .. }) => Ok(None),
        found => Ok(found?.into_iter().find(|instance| !instance.is_gone())),
    }
}

/// The account's instances with this tag; asterisks in it fit anything.
pub(crate) async fn instances(
    api: &Api,
    key: &str,
    value: &str,
) -> Result<Vec<InstanceRecord>, CloudError> {
    let call = Call::repeatable("DescribeInstances")
        .filter(1, &format!("tag:{key}"), value)
        .with("MaxResults", "1000");
    let mut instances = api.list::<Reservations>(call).await?;
    instances.retain(|instance| !instance.is_gone());
    Ok(instances)
}

/// Asks for an instance to go.
pub(crate) async fn terminate(api: &Api, id: &str) -> Result<(), CloudError> {
    api.remove(Call::repeatable("TerminateInstances").with("InstanceId.1", id)).await
}

/// What the instance wrote on its console.
pub(crate) async fn console(api: &Api, id: &str) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    struct Console {
        #[serde(default)]
        output: String,
    }
    let call = Call::repeatable("GetConsoleOutput").with("InstanceId", id);
    let output = api.fetch::<Console>(call).await?.output;
    let encoded: String = output.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// An image as EC2 writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct ImageRecord {
    #[serde(rename = "imageId")]
    pub(crate) id: String,
    #[serde(rename = "imageState")]
    pub(crate) state: String,
}

/// The images with this id or this name.
pub(crate) async fn images(api: &Api, wanted: &str) -> Result<Vec<ImageRecord>, CloudError> {
    #[derive(Deserialize)]
    struct Images {
        #[serde(default, rename = "imagesSet")]
        images: Items<ImageRecord>,
    }
    let call = Call::repeatable("DescribeImages");
    let call = match wanted.starts_with("ami-") {
        true => call.with("ImageId.1", wanted),
        false => call.filter(1, "name", wanted),
    };
    Ok(api.fetch::<Images>(call).await?.images.item)
}

/// An instance type as EC2 writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeRecord {
    instance_type: String,
    v_cpu_info: Processors,
    memory_info: Memory,
    #[serde(default)]
    instance_storage_info: Option<Storage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Processors {
    default_v_cpus: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    size_in_mi_b: u64,
}

#[derive(Debug, Deserialize)]
struct Storage {
    #[serde(default, rename = "totalSizeInGB")]
    total: u64,
}

impl From<TypeRecord> for InstanceType {
    fn from(record: TypeRecord) -> Self {
        Self {
            name: record.instance_type,
            vcpus: record.v_cpu_info.default_v_cpus,
            memory_mib: record.memory_info.size_in_mi_b,
            disk_gib: record.instance_storage_info.map_or(0, |storage| storage.total),
            // EC2 states prices elsewhere.
            price_per_hour: None,
            autoscaling: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Types {
    #[serde(default)]
    instance_type_set: Items<TypeRecord>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page for Types {
    type Item = TypeRecord;

    fn into_parts(self) -> (Vec<TypeRecord>, Option<String>) {
        (self.instance_type_set.item, self.next_token)
    }
}

/// All types on offer, or the one of that name.
pub(crate) async fn types(
    api: &Api,
    wanted: Option<&str>,
) -> Result<Vec<InstanceType>, CloudError> {
    let call = match wanted {
        Some(name) => Call::repeatable("DescribeInstanceTypes").with("InstanceType.1", name),
        None => Call::repeatable("DescribeInstanceTypes").with("MaxResults", "100"),
    };
    let types = api.list::<Types>(call).await?;
    Ok(types.into_iter().map(InstanceType::from).collect())
}

/// Whether something of the account exists: an error says that it does not.
pub(crate) async fn describe(
    api: &Api,
    action: &'static str,
    parameter: &str,
    wanted: &str,
) -> Result<(), CloudError> {
    api.order(Call::repeatable(action).with(parameter, wanted)).await
}
