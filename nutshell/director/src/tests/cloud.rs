//! A cloud in memory. Its servers are tasks: they end when their server is deleted.

mod security_groups;
mod volumes;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use ::cloud::{
    Cloud, CloudError, InstanceType, NewSecurityGroup, NewServer, Server, ServerState, Volume,
};
use async_trait::async_trait;
use protocol::boot::BootConfig;
use time::OffsetDateTime;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use super::vm;

/// What happens in servers that are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boot {
    /// The manager or agent starts and reports.
    Ready,
    /// The server runs, and nothing in it does.
    Silent,
}

#[derive(Debug)]
struct State {
    boot: Boot,
    /// Servers that are still made before one fails.
    failing_after: Option<usize>,
    /// What the next creation does instead of answering.
    stuck: bool,
    unreachable: bool,
    created: u32,
    servers: BTreeMap<String, (Server, Option<AbortHandle>)>,
    user_data: Vec<String>,
    volumes: BTreeMap<String, Volume>,
    volumes_busy: bool,
    groups: BTreeMap<String, NewSecurityGroup>,
    /// The groups that guard each server.
    guards: BTreeMap<String, Vec<String>>,
}

/// The cloud.
#[derive(Debug)]
pub(crate) struct TestCloud {
    state: Mutex<State>,
    changed: broadcast::Sender<()>,
}

