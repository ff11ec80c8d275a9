//! The PHP service inside one node: its backends are php-fpm.

use std::fs;
use std::net::SocketAddrV4;

use async_trait::async_trait;
use protocol::files::{self, Access};

use super::fpm::{self, Backend};
use super::{FPM, PHP_REDIS, proxy};
use crate::web::account::Account;
use crate::web::agent_half::Runtime;
use crate::web::daemons::Spec;
use crate::web::nginx::Programs;
use crate::web::node::{Node, check};
use crate::web::wire::Routes;
use crate::{AgentContext, ServiceError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Agent {
    node: Node,
}

impl Agent {
    /// Takes up what an earlier agent left.
    pub(crate) fn adopt(context: AgentContext) -> Result<Self, ServiceError> {
        let node = Node::adopt(&context)?;
        let log = node.logs.join(Self::LOG);
        let opened = fs::OpenOptions::new().create(true).append(true).open(&log);
        opened.and_then(|_| node.account.own(&log)).map_err(ServiceError::file(&log))?;
        Ok(Self { node })
    }
}

#[async_trait]
impl Runtime for Agent {
    type Backend = Backend;
    const NAME: &'static str = "php-fpm";
    const LOG: &'static str = "php.log";

    fn node(&self) -> &Node {
        &self.node
    }

    async fn set_up(
        &self,
        name: &str,
        listen: SocketAddrV4,
        told: &Backend,
    ) -> Result<Spec, ServiceError> {
        let program = FPM.find()?;
        PHP_REDIS.find()?;
        let (path, log) = (self.node.config(name, "conf"), self.node.logs.join(Self::LOG));
        let text = fpm::configuration(listen, told, self.node.account, &log);
        files::write(&path, text.as_bytes(), Access::Secret).map_err(ServiceError::file(&path))?;
        let file = path.display().to_string();
        let mut command = vec![program, "-F".to_owned(), "-y".to_owned(), file];
        if self.node.account == Account::Root {
            command.push("-R".to_owned());
        }
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        words.push("-t");
        check(&words).await?;
        Ok(Spec::new(command, listen, log))
    }

    fn programs(&self, routes: &Routes) -> Result<Programs, ServiceError> {
        Ok(proxy::programs(self.node.versions.link(), routes))
    }
}
