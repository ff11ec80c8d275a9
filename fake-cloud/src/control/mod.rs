//! Steering: what a test or a person does to a cloud from outside its APIs: faults, the pace of
//! transitions, the clock, servers that die or are cut off, pools and quotas that are exhausted.
//!
//! Nothing of it is kept: a cloud that starts again is as good as new.

mod access;
pub(crate) mod api;
pub mod fault;
pub(crate) mod points;
mod routes;
mod servers;
mod steering;
pub mod steps;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

pub use access::ControlAccess;
pub use fault::{Effect, Fault, NewFault};
pub(crate) use routes::{PATH, ROUTES, router};
pub(crate) use steering::{Injected, Passage, Steering, Struck, dropped};
pub use steps::{Pending, StepWanted, Transitions};

use crate::cloud::{Cloud, Failure};
use crate::model::quota::Quotas;
use crate::model::{NetworkId, ServerId};
use crate::regions::Regions;
use crate::snapshot::SnapshotError;

/// The steering of a region of a cloud, the only one of most; clones steer the same one. `/control`
/// is this over HTTP, and `fake-cloud chaos` is that on the command line.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fake_cloud::FakeCloud;
/// use fake_cloud::control::{Effect, NewFault, Transitions};
///
/// let cloud = FakeCloud::builder().start().await?;
/// let control = cloud.control();
/// // The next two servers cannot be made, in Nova's own words.
/// control.inject(NewFault {
///     times: Some(2),
///     ..NewFault::new("compute:servers.create", Effect::error(503))
/// })?;
/// // Servers stay in BUILD until the test lets them go on.
/// control.set_transitions(Transitions::Manual)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Control(Regions);

