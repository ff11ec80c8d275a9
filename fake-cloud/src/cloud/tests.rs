//! Servers at work over a backend that fails, dawdles and dies when told to.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::*;
use crate::backends::{BackendError, ExitSender, ServerExit, ServerSpec, VolumeMount};
use crate::builder::Borrowed;
use crate::model::life::{Request, State};
use crate::model::{
    AttachWanted, Caller, NewServers, NewVolume, ServerId, TokenId, VolumeState, token_id,
};
use crate::network;
use crate::settings::{Listen, Settings};

/// A backend that does what the test says.
#[derive(Debug)]
struct Scripted {
    running: Mutex<BTreeSet<Uuid>>,
    disks: Mutex<BTreeSet<Uuid>>,
    /// Starts need one of these each.
    permits: Semaphore,
    /// Starts fail for this reason, and volumes are busy.
    broken: Mutex<Option<String>>,
    /// The last server that was started.
    last: Mutex<Option<ServerSpec>>,
}

#[async_trait]
impl Backend for Scripted {
    async fn start(&self, server: &ServerSpec) -> Result<(), BackendError> {
        self.permits.acquire().await.unwrap().forget();
        *self.last.lock().unwrap() = Some(server.clone());
        if let Some(reason) = self.broken.lock().unwrap().clone() {
            return Err(BackendError::Image(reason));
        }
        self.disks.lock().unwrap().insert(server.id);
        self.running.lock().unwrap().insert(server.id);
        Ok(())
    }

    async fn stop(&self, id: Uuid) -> Result<(), BackendError> {
        self.running.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn runs(&self, id: Uuid) -> bool {
        self.running.lock().unwrap().contains(&id)
    }

    async fn delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.running.lock().unwrap().remove(&id);
        self.disks.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn reset(&self, id: Uuid) -> Result<(), BackendError> {
        self.delete(id).await
    }

    async fn pause(&self, _: Uuid, _: bool) -> Result<(), BackendError> {
        Ok(())
    }

    async fn console(&self, _: Uuid, _: Option<usize>) -> Result<String, BackendError> {
        Ok(String::new())
    }

    async fn disks(&self) -> Result<Vec<Uuid>, BackendError> {
        Ok(self.disks.lock().unwrap().iter().copied().collect())
    }

    async fn volume_extend(&self, _: Uuid, _: u64) -> Result<(), BackendError> {
        Ok(())
    }

    async fn volume_create(&self, _: Uuid, _: u64, _: Option<Uuid>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn volume_delete(&self, _: Uuid) -> Result<(), BackendError> {
        Ok(())
    }

    async fn volumes(&self) -> Result<Vec<Uuid>, BackendError> {
        Ok(vec![])
    }

    async fn volume_attach(&self, _: Uuid, _: &VolumeMount) -> Result<(), BackendError> {
        Ok(())
    }

    async fn volume_detach(&self, _: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        let busy = self.broken.lock().unwrap().is_some();
        if busy { Err(BackendError::Busy(volume.id)) } else { Ok(()) }
    }

    async fn power_off(&self) {
        self.running.lock().unwrap().clear();
        self.permits.add_permits(100);
    }
}

struct Stage {
    cloud: Arc<Cloud>,
    backend: Arc<Scripted>,
    caller: Caller,
    exits: ExitSender,
    watcher: tokio::task::JoinHandle<()>,
    writer: tokio::task::JoinHandle<()>,
    dir: TempDir,
}

impl Stage {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), 100).await
    }

    async fn open(dir: TempDir, permits: usize) -> Self {
        let listen = Listen::Address("127.0.0.1:0".parse().unwrap());
        let mut settings = Settings::loopback(dir.path().to_owned(), listen, "secret");
        let (store, mut model, writer) = Store::open(&dir.path().join("db")).await.unwrap();
        model.seed(&settings, settings.clock.now());
        let user = model.user_named("admin").unwrap();
        let caller = Caller {
            user_id: user.id,
            project_id: Some(user.grants[0].0),
            is_admin: true,
            token_id: TokenId::random(),
        };
        let backend = Arc::new(Scripted {
            running: Mutex::default(),
            disks: Mutex::default(),
            permits: Semaphore::new(permits),
            broken: Mutex::default(),
            last: Mutex::default(),
        });
        settings.patience = Duration::from_millis(1);
        let pair: Pair = (Arc::clone(&backend) as _, Arc::new(network::inert::Inert));
        let api_url = "http://127.0.0.1:1".to_owned();
        let (places, borrowed) = (Arc::default(), Borrowed::default());
        let parts = Parts { api_url, places, home: None, pair, model, store, borrowed };
        let cloud = Cloud::new(&settings, parts);
        let (exits, exited) = mpsc::unbounded_channel();
        let watcher = tokio::spawn(Arc::clone(&cloud).watch_exits(exited));
        Self { cloud, backend, caller, exits, watcher, writer, dir }
    }

    /// The cloud dies here and another begins on what it has written.
    async fn die_and_return(self, permits: usize) -> Self {
        let Self { cloud, backend, exits, writer, dir, .. } = self;
        cloud.going_down.cancel();
        drop(exits);
        // Work that waits for the backend would hold the cloud.
        backend.permits.close();
        cloud.tasks.close();
        cloud.tasks.wait().await;
        drop(cloud);
        writer.await.unwrap();
        Self::open(dir, permits).await
    }

    async fn create(&self) -> ServerId {
        let wanted = {
            let model = self.cloud.read();
            NewServers {
                name: "vm".to_owned(),
                flavor: model.flavors.iter().next().unwrap().id.to_string(),
                image: model.images.iter().next().unwrap().id.to_string(),
                min_count: 1,
                max_count: 1,
                ..NewServers::default()
            }
        };
        let project = self.caller.project_id.unwrap();
        self.cloud.create_servers(&self.caller, project, &wanted).await.unwrap()[0]
    }

    async fn act(&self, id: ServerId, request: Request) -> Result<(), Failure> {
        self.cloud.act(&self.caller, &id.to_string(), request, "req").await
    }

    fn state(&self, id: ServerId) -> Option<(State, bool)> {
        let model = self.cloud.read();
        model.servers.get(id).map(|server| (server.state, server.task.is_some()))
    }

    /// Waits until everything the backend has told is dealt with; it can tell no more.
    async fn hear_all_exits(mut self) -> Self {
        self.exits = mpsc::unbounded_channel().0;
        (&mut self.watcher).await.unwrap();
        self.settle().await;
        self
    }

    /// Lets everything that is under way come to its end.
    async fn settle(&self) {
        self.cloud.tasks.close();
        self.cloud.tasks.wait().await;
        self.cloud.tasks.reopen();
    }
}

