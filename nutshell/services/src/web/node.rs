//! What every node of a web hosting service can do, whichever service it is.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use protocol::files::{self, Access};
use protocol::{ApiError, CodeVersionId};
use rustix::process::Signal;
use tokio::process::Command;
use tokio::sync::Mutex;

use super::account::Account;
use super::daemons::{Daemons, Spec};
use super::nginx::{self, Places};
use super::ports::{self, Availability};
use super::redis::{self, SessionStore};
use super::requests::RequestLog;
use super::versions::Versions;
use super::wire::{Counts, Retirement};
use crate::code::random_name;
use crate::process::{self, Effort};
use crate::{AgentContext, Need, ServiceError};

/// The daemons by their names, which are also the beginnings of their files' names.
pub(crate) const PROXY: &str = "proxy";
pub(crate) const WEB: &str = "web";
pub(crate) const SESSIONS: &str = "sessions";

/// How long requests may take that are under way when their daemon is stopped.
const LAST_REQUESTS: Duration = Duration::from_secs(120);
/// How long to wait for requests that an earlier configuration still works on. They go on; what
/// they may still be led to is stopped only when it has nothing to do.
const EARLIER_REQUESTS: Duration = Duration::from_secs(30);

/// How long users' programs have to close the connections that they use all the time.
const CLOSING: Duration = Duration::from_millis(500);

/// What web hosting needs beside what runs the user's programs.
pub(crate) const NGINX: Need =
    Need { programs: &["nginx"], package: "nginx-light", essential: true };
pub(crate) const REDIS: Need =
    Need { programs: &["redis-server"], package: "redis-server", essential: true };

/// See the module.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) account: Account,
    pub(crate) versions: Versions,
    pub(crate) daemons: Daemons,
    /// Configurations.
    pub(crate) etc: PathBuf,
    run: PathBuf,
    pub(crate) logs: PathBuf,
    /// Held while something is changed.
    pub(crate) changing: Mutex<()>,
    counters: std::sync::Mutex<Counters>,
}

/// What is counted for autoscaling, from the start of the agent on.
#[derive(Debug)]
struct Counters {
    /// Names this start: counters that began anew are not compared with earlier ones.
    run: String,
    requests: RequestLog,
    effort: Effort,
}

impl Node {
    /// Takes up what an earlier agent left.
    pub(crate) fn adopt(context: &AgentContext) -> Result<Self, ServiceError> {
        let cache = context.cache();
        let account = Account::of_this_machine();
        let (etc, run) = (cache.join("etc"), cache.join("run"));
        let logs = context.root().join("var/log");
        for directory in [&etc, &logs] {
            fs::create_dir_all(directory).map_err(ServiceError::file(directory))?;
        }
        account.directory(&run).map_err(ServiceError::file(&run))?;
        // An agent that was killed may not have said that it is over.
        remove(&run.join("proxy.closing"))?;
        let counters = Counters {
            run: random_name(8),
            requests: RequestLog::open(logs.join("proxy.access.log")),
            effort: Effort::default(),
        };
        Ok(Self {
            versions: Versions::open(&cache, account)?,
            daemons: Daemons::adopt(&cache.join("daemons"))?,
            account,
            etc,
            run,
            logs,
            changing: Mutex::default(),
            counters: std::sync::Mutex::new(counters),
        })
    }

