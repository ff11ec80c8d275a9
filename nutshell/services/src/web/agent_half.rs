//! The agent half of every web hosting service: what its node is told to do.
//!
//! What a service does itself is a [`Runtime`]; with that it is an agent half.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use protocol::ApiError;
use protocol::files::{self, Access};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::daemons::Spec;
use super::nginx::{self, Programs, Proxy};
use super::node::{Node, PROXY};
use super::ports::{self, Availability};
use super::redis::await_copies;
use super::wire::{self, Copies, Install, Installed, Preparation, Prepared, Retirement, Routes};
use crate::manager_half::{Content, no_such_method, parameters};
use crate::{AgentHalf, ServiceError, logs};

/// How a web hosting service runs its users' programs.
#[async_trait]
pub(crate) trait Runtime: Send + Sync {
    /// What a backend is told.
    type Backend: PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// What its daemons are called, before their ports: `php-fpm`.
    const NAME: &'static str;
    /// The log of all its daemons.
    const LOG: &'static str;

    /// The node.
    fn node(&self) -> &Node;

    /// Makes the files of a backend that is to listen there, and says how it is started. `name` is its
    /// own, as is the directory [`Node::directory`] of that name.
    async fn set_up(
        &self,
        name: &str,
        listen: SocketAddrV4,
        told: &Self::Backend,
    ) -> Result<Spec, ServiceError>;

    /// Waits until a backend that listens answers; `log` is what its daemon has said so far.
    async fn answers(&self, _listen: SocketAddrV4, _log: LogSince<'_>) -> Result<(), ServiceError> {
        Ok(())
    }

    /// Changes code that was unpacked, or refuses it.
    fn finish(_directory: &Path) -> Result<(), ServiceError> {
        Ok(())
    }

    /// How a proxy leads to backends.
    fn programs(&self, routes: &Routes) -> Result<Programs, ServiceError>;
}

/// What was added to a log since it was so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSince<'a> {
    log: &'a Path,
    since: u64,
}