#[tokio::test]
async fn a_server_that_cannot_start_is_in_error_and_says_why() {
    let stage = Stage::new().await;
    *stage.backend.broken.lock().unwrap() = Some("no kernel".to_owned());
    let id = stage.create().await;
    stage.settle().await;
    assert_eq!(stage.state(id), Some((State::Error, false)));
    let fault = stage.cloud.read().servers.get(id).unwrap().fault.clone().unwrap();
    assert_eq!(fault.message, "the image cannot be booted: no kernel");

    *stage.backend.broken.lock().unwrap() = None;
    stage.act(id, Request::HardReboot).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(id), Some((State::Active, false)));
    assert_eq!(stage.cloud.read().servers.get(id).unwrap().fault, None);
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_stopped() {
    let stage = Stage::new().await;
    let id = stage.create().await;
    stage.settle().await;
    stage.backend.running.lock().unwrap().clear();
    for id in [Uuid::nil(), id.0] {
        stage.exits.send(ServerExit { id, reason: "exit 0".to_owned() }).unwrap();
    }
    let stage = stage.hear_all_exits().await;
    assert_eq!(stage.cloud.read().servers.get(id).unwrap().status(), "SHUTOFF");
}

#[tokio::test]
async fn an_end_that_a_reboot_has_overtaken_is_no_news() {
    let stage = Stage::open(tempfile::tempdir().unwrap(), 1).await;
    let id = stage.create().await;
    stage.settle().await;
    stage.act(id, Request::HardReboot).await.unwrap();
    // The reboot waits for its start; the end of what ran before is told meanwhile.
    stage.exits.send(ServerExit { id: id.0, reason: "exit 0".to_owned() }).unwrap();
    tokio::task::yield_now().await;
    stage.backend.permits.add_permits(1);
    let stage = stage.hear_all_exits().await;
    assert_eq!(stage.state(id), Some((State::Active, false)));
}

