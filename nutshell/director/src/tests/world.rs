//! A director of its own for each test: its state, port, certificate authority, cloud and clock.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ::cloud::Cloud;
use protocol::api::{Application, Login, Service, ServiceCreate, ServiceStart, State};
use protocol::client::DirectorClient;
use protocol::tls::Trust;
use protocol::{ApplicationId, ErrorCode, Identity, ServiceId};
use time::OffsetDateTime;

use super::cloud::TestCloud;
use crate::app::{App, Tuning};
use crate::clock::Clock;
use crate::operations::Overseer;
use crate::{Director, Executable, FetchSettings, Settings, UserSettings};

pub(crate) const INSTALLATION: &str = "test-world";
pub(crate) const PASSWORD: &str = "a password";
pub(crate) const CREDITS: i64 = 100;

pub(crate) struct World {
    directory: tempfile::TempDir,
    listener: TcpListener,
    pub(crate) cloud: Arc<TestCloud>,
    /// Where the files of its VMs' image begin; counts from the next start.
    pub(crate) image_roots: BTreeMap<String, PathBuf>,
    executable: Executable,
    tuning: Tuning,
    advanced_seconds: Arc<AtomicI64>,
    set_seconds: Arc<AtomicI64>,
    director: Option<Director>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With other settings than a real director's.
    pub(crate) async fn with(tune: impl FnOnce(&mut Tuning)) -> Self {
        let executable = Executable { path: "/proc/self/exe".into(), sha256: "0f".repeat(32) };
        Self::build(executable, tune).await
    }

    /// With that to be run in VMs.
    pub(crate) async fn with_executable(executable: Executable) -> Self {
        Self::build(executable, |_| ()).await
    }