impl TestCloud {
    pub(crate) fn new() -> Arc<Self> {
        let state = State {
            boot: Boot::Ready,
            failing_after: None,
            stuck: false,
            unreachable: false,
            created: 0,
            servers: BTreeMap::new(),
            user_data: Vec::new(),
            volumes: BTreeMap::new(),
            volumes_busy: false,
            groups: BTreeMap::new(),
            guards: BTreeMap::new(),
        };
        Arc::new(Self { state: Mutex::new(state), changed: broadcast::channel(16).0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn boot(&self, boot: Boot) {
        self.state().boot = boot;
    }

    /// So many more servers are made, then one fails: the address pool is empty.
    pub(crate) fn fail_after(&self, servers: usize) {
        self.state().failing_after = Some(servers);
    }

    /// The next creation makes its server and never answers.
    pub(crate) fn get_stuck(&self) {
        self.state().stuck = true;
    }

    pub(crate) fn unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    pub(crate) fn count(&self) -> usize {
        self.state().servers.len()
    }

    /// The boot configurations that servers were given, in order.
    pub(crate) fn boots(&self) -> Vec<BootConfig> {
        self.state().user_data.iter().map(|script| boot_config(script)).collect()
    }

    /// The scripts that servers were given, in order.
    pub(crate) fn user_data(&self) -> Vec<String> {
        self.state().user_data.clone()
    }

    pub(crate) fn servers(&self) -> Vec<Server> {
        self.state().servers.values().map(|(server, _)| server.clone()).collect()
    }

    /// Takes a server away, as a failing host does.
    pub(crate) fn lose(&self, id: &str) {
        let mut state = self.state();
        state.guards.remove(id);
        if let Some((_, Some(task))) = state.servers.remove(id) {
            task.abort();
        }
        for volume in state.volumes.values_mut().filter(|one| one.server.as_deref() == Some(id)) {
            (volume.state, volume.server) = (::cloud::VolumeState::Available, None);
        }
        drop(state);
        let _ = self.changed.send(());
    }

    /// A server that no director asked for.
    pub(crate) fn stray(&self, tags: &[(&str, &str)]) -> String {
        let mut state = self.state();
        state.created += 1;
        let id = format!("stray-{}", state.created);
        let server = Server {
            id: id.clone(),
            name: id.clone(),
            state: ServerState::Active,
            private_ip: None,
            public_ip: None,
            tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            created: OffsetDateTime::now_utc(),
        };
        state.servers.insert(id.clone(), (server, None));
        id
    }

    /// Waits until there are so many servers.
    pub(crate) async fn await_count(&self, count: usize) {
        let mut changed = self.changed.subscribe();
        while self.count() != count {
            let _ = changed.recv().await;
        }
    }

    fn reachable(&self) -> Result<(), CloudError> {
        if self.state().unreachable {
            let (url, source) = ("https://cloud.test".to_owned(), "connection refused".into());
            return Err(CloudError::Unreachable { url, source });
        }
        Ok(())
    }
}

#[async_trait]
impl Cloud for TestCloud {
    fn name(&self) -> &str {
        "default"
    }

    fn kind(&self) -> &'static str {
        "test"
    }

    fn usual_instance_type(&self) -> &str {
        "small"
    }

    async fn check(&self) -> Result<(), Vec<CloudError>> {
        Ok(())
    }

    async fn server_create(&self, new: &NewServer) -> Result<Server, CloudError> {
        self.reachable()?;
        let script = String::from_utf8(new.user_data.clone()).unwrap();
        let boot = boot_config(&script);
        let (server, stuck) = {
            let mut state = self.state();
            let missing = |id: &&String| !state.groups.contains_key(*id);
            if let Some(id) = new.security_groups.iter().find(missing) {
                return Err(CloudError::NotFound { what: format!("security group {id}") });
            }
            if let Some(left) = &mut state.failing_after {
                match left.checked_sub(1) {
                    Some(fewer) => *left = fewer,
                    None => {
                        state.failing_after = None;
                        return Err(CloudError::AddressesExhausted { pool: "public".to_owned() });
                    }
                }
            }
            state.created += 1;
            let address = random_address();
            let server = Server {
                id: format!("server-{}", state.created),
                name: new.name.clone(),
                state: ServerState::Active,
                private_ip: Some(address),
                public_ip: Some(address),
                tags: new.tags.clone(),
                created: OffsetDateTime::now_utc(),
            };
            state.guards.insert(server.id.clone(), new.security_groups.clone());
            state.user_data.push(script);
            let task = (state.boot == Boot::Ready)
                .then(|| tokio::spawn(vm::run(boot, address)).abort_handle());
            state.servers.insert(server.id.clone(), (server.clone(), task));
            (server, std::mem::take(&mut state.stuck))
        };
        let _ = self.changed.send(());
        if stuck {
            std::future::pending::<()>().await;
        }
        Ok(server)
    }

    async fn server_delete(&self, id: &str) -> Result<(), CloudError> {
        self.reachable()?;
        self.lose(id);
        Ok(())
    }

    async fn servers(&self, key: &str, value: &str) -> Result<Vec<Server>, CloudError> {
        self.reachable()?;
        let mut servers = TestCloud::servers(self);
        servers.retain(|server| server.tags.get(key).map(String::as_str) == Some(value));
        Ok(servers)
    }

    async fn addresses_release_unused(
        &self,
        _key: &str,
        _value: &str,
    ) -> Result<Vec<Ipv4Addr>, CloudError> {
        self.reachable()?;
        Ok(vec![])
    }

    async fn instance_types(&self) -> Result<Vec<InstanceType>, CloudError> {
        Ok(vec![])
    }

    async fn memory_mib(&self, _instance_type: &str) -> Result<u64, CloudError> {
        Ok(2048)
    }

    async fn console(&self, _id: &str) -> Result<String, CloudError> {
        Ok(String::new())
    }
}

/// What the user-data would leave in the server.
fn boot_config(script: &str) -> BootConfig {
    let json = script.split("<<'NUTSHELL_BOOT'\n").nth(1).unwrap();
    serde_json::from_str(json.lines().next().unwrap()).unwrap()
}

/// Managers listen on one port, so each server has an address of its own; others on this machine
/// do the same.
fn random_address() -> Ipv4Addr {
    let [_, a, b, c] = rand::random::<[u8; 4]>();
    Ipv4Addr::new(127, 64 + a % 190, b, 1 + c % 250)
}