#[tokio::test]
async fn a_slow_start_answers_while_it_builds_and_can_be_deleted() {
    let stage = Stage::open(tempfile::tempdir().unwrap(), 0).await;
    let id = stage.create().await;
    assert_eq!(stage.state(id), Some((State::Building, true)));
    assert!(matches!(stage.act(id, Request::Stop).await, Err(Failure::Refused(_))));
    stage.act(id, Request::Delete).await.unwrap();
    assert_eq!(stage.state(id), Some((State::Building, true)), "the start is not over");
    stage.backend.permits.add_permits(1);
    stage.settle().await;
    assert_eq!(stage.state(id), None);
    assert!(stage.backend.disks.lock().unwrap().is_empty(), "nothing is left of it");
    assert!(stage.cloud.read().ports.iter().all(|port| port.server_id().is_none()));
}

#[tokio::test]
async fn what_ran_or_was_under_way_is_taken_up_again() {
    let stage = Stage::open(tempfile::tempdir().unwrap(), 3).await;
    let running = stage.create().await;
    let stopped = stage.create().await;
    let paused = stage.create().await;
    stage.settle().await;
    stage.act(stopped, Request::Stop).await.unwrap();
    stage.act(paused, Request::Pause).await.unwrap();
    stage.settle().await;
    let building = stage.create().await;
    let deleted = stage.create().await;
    stage.act(deleted, Request::Delete).await.unwrap();
    stage.cloud.change(|_, _| Ok::<_, Failure>(())).await.unwrap();

    let stage = stage.die_and_return(100).await;
    let orphan = Uuid::new_v4();
    stage.backend.disks.lock().unwrap().insert(orphan);
    stage.cloud.resume().await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(running), Some((State::Active, false)));
    assert_eq!(stage.state(stopped), Some((State::Stopped, false)));
    assert_eq!(stage.state(paused), Some((State::Stopped, false)));
    assert_eq!(stage.state(building), Some((State::Active, false)));
    assert_eq!(stage.state(deleted), None);
    let expected = BTreeSet::from([running.0, building.0]);
    assert_eq!(*stage.backend.running.lock().unwrap(), expected);
    assert!(!stage.backend.disks.lock().unwrap().contains(&orphan), "disks of nobody are removed");
}

#[tokio::test]
async fn a_cloud_that_goes_down_does_not_record_it_as_the_servers_end() {
    let stage = Stage::new().await;
    let id = stage.create().await;
    stage.settle().await;
    stage.cloud.power_off().await;
    let _ = stage.exits.send(ServerExit { id: id.0, reason: "power cut".to_owned() });
    assert!(stage.backend.running.lock().unwrap().is_empty());
    assert_eq!(stage.state(id), Some((State::Active, false)));
}

#[tokio::test]
async fn a_server_knows_its_neighbours_and_its_metadata() {
    let stage = Stage::new().await;
    let (first, second) = (stage.create().await, stage.create().await);
    stage.settle().await;
    let spec = stage.backend.last.lock().unwrap().clone().unwrap();
    assert_eq!(spec.id, second.0);
    let addresses: Vec<String> = spec.hosts.iter().map(|(ip, _)| ip.to_string()).collect();
    assert_eq!(addresses, ["127.0.16.2", "127.0.16.3"]);
    assert_ne!(first, second);
    let token = spec.metadata_url.strip_prefix("http://127.0.0.1:1/metadata/").unwrap();
    assert_eq!(token.len(), 32);
    assert_ne!(token_id(token), token_id(""));
}

#[tokio::test]
async fn a_volume_that_is_busy_stays_with_its_server() {
    let stage = Stage::new().await;
    let (cloud, caller) = (&stage.cloud, &stage.caller);
    let server = stage.create().await;
    stage.settle().await;
    let wanted = NewVolume { size_gib: Some(1), ..NewVolume::default() };
    let volume = cloud.create_volume(caller, caller.project_id.unwrap(), wanted).await.unwrap().id;
    stage.settle().await;
    let (server, id) = (server.to_string(), volume.to_string());
    let state = || cloud.read().volumes.get(volume).unwrap().state;
    cloud.attach_volume(caller, &server, &id, AttachWanted::default()).await.unwrap();
    stage.settle().await;
    *stage.backend.broken.lock().unwrap() = Some("busy".to_owned());
    cloud.detach_volume(caller, &server, &id, "").await.unwrap();
    stage.settle().await;
    assert_eq!(state(), VolumeState::InUse);
    *stage.backend.broken.lock().unwrap() = None;
    cloud.detach_volume(caller, &server, &id, "").await.unwrap();
    stage.settle().await;
    assert_eq!(state(), VolumeState::Available);
}