    async fn build(executable: Executable, tune: impl FnOnce(&mut Tuning)) -> Self {
        let advanced_seconds = Arc::new(AtomicI64::new(0));
        let advanced = Arc::clone(&advanced_seconds);
        let passed = move || time::Duration::seconds(advanced.load(Ordering::Relaxed));
        let begun = Instant::now();
        let steady = passed.clone();
        let set = Arc::new(AtomicI64::new(0));
        let set_by = Arc::clone(&set);
        let clock = Clock::new(
            move || {
                let set_by = time::Duration::seconds(set_by.load(Ordering::Relaxed));
                OffsetDateTime::now_utc() + passed() + set_by
            },
            move || begun.elapsed() + steady().unsigned_abs(),
        );
        // Reconciled when a test asks for it.
        let reconcile_every = Duration::from_secs(3600);
        let mut tuning = Tuning { clock, reconcile_every, ..Tuning::default() };
        tune(&mut tuning);
        let mut world = Self {
            directory: tempfile::tempdir().unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            cloud: TestCloud::new(),
            image_roots: BTreeMap::new(),
            executable,
            tuning,
            advanced_seconds,
            set_seconds: set,
            director: None,
        };
        world.start().await;
        world
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.listener.local_addr().unwrap())
    }

    fn settings(&self) -> Settings {
        let user = |username: &str, administrator| UserSettings {
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
            administrator,
            credits: None,
        };
        let cloud: Arc<dyn Cloud> = Arc::clone(&self.cloud) as _;
        Settings {
            state_dir: self.directory.path().to_owned(),
            listener: self.listener.try_clone().unwrap(),
            url: self.url(),
            installation: INSTALLATION.to_owned(),
            executable: self.executable.clone(),
            clouds: vec![("default".to_owned(), cloud)],
            image_roots: self.image_roots.clone(),
            users: vec![user("test", false), user("other", false), user("admin", true)],
            default_credits: CREDITS,
            fetch: FetchSettings { allow_private: true, ..FetchSettings::default() },
            registration: true,
            identity_providers: vec![],
            autoscaling_minute: None,
        }
    }

    pub(crate) async fn start(&mut self) {
        let started = Director::start_with(self.settings(), self.tuning.clone()).await;
        self.director = Some(started.unwrap());
    }

    /// Ends the director where it stands, as a kill would: nothing is finished first.
    pub(crate) async fn stop(&mut self) {
        self.director.take().unwrap().shutdown().await;
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// Restarts with somebody else overseeing the operations.
    pub(crate) async fn restart_overseen(&mut self, overseer: Option<Overseer>) {
        self.stop().await;
        self.tuning.overseer = overseer;
        self.start().await;
    }

    pub(crate) fn app(&self) -> &App {
        &self.director.as_ref().unwrap().app
    }

    /// Sets the clock without any time passing.
    pub(crate) fn set_clock(&self, by: time::Duration) {
        self.set_seconds.fetch_add(by.whole_seconds(), Ordering::Relaxed);
    }

    /// Lets time pass.
    /// The tag by which a cloud knows what is this installation's.
    pub(crate) fn tag(&self) -> (&'static str, &str) {
        (crate::operations::TAG_INSTALLATION, &self.app().tag)
    }

    pub(crate) fn advance(&self, by: time::Duration) {
        self.advanced_seconds.fetch_add(by.whole_seconds(), Ordering::Relaxed);
    }

    pub(crate) fn trust(&self) -> Trust {
        let path = crate::ca_certificate(self.directory.path());
        Trust::new(INSTALLATION, &std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// A client that nobody has logged in with.
    pub(crate) fn anonymous(&self) -> DirectorClient {
        let client = self.trust().client(Identity::Director, None).unwrap();
        DirectorClient::new(client, &self.url(), None)
    }

    pub(crate) async fn login(&self, username: &str) -> DirectorClient {
        self.anonymous().with_token(self.session(username).await)
    }

    /// The secret of a new session.
    pub(crate) async fn session(&self, username: &str) -> String {
        let login = Login { username: username.to_owned(), password: PASSWORD.to_owned() };
        self.anonymous().login(&login).await.unwrap().token
    }

    /// Once every operation has ended: see [`Self::assert_clean_slate`].
    pub(crate) async fn assert_clean_slate_soon(&self) {
        self.app().operations_given_up().await;
        self.assert_clean_slate().await;
    }

    /// The director's view is as if nothing had ever been started, and so is the cloud.
    pub(crate) async fn assert_clean_slate(&self) {
        let mut connection = self.app().db.read().await.unwrap();
        let nodes = crate::db::node::list(&mut connection).await.unwrap();
        assert!(nodes.is_empty(), "nodes are left: {nodes:?}");
        let under_way = crate::db::operation::list_under_way(&mut connection).await.unwrap();
        assert!(under_way.is_empty(), "operations are left: {under_way:?}");
        assert_eq!(self.cloud.count(), 0, "servers are left: {:?}", self.cloud.servers());
    }
}

/// A generic service in the user's first application.
pub(crate) fn generic() -> ServiceCreate {
    ServiceCreate { service_type: "generic".to_owned(), application: None, name: None, cloud: None }
}

/// An application at work with one service that has one node.
pub(crate) async fn running_service(user: &DirectorClient) -> Service {
    let created = user.service_create(&generic()).await.unwrap();
    let service = created.service;
    let service = user.service_start(service.id, &ServiceStart::default()).await.unwrap();
    let service = user.service_await(service, State::Running).await.unwrap();
    assert_eq!((service.state, service.nodes), (State::Running, 1), "{:?}", service.reason);
    service
}

/// Waits until the application is in a state that stays.
pub(crate) async fn settled(user: &DirectorClient, id: ApplicationId) -> Application {
    let application = user.application_view(id).await.unwrap();
    user.application_await(application, |application| application.state.is_stable()).await.unwrap()
}

pub(crate) async fn credits(user: &DirectorClient) -> i64 {
    user.user_view().await.unwrap().credits
}

/// The refusal that a call met with.
pub(crate) fn refusal<T>(result: Result<T, protocol::ClientError>) -> (ErrorCode, String) {
    let Err(error) = result else { panic!("it was not refused") };
    let told = error.api().unwrap_or_else(|| panic!("not a refusal: {error:?}"));
    (told.code, told.message.clone())
}

/// Ids that nobody has.
pub(crate) const NO_APPLICATION: ApplicationId = ApplicationId(999);
pub(crate) const NO_SERVICE: ServiceId = ServiceId(999);

impl App {
    /// Waits until the director works on no operation.
    pub(crate) async fn operations_given_up(&self) {
        let under_way = {
            let mut connection = self.db.read().await.unwrap();
            crate::db::operation::list_under_way(&mut connection).await.unwrap()
        };
        for record in under_way {
            let _ = self.operation_await(record.operation.id).await;
        }
    }
}
