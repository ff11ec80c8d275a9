//! The PHP service inside one node.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use async_trait::async_trait;
use protocol::ApiError;
use protocol::files::{self, Access};
use serde_json::{Value, json};

use super::fpm::{self, Backend};
use super::{FPM, PHP_REDIS};
use crate::manager_half::{Content, no_such_method, parameters};
use crate::web::account::Account;
use crate::web::daemons::Spec;
use crate::web::nginx::{self, Proxy};
use crate::web::node::{Node, PROXY, check, remove};
use crate::web::ports::{self, Availability};
use crate::web::redis::await_copies;
use crate::web::wire::{
    self, Copies, Install, Installed, Preparation, Prepared, Retirement, Routes,
};
use crate::{AgentContext, AgentHalf, ServiceError};

/// The names of the daemons: this and their ports.
const NAME: &str = "php-fpm-";
const LOG: &str = "php.log";

/// See the module.
#[derive(Debug)]
pub(crate) struct Agent {
    node: Node,
}

impl Agent {
    /// Takes up what an earlier agent left.
    pub(crate) fn adopt(context: AgentContext) -> Result<Self, ServiceError> {
        let node = Node::adopt(&context)?;
        let log = node.logs.join(LOG);
        let opened = fs::OpenOptions::new().create(true).append(true).open(&log);
        opened.and_then(|_| node.account.own(&log)).map_err(ServiceError::file(&log))?;
        Ok(Self { node })
    }

    async fn prepare(&self, given: Preparation<Backend>) -> Result<Prepared, ServiceError> {
        let Preparation { listen, web, sessions, backend } = given;
        let _changing = self.node.changing.lock().await;
        if web {
            self.node.prepare_web(listen).await?;
        }
        if let Some(store) = sessions {
            self.node.prepare_sessions(listen, &store).await?;
        }
        let backend = match backend {
            Some(backend) => Some(self.prepare_backend(listen, &backend).await?),
            None => None,
        };
        Ok(Prepared { backend })
    }

    /// Starts a php-fpm for this, unless there is one. Another one goes on beside it for the
    /// requests it has.
    async fn prepare_backend(
        &self,
        listen: Ipv4Addr,
        backend: &Backend,
    ) -> Result<u16, ServiceError> {
        let port = match self.find(backend) {
            Some(port) => port,
            None => self.start(listen, backend).await?,
        };
        let path = self.node.config("php-fpm", "port");
        files::write(&path, port.to_string().as_bytes(), Access::Public)
            .map_err(ServiceError::file(&path))?;
        Ok(port)
    }

    /// The port of the daemon that was told the same.
    fn find(&self, backend: &Backend) -> Option<u16> {
        ports::BACKEND.into_iter().find(|port| {
            let told = fs::read(self.node.config(&name(*port), "told"));
            let told = told.ok().and_then(|text| serde_json::from_slice::<Backend>(&text).ok());
            told.as_ref() == Some(backend) && self.node.daemons.has(&name(*port))
        })
    }

    async fn start(&self, listen: Ipv4Addr, backend: &Backend) -> Result<u16, ServiceError> {
        let program = FPM.find()?;
        PHP_REDIS.find()?;
        let used = self.node.daemons.names();
        let free = |port: &u16| {
            !used.contains(&name(*port)) && ports::availability(listen, *port) == Availability::Free
        };
        let port = ports::BACKEND.into_iter().find(free);
        let port = port.ok_or_else(|| ApiError::conflict("no port is free for php-fpm"))?;
        let (name, listen) = (name(port), SocketAddrV4::new(listen, port));
        let (path, log) = (self.node.config(&name, "conf"), self.node.logs.join(LOG));
        let text = fpm::configuration(listen, backend, self.node.account, &log);
        let write = |path: &PathBuf, text: &[u8]| {
            files::write(path, text, Access::Secret).map_err(ServiceError::file(path))
        };
        write(&path, text.as_bytes())?;
        let file = path.display().to_string();
        let mut command = vec![program, "-F".to_owned(), "-y".to_owned(), file];
        if self.node.account == Account::Root {
            command.push("-R".to_owned());
        }
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        words.push("-t");
        check(&words).await?;
        self.node.daemons.start(&name, Spec { command, listen, log }).await?;
        let told = serde_json::to_vec(backend).expect("settings are plain data");
        write(&self.node.config(&name, "told"), &told)?;
        Ok(port)
    }

    async fn route(&self, routes: Routes) -> Result<(), ServiceError> {
        let _changing = self.node.changing.lock().await;
        let listen = SocketAddrV4::new(routes.listen, self.node.proxy_port(routes.listen));
        let proxy = Proxy {
            listen,
            link: self.node.versions.link(),
            webs: &routes.webs,
            backends: &routes.backends,
            largest_body: routes.largest_body,
        };
        let text = nginx::php_proxy(self.node.places(PROXY), &proxy);
        self.node.route(listen, &text, &routes.code_version).await
    }

    async fn retire(&self, retirement: Retirement) -> Result<(), ServiceError> {
        let _changing = self.node.changing.lock().await;
        let port = fs::read_to_string(self.node.config("php-fpm", "port"));
        let current = port.ok().and_then(|port| port.trim().parse().ok()).map(name);
        let stays = |name: &str| retirement.duties.backend && current.as_deref() == Some(name);
        self.node.retire(&retirement, stays).await?;
        for name in ports::BACKEND.map(name) {
            if !self.node.daemons.has(&name) {
                remove(&self.node.config(&name, "told"))?;
            }
        }
        Ok(())
    }

    async fn install(&self, given: Install, content: Content) -> Result<(), ServiceError> {
        let Install { code_version, strip } = given;
        self.node.versions.install(&code_version, strip.is_some(), content).await
    }

    async fn await_copies(&self, given: Copies) -> Result<usize, ServiceError> {
        let Copies { listen, password, copies } = given;
        let listen = SocketAddrV4::new(listen, ports::SESSIONS);
        await_copies(listen, &password, copies).await.map_err(|error| {
            ApiError::conflict(format!("the store of the sessions does not answer: {error}")).into()
        })
    }
}

fn name(port: u16) -> String {
    format!("{NAME}{port}")
}

#[async_trait]
impl AgentHalf for Agent {
    async fn query(&self, method: &str, _parameters: Value) -> Result<Value, ServiceError> {
        match method {
            "list_versions" => Ok(json!(Installed { code_versions: self.node.versions.list() })),
            "get_access" => Ok(json!(wire::Access { port: self.node.known_proxy_port() })),
            "get_daemon_status" => Ok(json!(self.node.daemons.statuses())),
            "get_counts" => Ok(json!(self.node.counts()?)),
            _ => Err(no_such_method(method)),
        }
    }

    async fn command(&self, method: &str, given: Value) -> Result<Value, ServiceError> {
        match method {
            "prepare" => Ok(json!(self.prepare(parameters(method, given)?).await?)),
            "await_copies" => Ok(json!(self.await_copies(parameters(method, given)?).await?)),
            "route" => Ok(json!(self.route(parameters(method, given)?).await?)),
            "retire" => Ok(json!(self.retire(parameters(method, given)?).await?)),
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
            "install_code" => Ok(json!(self.install(parameters(method, given)?, content).await?)),
            _ => Err(no_such_method(method)),
        }
    }

    fn tend(&self) {
        self.node.tend();
    }

    fn logs(&self) -> Vec<(&'static str, PathBuf)> {
        let mut logs = self.node.logs();
        logs.push((LOG, self.node.logs.join(LOG)));
        logs
    }
}