    /// What its proxy and its programs have done so far.
    pub(crate) fn counts(&self) -> Result<Counts, ServiceError> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let Counters { run, requests, effort } = &mut *counters;
        let path = self.logs.join("proxy.access.log");
        Ok(Counts {
            run: run.clone(),
            requests: requests.counts().map_err(ServiceError::file(&path))?.clone(),
            busy_seconds: effort.of(&self.daemons.sessions()).as_secs_f64(),
            processors: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        })
    }

    /// Reads the log of the requests before it is put aside.
    pub(crate) fn tend(&self) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = counters.requests.tend() {
            tracing::warn!(%error, "the log of the requests cannot be read");
        }
        // What programs that end have used is known by then.
        let _ = counters.effort.of(&self.daemons.sessions());
    }

    /// The logs of what every web hosting service runs.
    pub(crate) fn logs(&self) -> Vec<(&'static str, PathBuf)> {
        let log = |name| (name, self.logs.join(name));
        vec![
            log("proxy.access.log"),
            log("proxy.error.log"),
            log("web.access.log"),
            log("web.error.log"),
            log("sessions.log"),
        ]
    }

    /// Where one nginx keeps its files.
    pub(crate) fn places<'a>(&'a self, name: &'a str) -> Places<'a> {
        Places { name, run: &self.run, logs: &self.logs, account: self.account }
    }

    /// Serves static files.
    pub(crate) async fn prepare_web(&self, listen: Ipv4Addr) -> Result<(), ServiceError> {
        let listen = SocketAddrV4::new(listen, ports::WEB);
        let text = nginx::web(self.places(WEB), listen, self.versions.directory());
        self.nginx(WEB, listen, &text).await
    }

    /// Keeps sessions.
    pub(crate) async fn prepare_sessions(
        &self,
        listen: Ipv4Addr,
        store: &SessionStore,
    ) -> Result<(), ServiceError> {
        let listen = SocketAddrV4::new(listen, ports::SESSIONS);
        let data = self.run.join(SESSIONS);
        fs::create_dir_all(&data).map_err(ServiceError::file(&data))?;
        let path = self.etc.join("sessions.conf");
        let text = redis::configuration(listen, store, &data);
        files::write(&path, text.as_bytes(), Access::Secret).map_err(ServiceError::file(&path))?;
        if !self.daemons.has(SESSIONS) {
            let command = vec![REDIS.find()?, path.display().to_string()];
            let log = self.logs.join("sessions.log");
            expect_free(listen)?;
            self.daemons.start(SESSIONS, Spec::new(command, listen, log)).await?;
        }
        redis::follow(listen, store).await.map_err(|error| {
            ApiError::conflict(format!("the store of the sessions does not obey: {error}")).into()
        })
    }

    /// Which port a proxy has, or can have, here.
    pub(crate) fn proxy_port(&self, listen: Ipv4Addr) -> u16 {
        self.known_proxy_port().unwrap_or_else(|| match ports::availability(listen, ports::PROXY) {
            Availability::Free => ports::PROXY,
            Availability::Taken | Availability::Forbidden => ports::PROXY_UNPRIVILEGED,
        })
    }

    /// Which port the proxy has, once there is one.
    pub(crate) fn known_proxy_port(&self) -> Option<u16> {
        fs::read_to_string(self.etc.join("proxy.port")).ok()?.trim().parse().ok()
    }

    /// Brings a proxy to this configuration and version. Answers when no request is led by an
    /// earlier one, or those that are take long.
    pub(crate) async fn route(
        &self,
        listen: SocketAddrV4,
        text: &str,
        version: &CodeVersionId,
    ) -> Result<(), ServiceError> {
        if !self.versions.has(version) {
            return Err(ApiError::conflict(format!("{version} is not installed")).into());
        }
        let path = self.etc.join("proxy.port");
        let port = listen.port().to_string();
        files::write(&path, port.as_bytes(), Access::Public).map_err(ServiceError::file(&path))?;
        self.versions.show(version)?;
        self.nginx(PROXY, listen, text).await
    }

    /// Ends what does not go on here; `own` says of other daemons' names whether they do.
    pub(crate) async fn retire(
        &self,
        retirement: &Retirement,
        own: impl Fn(&str) -> bool,
    ) -> Result<(), ServiceError> {
        let Retirement { duties, code_version, wait } = retirement;
        let stays = |name: &str| match name {
            PROXY | SESSIONS => duties.proxy,
            WEB => duties.web,
            other => own(other),
        };
        let doomed = self.daemons.names().into_iter().filter(|name| !stays(name));
        let stop = |name: String| {
            let (daemons, closing) = (self.daemons.clone(), self.places(&name).closing());
            tokio::spawn(async move {
                if name == PROXY {
                    close_connections(&closing).await;
                }
                daemons.stop(&name, grace(&name)).await;
                let _ = fs::remove_file(closing);
            })
        };
        let stopping: Vec<_> = doomed.map(stop).collect();
        if *wait {
            futures::future::join_all(stopping).await;
        }
        if let Some(version) = code_version {
            self.keep(version)?;
        }
        Ok(())
    }

    /// Removes all versions but the one at work and the one before, which requests may still use.
    fn keep(&self, version: &CodeVersionId) -> Result<(), ServiceError> {
        let path = self.etc.join("versions.json");
        let known = fs::read(&path).ok();
        let mut kept: Vec<CodeVersionId> =
            known.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        kept.retain(|known| known != version);
        kept.insert(0, version.clone());
        kept.truncate(2);
        let text = serde_json::to_vec(&kept).expect("ids are plain data");
        files::write(&path, &text, Access::Public).map_err(ServiceError::file(&path))?;
        self.versions.keep(&kept)
    }

    /// Has nginx work by this configuration, which is checked first.
    async fn nginx(
        &self,
        name: &str,
        listen: SocketAddrV4,
        text: &str,
    ) -> Result<(), ServiceError> {
        let (path, next) = (self.config(name, "conf"), self.config(name, "conf.next"));
        let pending = self.config(name, "pending");
        let is_new = fs::read_to_string(&path).ok().as_deref() != Some(text);
        let has = self.daemons.has(name);
        if has && !is_new && !pending.exists() {
            return Ok(());
        }
        let program = NGINX.find()?;
        if !has {
            expect_free(listen)?;
        }
        let write = |path: &Path, text: &str| {
            files::write(path, text.as_bytes(), Access::Public).map_err(ServiceError::file(path))
        };
        write(&next, text)?;
        check(&[&program, "-t", "-q", "-c", &next.display().to_string()]).await?;
        // Should the agent be killed between the two, the next one knows that nginx may not have it.
        write(&pending, "")?;
        write(&path, text)?;
        if has {
            self.reload(name).await;
        } else {
            let command = vec![program, "-c".to_owned(), path.display().to_string()];
            let log = self.logs.join(format!("{name}.error.log"));
            self.daemons.start(name, Spec::new(command, listen, log)).await?;
        }
        fs::remove_file(&pending).map_err(ServiceError::file(&pending))
    }

    /// Has nginx read its configuration again: new workers take the new requests, the earlier ones
    /// finish theirs.
    async fn reload(&self, name: &str) {
        let closing = self.places(name).closing();
        if name == PROXY {
            close_connections(&closing).await;
        }
        let earlier = self.daemons.workers(name);
        self.daemons.signal(name, Signal::HUP);
        let finished = futures::future::join_all(earlier.into_iter().map(process::gone));
        if tokio::time::timeout(EARLIER_REQUESTS, finished).await.is_err() {
            tracing::info!(name, "requests go on that an earlier configuration leads");
        }
        let _ = fs::remove_file(closing);
    }

    /// Removes the files of a backend that is gone.
    pub(crate) fn forget(&self, name: &str) -> Result<(), ServiceError> {
        for suffix in ["told", "conf"] {
            remove(&self.config(name, suffix))?;
        }
        remove_all(&self.directory(name))
    }

    /// Where a backend may keep files: its account's own, once somebody makes it.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    /// The file of a daemon, or of all of a kind.
    pub(crate) fn config(&self, name: &str, suffix: &str) -> PathBuf {
        self.etc.join(format!("{name}.{suffix}"))
    }
}

