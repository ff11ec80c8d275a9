//! What the engine is told of a server: its limits, its address, its console log, its volumes.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig,
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, NetworkingConfig,
};

use super::{engine, guest};
use crate::backends::ServerSpec;

/// Whose a container is.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    /// Tells the clouds of an engine apart.
    pub(super) cloud: &'a str,
    /// The state directory: when it is gone, so is the cloud.
    pub(super) state_dir: &'a Path,
    /// The engine's network that the servers are in.
    pub(super) network: &'a str,
}

/// Its place in the network.
pub(super) fn endpoint(server: &ServerSpec) -> EndpointSettings {
    EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(server.fixed_ip.to_string()),
            ..EndpointIpamConfig::default()
        }),
        aliases: Some(vec![server.hostname.clone()]),
        mac_address: Some(server.mac().to_owned()),
        ..EndpointSettings::default()
    }
}

/// The container of a server; `place` is where its volumes appear on this machine.
pub(super) fn body(
    server: &ServerSpec,
    image: String,
    place: Option<&Path>,
    origin: &Origin<'_>,
) -> ContainerCreateBody {
    let memory = i64::try_from(server.memory_mib << 20).unwrap_or(i64::MAX);
    let volumes = place.map(|place| Mount {
        typ: Some(MountType::BIND),
        source: Some(place.to_string_lossy().into_owned()),
        target: Some("/mnt/volumes".to_owned()),
        // The cloud follows the paths in it: they must be the cloud's own. What is mounted below is
        // the server's to write.
        read_only: Some(true),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RSLAVE),
            read_only_non_recursive: Some(true),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    });
    let log = [("max-size", "1m"), ("max-file", "2")];
    let host = HostConfig {
        memory: Some(memory),
        // No more of swap than of memory: the engine takes the sum of both.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(server.vcpus.max(1)) * 1_000_000_000),
        network_mode: Some(origin.network.to_owned()),
        mounts: Some(volumes.into_iter().collect()),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(log.map(|(name, value)| (name.into(), value.into())).into()),
        }),
        ..HostConfig::default()
    };
    let state = origin.state_dir.to_string_lossy().into_owned();
    let labels = [
        (engine::CLOUD, origin.cloud.to_owned()),
        (engine::SERVER, server.id.to_string()),
        (engine::STATE, state),
    ];
    let environment = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "USER=root",
        "LOGNAME=root",
        "SHELL=/bin/sh",
        "TERM=linux",
        "LANG=C.UTF-8",
    ];
    ContainerCreateBody {
        hostname: Some(server.hostname.clone()),
        user: Some("0:0".to_owned()),
        env: Some(environment.map(str::to_owned).to_vec()),
        entrypoint: Some(vec!["/bin/sh".to_owned(), guest::INIT.to_owned()]),
        // The first process waits for it.
        open_stdin: Some(true),
        image: Some(image),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(origin.network.to_owned(), endpoint(server))])),
        }),
        ..ContainerCreateBody::default()
    }
}