/// Why a cloud was not steered.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No operation and no step has the name.
    #[error("nothing is called '{0}'; `fake-cloud chaos points` lists what there is")]
    NoSuchPoint(String),
    /// The effect is not one that such a point can have.
    #[error("{0}")]
    Unfit(&'static str),
    /// There is nothing with this number or name.
    #[error("there is no {what} '{name}'")]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// By which name.
        name: String,
    },
    /// The network cannot do it.
    #[error("failed to cut the server off the network")]
    Network(#[source] std::io::Error),
    /// Nobody can say what the server prints.
    #[error("failed to read the server's console")]
    Console(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The cloud could not carry it out.
    #[error("failed to do that to the server")]
    Cloud(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What can be exhausted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// The free addresses of a network, by its name: those it gives to servers, or its floating IPs.
    Pool(String),
    /// A quota, by the name of the field of [`Quotas`]: it is 0 for everyone while that lasts.
    Quota(String),
}

/// How a cloud is steered at the moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The region.
    pub region: String,
    /// The cloud's time.
    #[serde(with = "time::serde::rfc3339")]
    pub now: OffsetDateTime,
    /// How long the way to the region's APIs takes, in seconds.
    pub latency: f64,
    /// How long work takes.
    pub transitions: Transitions,
    /// Work that waits.
    pub pending: Vec<Pending>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The servers that are cut off the network.
    pub cut_off: Vec<Uuid>,
    /// What is exhausted.
    pub exhausted: Vec<Supply>,
}

impl NewFault {
    /// A fault that strikes each time.
    pub fn new(at: &str, effect: Effect) -> Self {
        Self { at: at.to_owned(), effect, times: None, percent: None, seed: None }
    }
}

impl Effect {
    /// An answer with this status, in the words that fit it; nothing is done.
    pub fn error(status: u16) -> Self {
        Self::Error { status, code: None, message: None, after: false }
    }
}

impl Control {
    pub(crate) fn new(regions: Regions) -> Self {
        Self(regions)
    }

    fn cloud(&self) -> &Arc<Cloud> {
        self.0.here()
    }

    /// Where the cloud is steered over HTTP, and with which token.
    pub fn access(&self) -> ControlAccess {
        ControlAccess {
            url: format!("{}{PATH}", self.cloud().api_url),
            token: self.cloud().control_token.clone(),
        }
    }

    /// The environment in which all programs of a user of the settings use the cloud: clients of its
    /// APIs and `fake-cloud` itself.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn environment(&self, user: &str) -> Result<Vec<(&'static str, String)>, ControlError> {
        let credentials = self.cloud().credentials(user);
        let credentials = credentials.ok_or_else(|| missing("user of the settings", user))?;
        let mut variables = credentials.environment();
        let (access, state) = (self.access(), self.0.home().state_dir.to_string_lossy());
        variables.extend([
            ("FAKE_CLOUD_CONTROL_URL", &*access.url),
            ("FAKE_CLOUD_CONTROL_TOKEN", &*access.token),
            ("FAKE_CLOUD_STATE", &*state),
        ]);
        Ok(variables.into_iter().map(|(name, value)| (name, value.to_owned())).collect())
    }

    /// Asks for the end of the cloud: see [`crate::FakeCloud::shutdown_requested`].
    pub fn request_shutdown(&self) {
        self.0.home().steering.shutdown_requested.cancel();
    }

    /// How the cloud is steered at the moment.
    pub fn overview(&self) -> Overview {
        let steering = &self.cloud().steering;
        Overview {
            region: self.cloud().region.clone(),
            now: self.cloud().now(),
            latency: self.cloud().steering.latency().as_secs_f64(),
            transitions: steering.gate.transitions(),
            pending: steering.gate.pending(),
            faults: steering.faults().list(),
            cut_off: steering.cut_off().keys().map(|id| id.0).collect(),
            exhausted: self.exhausted(),
        }
    }

    /// Adds a fault; gives its number.
    ///
    /// # Errors
    /// When nothing is called so, or the effect makes no sense there.
    pub fn inject(&self, fault: NewFault) -> Result<Fault, ControlError> {
        check(&fault)?;
        let added = self.cloud().steering.faults().add(fault);
        added.ok_or(ControlError::Unfit("there are too many faults; clear some first"))
    }

    /// Removes a fault; what it holds up goes on.
    ///
    /// # Errors
    /// When there is none with that number.
    pub fn remove(&self, fault: u64) -> Result<(), ControlError> {
        if !self.cloud().steering.faults().remove(fault) {
            return Err(ControlError::Missing { what: "fault", name: fault.to_string() });
        }
        self.cloud().steering.gate.release_fault(Some(fault));
        Ok(())
    }

    /// Removes all faults, lets all servers rejoin the network, and refills what was exhausted.
    pub async fn clear(&self) {
        self.cloud().steering.faults().clear();
        self.cloud().steering.gate.release_fault(None);
        let ((), _) = self.cloud().decide(|model, _| model.shortages = Default::default());
        let cut_off: Vec<ServerId> = self.cloud().steering.cut_off().keys().copied().collect();
        for server in cut_off {
            self.cloud().rejoin(server).await;
        }
    }

    /// How long work takes from now on; what waits goes on at once.
    ///
    /// # Errors
    /// When a step that is given a time is not known.
    pub fn set_transitions(&self, transitions: Transitions) -> Result<(), ControlError> {
        check_transitions(&transitions)?;
        self.cloud().steering.gate.set_transitions(transitions);
        Ok(())
    }

    /// How long the way to the region's APIs takes from now on.
    pub fn set_latency(&self, latency: Duration) {
        *self.cloud().steering.latency() = latency;
    }

    /// Lets work go on that waits for its time or to be stepped; tells which.
    pub fn step(&self, wanted: &StepWanted) -> Vec<Pending> {
        self.cloud().steering.gate.release(wanted)
    }

    /// Comes back when no work is under way, apart from what waits: to be stepped, for its time,
    /// for the end of a fault. What was just let go on is under way.
    pub async fn settled(&self) {
        self.cloud().steering.gate.settled(|| self.cloud().now()).await;
    }

    /// Moves the cloud's clock forward, which is that of all its regions.
    pub fn advance_clock(&self, by: Duration) -> OffsetDateTime {
        self.cloud().advance_clock(by);
        self.cloud().now()
    }

    /// Writes the whole cloud, with all its regions, to a file that is not there yet. Servers stand
    /// still meanwhile.
    ///
    /// # Errors
    /// When the file cannot be written, or servers do not lie in the state directory.
    pub async fn snapshot(&self, file: impl Into<PathBuf>) -> Result<(), SnapshotError> {
        let (regions, file) = (self.0.clone(), file.into());
        // A task of its own: servers must go on even if nobody waits for the snapshot any more.
        let written = self.cloud().spawn(async move { regions.snapshot(&file).await });
        written.await.map_err(|error| SnapshotError::Io {
            step: "write the snapshot",
            source: error.into(),
        })?
    }

    /// Ends a server as if it had died by itself.
    ///
    /// # Errors
    /// When there is no such server, or it cannot be ended.
    pub async fn kill(&self, server: &str) -> Result<(), ControlError> {
        self.cloud().kill(self.server(server)?).await.map_err(failed)
    }

    /// Cuts a server off the network: its floating IPs do not answer, and it reaches no other
    /// server and none reaches it.
    ///
    /// # Errors
    /// When there is no such server, it has no address, or the network cannot do that.
    pub async fn cut_off(&self, server: &str) -> Result<(), ControlError> {
        let id = self.server(server)?;
        let addresses = self.cloud().addresses_of(id);
        if addresses.is_empty() {
            return Err(ControlError::Unfit("the server has no address"));
        }
        self.cloud().cut_off(id, addresses).await.map_err(ControlError::Network)
    }

    /// Lets a server rejoin the network.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn rejoin(&self, server: &str) -> Result<(), ControlError> {
        self.cloud().rejoin(self.server(server)?).await;
        Ok(())
    }

    /// Exhausts a pool of addresses or a quota until [`Control::clear`].
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn exhaust(&self, supply: &Supply) -> Result<(), ControlError> {
        let (done, _) = self.cloud().decide(|model, _| match supply {
            Supply::Pool(name) => {
                let found = model.networks.iter().find(|network| network.name == *name);
                let id = found.map(|network| network.id).ok_or_else(|| missing("network", name))?;
                model.shortages.pools.insert(id);
                Ok(())
            }
            Supply::Quota(name) => {
                let known = Quotas::NAMES.contains(&name.as_str());
                if !known {
                    return Err(missing("quota", name));
                }
                model.shortages.quotas.insert(name.clone());
                Ok(())
            }
        });
        done
    }

    fn exhausted(&self) -> Vec<Supply> {
        let model = self.cloud().read();
        let name = |id: &NetworkId| model.networks.get(*id).map(|network| network.name.clone());
        let pools = model.shortages.pools.iter().filter_map(name).map(Supply::Pool);
        pools.chain(model.shortages.quotas.iter().cloned().map(Supply::Quota)).collect()
    }

    /// The server with this id, or the only one with this name.
    fn server(&self, name: &str) -> Result<ServerId, ControlError> {
        let model = self.cloud().read();
        let fits = |id: ServerId, known: &str| id.to_string() == name || known == name;
        let mut found = model.servers.iter().filter(|server| fits(server.id, &server.name));
        match (found.next(), found.next()) {
            (Some(server), None) => Ok(server.id),
            (None, _) => Err(missing("server", name)),
            (Some(_), Some(_)) => {
                Err(ControlError::Unfit("several servers have that name; give the id"))
            }
        }
    }
}