/// Has a proxy's users close their connections: see [`Places::closing`].
async fn close_connections(closing: &Path) {
    match fs::write(closing, "") {
        // There is no event for what others do not send.
        Ok(()) => tokio::time::sleep(CLOSING).await,
        Err(error) => tracing::warn!(%error, "kept connections will be cut"),
    }
}

/// A store of sessions has no last request that is worth waiting for.
fn grace(name: &str) -> Duration {
    if name == SESSIONS { Duration::ZERO } else { LAST_REQUESTS }
}

/// Whether nobody else listens there: one could not tell its answers from a daemon's own.
pub(crate) fn expect_free(listen: SocketAddrV4) -> Result<(), ApiError> {
    let port = listen.port();
    match ports::availability(*listen.ip(), port) {
        Availability::Free => Ok(()),
        Availability::Taken => {
            Err(ApiError::conflict(format!("port {port} is taken by another program in this VM"))
                .hint("end it, or give it another port; the startup script may have started it"))
        }
        Availability::Forbidden => {
            Err(ApiError::conflict(format!("port {port} may not be used in this VM")))
        }
    }
}

/// Has a daemon check its configuration.
pub(crate) async fn check(command: &[&str]) -> Result<(), ServiceError> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let output = Command::new(program).args(arguments).output().await;
    let output = output.map_err(ServiceError::file(Path::new(program)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    tracing::error!(program, said, "a configuration is not taken");
    let first = said.lines().next().unwrap_or_default();
    Err(ApiError::conflict(format!("{program} does not take its configuration: {first}")).into())
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> Result<(), ServiceError> {
    removed(path, fs::remove_file(path))
}

/// Removes a directory that may not be there, with all in it.
pub(crate) fn remove_all(path: &Path) -> Result<(), ServiceError> {
    removed(path, fs::remove_dir_all(path))
}

fn removed(path: &Path, outcome: std::io::Result<()>) -> Result<(), ServiceError> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ServiceError::file(path)(error)),
        _ => Ok(()),
    }
}
