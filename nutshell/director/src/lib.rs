//! The director: keeps users, credits, applications and certificates, and alone holds the
//! credentials of clouds.
//!
//! Three layers: `endpoints` translate, `app` decides, `db` stores. Work of several steps is an
//! operation (`operations`); what drifts apart is brought together by `reconcile`.

mod app;
mod backups;
mod ca;
mod clock;
mod db;
mod endpoints;
mod fetch;
mod operations;
mod reconcile;
mod secrets;
mod user_data;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cloud::Cloud;
use protocol::tls::server::{self, TlsListener};
use protocol::tls::{self, ClientCertificates, Holder, TrustError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use app::Executable;
pub use app::identity_provider::IdentityProviderSettings;
pub use app::user::UserSettings;
pub use ca::{AuthorityError, ca_certificate};
pub use db::{DbError, OpenError};
pub use fetch::FetchSettings;

use app::identity_provider::IdentityProvider;
use app::security_group::Turns;
use app::{App, Inner, Tuning};
use ca::Authority;

/// Everything a director needs to begin.
#[derive(Debug)]
pub struct Settings {
    /// Where it keeps what it remembers; made when it is not there.
    pub state_dir: PathBuf,
    /// Where it serves.
    pub listener: TcpListener,
    /// `https://host:port`, as users and VMs reach it.
    pub url: String,
    /// The installation's name: in certificates and in names of servers.
    pub installation: String,
    /// What new VMs run.
    pub executable: Executable,
    /// The clouds by name, the default one first.
    pub clouds: Vec<(String, Arc<dyn Cloud>)>,
    /// By cloud: where the files of its VMs' image begin, if that can be seen from here. What a service
    /// needs is looked for there before VMs are made for it.
    pub image_roots: BTreeMap<String, PathBuf>,
    /// Users that must be there, with these passwords.
    pub users: Vec<UserSettings>,
    /// Credits of a user for whom nothing else is said.
    pub default_credits: i64,
    /// What may be fetched when a manifest names it.
    pub fetch: FetchSettings,
    /// Whether people may make themselves users.
    pub registration: bool,
    /// Whom users may come from, besides.
    pub identity_providers: Vec<IdentityProviderSettings>,
    /// How many milliseconds a minute of autoscaling takes, where it is to be watched.
    pub autoscaling_minute: Option<u32>,
}

/// Why the director did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be made or used.
    #[error("failed to use the state directory {}", path.display())]
    StateDirectory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another director uses the state directory.
    #[error("another director runs on the state directory {}", path.display())]
    Locked {
        /// Which.
        path: PathBuf,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The certificate authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS cannot be set up.
    #[error("failed to set up TLS")]
    Tls(#[source] TrustError),
    /// The listener cannot be used.
    #[error("failed to listen")]
    Listen(#[source] std::io::Error),
    /// A user of the settings could not be made.
    #[error("failed to set up the user `{username}`")]
    User {
        /// Who.
        username: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An identity provider of the settings cannot be used.
    #[error("failed to use the identity provider `{name}`")]
    IdentityProvider {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// For how long VMs have run could not be read.
    #[error("failed to read how long VMs have run")]
    Meter(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the last director left unfinished could not be read.
    #[error("failed to take up unfinished operations")]
    Operations(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The settings name no cloud.
    #[error("no cloud is configured; VMs have to come from somewhere")]
    NoCloud,
}

/// A director at work.
pub struct Director {
    app: App,
    server: JoinHandle<()>,
    /// Held for as long as the director lives.
    _lock: File,
}

impl std::fmt::Debug for Director {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Director").field("url", &self.app.url).finish_non_exhaustive()
    }
}

impl Director {
    /// Starts a director; it serves when this returns.
    ///
    /// # Errors
    /// When the state directory, the listener or the settings cannot be used.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        Self::start_with(settings, Tuning::default()).await
    }

    async fn start_with(settings: Settings, tuning: Tuning) -> Result<Self, StartError> {
        let Settings { state_dir, listener, url, installation, executable, clouds, .. } = settings;
        if clouds.is_empty() {
            return Err(StartError::NoCloud);
        }
        std::fs::create_dir_all(&state_dir)
            .map_err(|source| StartError::StateDirectory { path: state_dir.clone(), source })?;
        let lock = lock(&state_dir)?;
        let db = db::Database::open(&state_dir.join("director.db")).await?;
        let backups = backups::Backups::new(&state_dir);
        let tag = db::installation::id(&db).await.map_err(OpenError::from)?;
        let authority = Authority::load_or_create(&state_dir, &installation)?;
        let listening = listener.local_addr().map_err(StartError::Listen)?;
        let hosts = ca::director_hosts(&url, listening.ip());
        let credentials = authority.director_credentials(&hosts)?;
        let holder = Holder::new(&credentials).map_err(StartError::Tls)?;
        let trust = authority.trust().clone();
        let mut providers = Vec::new();
        for provider in settings.identity_providers {
            let name = provider.name.clone();
            let provider = IdentityProvider::new(provider, &url)
                .map_err(|source| StartError::IdentityProvider { name, source: source.into() })?;
            providers.push(Arc::new(provider));
        }
        let accounts = app::user::Accounts {
            default_credits: settings.default_credits,
            registration: settings.registration,
            providers,
            in_settings: settings.users.iter().map(|user| user.username.clone()).collect(),
        };
        let own = Arc::clone(&holder);
        let meter = app::credit::Meter::take_up(&db, tuning.clock.clone())
            .await
            .map_err(|source| StartError::Meter(source.into()))?;

        let app = App(Arc::new(Inner {
            managers: app::manager::Managers::new(trust.clone(), Arc::clone(&holder)),
            installation,
            tag,
            url,
            executable,
            security_groups: Turns::new(clouds.iter().map(|(name, _)| name)),
            clouds,
            image_roots: settings.image_roots,
            tuning,
            autoscaling_minute: settings.autoscaling_minute,
            db,
            backups,
            authority,
            events: app::event::Events::default(),
            passwords: app::password::Passwords::new(),
            login_limit: app::login_limit::LoginLimit::default(),
            fetch: settings.fetch,
            deployments: state_dir.join("deployments"),
            accounts,
            meter,
            operations: operations::Operations::default(),
            watch: reconcile::Watch::default(),
            reconcile: tokio::sync::Notify::new(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        for user in &settings.users {
            app.user_ensure(user).await.map_err(|source| StartError::User {
                username: user.username.clone(),
                source: source.into(),
            })?;
        }

        let config = tls::server_config(holder, &trust, ClientCertificates::Optional)
            .map_err(StartError::Tls)?;
        listener.set_nonblocking(true).map_err(StartError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Listen)?;
        let listener =
            TlsListener::new(listener, config, trust.clone()).map_err(StartError::Listen)?;
        let director_url = own_url(listening);
        let pages = frontend::router(frontend::Settings { director_url, trust, holder: own });
        let router = endpoints::router(app.clone(), pages);
        let shutdown = app.shutdown.clone();
        let server = tokio::spawn(async move {
            if let Err(error) = server::serve(listener, router, shutdown).await {
                tracing::error!(%error, "the director no longer serves");
            }
        });
        app.backups_clear().await.map_err(|source| StartError::Operations(source.into()))?;
        app.deployments_clean().await.map_err(|source| StartError::Operations(source.into()))?;
        // Only now: what is taken up may need to be reached by its VMs.
        app.operations_take_up(true)
            .await
            .map_err(|source| StartError::Operations(source.into()))?;
        app.spawn(app.clone().reconcile_forever());
        app.spawn(app.clone().listen_forever());
        Ok(Self { app, server, _lock: lock })
    }

    /// Has the director compare what should be with what is, now.
    pub fn reconcile(&self) {
        self.app.reconcile.notify_one();
    }

    /// Ends it. What was under way goes on, or is undone, at the next start.
    pub async fn shutdown(self) {
        self.app.shutdown.cancel();
        self.app.tasks.close();
        self.app.tasks.wait().await;
        // Its own end is bounded: long polls and event streams end with the token.
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the director's server ended badly");
        }
        if let Err(error) = self.app.meter_save().await {
            app::error::log(&error);
        }
        self.app.db.close().await;
    }
}

/// Where the pages reach the API: here, whatever name others use.
fn own_url(listening: SocketAddr) -> String {
    let ip = match listening.ip() {
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("https://{}", SocketAddr::new(ip, listening.port()))
}

/// Two directors on one state would do every operation twice.
fn lock(state_dir: &Path) -> Result<File, StartError> {
    let path = state_dir.to_owned();
    let opened = File::create(state_dir.join("director.lock"));
    let file =
        opened.map_err(|source| StartError::StateDirectory { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(StartError::StateDirectory { path, source }),
    }
}

#[cfg(test)]
mod tests;
