//! The Java service inside one node: its backends are Tomcat.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use protocol::files::{self, Access};
use protocol::{ApiError, CodeVersionId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tomcat::{self, Backend, HEALTH};
use super::{JAVA, TOMCAT, application, proxy, sessions};
use crate::web::agent_half::{LogSince, Runtime};
use crate::web::daemons::{Farewell, Spec};
use crate::web::nginx::Programs;
use crate::web::node::Node;
use crate::web::wire::Routes;
use crate::{AgentContext, ServiceError};

/// How long an application may take to come up.
const START_LIMIT: Duration = Duration::from_secs(180);
/// How long Tomcat may take to say how that went.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Agent {
    node: Node,
    memory_mib: Option<u64>,
    /// The paths of the version that the proxy was led to last: looking through libraries takes time.
    known: Mutex<Option<(CodeVersionId, BTreeSet<String>)>>,
}

impl Agent {
    /// Takes up what an earlier agent left.
    pub(crate) fn adopt(context: AgentContext) -> Result<Self, ServiceError> {
        let node = Node::adopt(&context)?;
        let log = node.logs.join(Self::LOG);
        let opened = fs::OpenOptions::new().create(true).append(true).open(&log);
        opened.map_err(ServiceError::file(&log))?;
        Ok(Self { node, memory_mib: context.memory_mib, known: Mutex::default() })
    }

    fn code(&self, version: &CodeVersionId) -> PathBuf {
        self.node.versions.directory().join(version.as_str())
    }

    fn patterns(&self, version: &CodeVersionId) -> Result<BTreeSet<String>, ServiceError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, patterns)) = &*known
            && of == version
        {
            return Ok(patterns.clone());
        }
        let patterns = application::patterns(&self.code(version))?;
        *known = Some((version.clone(), patterns.clone()));
        Ok(patterns)
    }

    /// The directory of one Tomcat: its configuration, and what it makes of pages of JSP.
    fn make_base(
        &self,
        name: &str,
        listen: SocketAddrV4,
        told: &Backend,
        classes: &Path,
    ) -> Result<PathBuf, ServiceError> {
        self.node.forget(name)?;
        let base = self.node.directory(name);
        for part in ["conf", "temp", "work", "logs", "none"] {
            let path = base.join(part);
            fs::create_dir_all(&path).map_err(ServiceError::file(&path))?;
        }
        let link = base.join("lib");
        std::os::unix::fs::symlink(classes, &link).map_err(ServiceError::file(&link))?;
        for (file, text) in [
            ("server.xml", tomcat::server(listen, told, &self.code(&told.code_version))),
            ("web.xml", tomcat::defaults()),
            ("logging.properties", tomcat::LOGGING.to_owned()),
        ] {
            let path = base.join("conf").join(file);
            files::write(&path, text.as_bytes(), Access::Secret)
                .map_err(ServiceError::file(&path))?;
        }
        self.node.account.own_all(&base).map_err(ServiceError::file(&base))?;
        Ok(base)
    }
}

#[async_trait]
impl Runtime for Agent {
    type Backend = Backend;
    const NAME: &'static str = "tomcat";
    const LOG: &'static str = "tomcat.log";

    fn node(&self) -> &Node {
        &self.node
    }

    async fn set_up(
        &self,
        name: &str,
        listen: SocketAddrV4,
        told: &Backend,
    ) -> Result<Spec, ServiceError> {
        let (java, bootstrap) = (JAVA.find()?, PathBuf::from(TOMCAT.find()?));
        let tomcat = bootstrap.ancestors().nth(2).unwrap_or(Path::new("/")).to_owned();
        let classes = sessions::classes(&java, &tomcat, &self.node.etc).await?;
        let base = self.make_base(name, listen, told, &classes)?;
        let command = tomcat::command(java, &tomcat, &base, self.node.account, self.memory_mib);
        let mut spec = Spec::new(command, listen, self.node.logs.join(Self::LOG));
        spec.farewell = Farewell::Terminate;
        spec.start_limit = START_LIMIT;
        Ok(spec)
    }

    async fn answers(&self, listen: SocketAddrV4, log: LogSince<'_>) -> Result<(), ServiceError> {
        match tokio::time::timeout(ANSWER_LIMIT, is_up(listen)).await {
            Ok(Ok(true)) => Ok(()),
            _ => {
                let said = log.read();
                let reason = tomcat::reason(&said).unwrap_or("Tomcat does not say why");
                Err(ApiError::conflict(format!("the application does not start: {reason}"))
                    .hint(format!("the log {} of the node has all of it", Self::LOG))
                    .into())
            }
        }
    }

    fn finish(directory: &Path) -> Result<(), ServiceError> {
        application::finish(directory)
    }

    fn programs(&self, routes: &Routes) -> Result<Programs, ServiceError> {
        let version = &routes.code_version;
        Ok(proxy::programs(&self.code(version), &self.patterns(version)?))
    }
}

/// What Tomcat says of the application.
async fn is_up(listen: SocketAddrV4) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(listen).await?;
    let request = format!("GET {HEALTH} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