fn missing(what: &'static str, name: &str) -> ControlError {
    ControlError::Missing { what, name: name.to_owned() }
}

fn failed(failure: Failure) -> ControlError {
    ControlError::Cloud(Box::new(failure))
}

/// Makes sure that a fault can ever strike, and that it makes sense where it does.
fn check(fault: &NewFault) -> Result<(), ControlError> {
    let meant = |points: Vec<String>| points.iter().any(|point| fault::matches(&fault.at, point));
    let (operation, step) = (meant(points::operations()), meant(points::steps()));
    if !operation && !step {
        return Err(ControlError::NoSuchPoint(fault.at.clone()));
    }
    if fault.percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
        return Err(ControlError::Unfit("a chance is between 0 and 100 percent"));
    }
    match &fault.effect {
        Effect::Error { .. } | Effect::Drop { .. } if !operation => {
            Err(ControlError::Unfit("a step has no answer: it can fail, hang, or take longer"))
        }
        Effect::Fail { .. } | Effect::Hang if !step => Err(ControlError::Unfit(
            "an operation can answer with an error, lose its connection, or take longer; steps \
             such as server.spawning can fail and hang",
        )),
        Effect::Error { status, .. } if !(400..=599).contains(status) => {
            Err(ControlError::Unfit("the status of an error is between 400 and 599"))
        }
        Effect::Delay { seconds } if Duration::try_from_secs_f64(*seconds).is_err() => {
            Err(ControlError::Unfit("a delay is a number of seconds"))
        }
        _ => Ok(()),
    }
}

/// Makes sure that transitions speak of steps that there are.
pub(crate) fn check_transitions(transitions: &Transitions) -> Result<(), ControlError> {
    let Transitions::Timed { seconds } = transitions else { return Ok(()) };
    let steps = points::steps();
    match seconds.keys().find(|step| !steps.contains(step)) {
        None => Ok(()),
        Some(unknown) => Err(ControlError::NoSuchPoint(unknown.clone())),
    }
}