impl LogSince<'_> {
    /// Reads it: at most the last 256 KiB.
    pub(crate) fn read(self) -> String {
        const LONGEST: u64 = 256 << 10;
        let length = fs::metadata(self.log).map_or(0, |file| file.len());
        let added = length.saturating_sub(self.since).min(LONGEST);
        let text = logs::end(self.log, added, None).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[async_trait]
impl<R: Runtime> AgentHalf for R {
    async fn query(&self, method: &str, _parameters: Value) -> Result<Value, ServiceError> {
        let node = self.node();
        match method {
            "list_versions" => Ok(json!(Installed { code_versions: node.versions.list() })),
            "get_access" => Ok(json!(wire::Access { port: node.known_proxy_port() })),
            "get_daemon_status" => Ok(json!(node.daemons.statuses())),
            "get_counts" => Ok(json!(node.counts()?)),
            _ => Err(no_such_method(method)),
        }
    }

    async fn command(&self, method: &str, given: Value) -> Result<Value, ServiceError> {
        match method {
            "prepare" => Ok(json!(prepare(self, parameters(method, given)?).await?)),
            "await_copies" => Ok(json!(copies(parameters(method, given)?).await?)),
            "route" => Ok(json!(route(self, parameters(method, given)?).await?)),
            "retire" => Ok(json!(retire(self, parameters(method, given)?).await?)),
            _ => Err(no_such_method(method)),
        }
    }

    async fn upload(
        &self,
        method: &str,
        given: Value,
        content: Content,
    ) -> Result<Value, ServiceError> {
        match method {
            "install_code" => {
                let Install { code_version, strip } = parameters(method, given)?;
                let versions = &self.node().versions;
                let strip = strip.is_some();
                Ok(json!(versions.install(&code_version, strip, content, R::finish).await?))
            }
            _ => Err(no_such_method(method)),
        }
    }

    fn tend(&self) {
        self.node().tend();
    }

    fn logs(&self) -> Vec<(&'static str, PathBuf)> {
        let mut logs = self.node().logs();
        logs.push((R::LOG, self.node().logs.join(R::LOG)));
        logs
    }
}

async fn prepare<R: Runtime>(
    runtime: &R,
    given: Preparation<R::Backend>,
) -> Result<Prepared, ServiceError> {
    let Preparation { listen, web, sessions, backend } = given;
    let node = runtime.node();
    let _changing = node.changing.lock().await;
    if web {
        node.prepare_web(listen).await?;
    }
    if let Some(store) = sessions {
        node.prepare_sessions(listen, &store).await?;
    }
    let backend = match backend {
        Some(backend) => Some(prepare_backend(runtime, listen, &backend).await?),
        None => None,
    };
    Ok(Prepared { backend })
}

/// Starts a backend for this, unless there is one. Another one goes on beside it for the requests it
/// has.
async fn prepare_backend<R: Runtime>(
    runtime: &R,
    listen: Ipv4Addr,
    told: &R::Backend,
) -> Result<u16, ServiceError> {
    let port = match find(runtime, told) {
        Some(port) => port,
        None => start(runtime, listen, told).await?,
    };
    let path = runtime.node().config(R::NAME, "port");
    files::write(&path, port.to_string().as_bytes(), Access::Public)
        .map_err(ServiceError::file(&path))?;
    Ok(port)
}

/// The port of the daemon that was told the same.
fn find<R: Runtime>(runtime: &R, told: &R::Backend) -> Option<u16> {
    let node = runtime.node();
    ports::BACKEND.into_iter().find(|port| {
        let name = name::<R>(*port);
        let known = fs::read(node.config(&name, "told")).ok();
        let known = known.and_then(|text| serde_json::from_slice::<R::Backend>(&text).ok());
        known.as_ref() == Some(told) && node.daemons.has(&name)
    })
}

async fn start<R: Runtime>(
    runtime: &R,
    listen: Ipv4Addr,
    told: &R::Backend,
) -> Result<u16, ServiceError> {
    let node = runtime.node();
    let used = node.daemons.names();
    let free = |port: &u16| {
        !used.contains(&name::<R>(*port))
            && ports::availability(listen, *port) == Availability::Free
    };
    let port = ports::BACKEND.into_iter().find(free);
    let port = port.ok_or_else(|| {
        let Range { start, end } = ports::BACKEND;
        let message = format!("no port from {start} to {} is free for {}", end - 1, R::NAME);
        ApiError::conflict(message).hint("the startup script may have started what has them")
    })?;
    let name = name::<R>(port);
    let spec = runtime.set_up(&name, SocketAddrV4::new(listen, port), told).await?;
    let log = spec.log.clone();
    let since = fs::metadata(&log).map_or(0, |file| file.len());
    node.daemons.start(&name, spec).await?;
    let answers = runtime.answers(SocketAddrV4::new(listen, port), LogSince { log: &log, since });
    if let Err(error) = answers.await {
        node.daemons.stop(&name, Duration::ZERO).await;
        return Err(error);
    }
    let path = node.config(&name, "told");
    let told = serde_json::to_vec(told).expect("what backends are told is plain data");
    files::write(&path, &told, Access::Secret).map_err(ServiceError::file(&path))?;
    Ok(port)
}

async fn route<R: Runtime>(runtime: &R, routes: Routes) -> Result<(), ServiceError> {
    let node = runtime.node();
    let _changing = node.changing.lock().await;
    let listen = SocketAddrV4::new(routes.listen, node.proxy_port(routes.listen));
    let programs = runtime.programs(&routes)?;
    let proxy = Proxy { listen, routes: &routes, programs: &programs };
    let text = nginx::proxy(node.places(PROXY), &proxy);
    node.route(listen, &text, &routes.code_version).await
}

async fn retire<R: Runtime>(runtime: &R, retirement: Retirement) -> Result<(), ServiceError> {
    let node = runtime.node();
    let _changing = node.changing.lock().await;
    let port = fs::read_to_string(node.config(R::NAME, "port")).ok();
    let current = port.and_then(|port| port.trim().parse().ok()).map(name::<R>);
    let stays = |name: &str| retirement.duties.backend && current.as_deref() == Some(name);
    node.retire(&retirement, stays).await?;
    ports::BACKEND
        .map(name::<R>)
        .filter(|name| !node.daemons.has(name))
        .try_for_each(|name| node.forget(&name))
}

async fn copies(given: Copies) -> Result<usize, ServiceError> {
    let Copies { listen, password, copies } = given;
    let listen = SocketAddrV4::new(listen, ports::SESSIONS);
    await_copies(listen, &password, copies).await.map_err(|error| {
        ApiError::conflict(format!("the store of the sessions does not answer: {error}")).into()
    })
}

fn name<R: Runtime>(port: u16) -> String {
    format!("{}-{port}", R::NAME)
}
