//! How faults and transitions reach calls and the work after them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fault::{Effect, Faults};
use super::points::METADATA;
use super::steps::{Gate, Pending, Wait};
use crate::cloud::{Cloud, Failure};
use crate::model::ServerId;
use crate::settings::Settings;

/// What a cloud keeps of how it is steered.
#[derive(Debug)]
pub(crate) struct Steering {
    /// How long work takes, and what waits.
    pub(crate) gate: Gate,
    /// How long the way to the APIs takes.
    latency: Mutex<Duration>,
    faults: Mutex<Faults>,
    /// Cancelled when someone asks for the end of the cloud.
    pub(crate) shutdown_requested: CancellationToken,
    /// The servers that are cut off the network, and their addresses.
    cut_off: Mutex<BTreeMap<ServerId, Vec<Ipv4Addr>>>,
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Struck<T> {
    /// Its own answer.
    Answered(T),
    /// This error, in the words of its API.
    Error(Injected),
    /// Its connection closes.
    Dropped,
}

/// An error that someone asked for.
#[derive(Debug)]
pub(crate) struct Injected {
    pub(crate) status: StatusCode,
    /// The name of the error where the API has one.
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

/// What becomes of a piece of work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It may begin.
    Free,
    /// It fails for this reason.
    Failed(String),
    /// Nobody wants it any more.
    Abandoned,
}

impl Steering {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            gate: Gate::new(settings.transitions.clone()),
            latency: Mutex::new(settings.latency),
            faults: Mutex::new(Faults::new(settings.seed)),
            shutdown_requested: CancellationToken::new(),
            cut_off: Mutex::default(),
        }
    }

    pub(crate) fn latency(&self) -> MutexGuard<'_, Duration> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cut_off(&self) -> MutexGuard<'_, BTreeMap<ServerId, Vec<Ipv4Addr>>> {
        self.cut_off.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cloud {
    /// Does what a call asks for, unless a fault strikes it.
    pub(crate) async fn strike<T>(&self, point: &str, work: impl Future<Output = T>) -> Struck<T> {
        let strike = self.steering.faults().strike(point);
        // Servers are where their metadata is.
        let way = if point == METADATA { Duration::ZERO } else { *self.steering.latency() };
        let delay = strike.delay + way;
        if !delay.is_zero() {
            self.until(self.now() + delay).await;
        }
        match strike.effect {
            Some((_, Effect::Error { status, code, message, after })) => {
                if after {
                    work.await;
                }
                let status = StatusCode::from_u16(status);
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Struck::Error(Injected { status, code, message })
            }
            Some((_, Effect::Drop { after })) => {
                if after {
                    work.await;
                }
                Struck::Dropped
            }
            Some((_, Effect::Delay { .. } | Effect::Fail { .. } | Effect::Hang)) | None => {
                Struck::Answered(work.await)
            }
        }
    }

    /// Passes a step of the work on a server, a volume or a snapshot: comes back when it may begin.
    pub(crate) async fn pass(&self, step: &str, id: Uuid) -> Passage {
        let strike = self.steering.faults().strike(step);
        let duration = self.steering.gate.duration(step);
        let waits = match (&strike.effect, duration) {
            (Some((fault, Effect::Hang)), _) => Some((Wait::Fault(*fault), None)),
            (_, None) => Some((Wait::Step, None)),
            (_, Some(duration)) => {
                let duration = duration + strike.delay;
                (!duration.is_zero()).then_some((Wait::Time, Some(duration)))
            }
        };
        if let Some((waits_for, duration)) = waits
            && !self.wait(step, id, waits_for, duration).await
        {
            return Passage::Abandoned;
        }
        match strike.effect {
            Some((_, Effect::Fail { message })) => {
                Passage::Failed(message.unwrap_or_else(|| format!("{step} was made to fail")))
            }
            _ => Passage::Free,
        }
    }

    async fn wait(&self, step: &str, id: Uuid, waits_for: Wait, time: Option<Duration>) -> bool {
        let since = self.now();
        let pending = Pending { step: step.to_owned(), id, waits_for, since };
        let due = time.map(|time| since + time);
        let mut place = self.steering.gate.wait(pending, due);
        let time = async {
            match due {
                Some(due) => self.until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            wanted = place.turn() => wanted,
            () = time => true,
            () = self.going_down.cancelled() => false,
        }
    }

    /// Ends a server as if it had died by itself.
    pub(crate) async fn kill(self: &Arc<Self>, id: ServerId) -> Result<(), Failure> {
        let _turn = self.turns.begin(id).await;
        self.backend.cut(id.0).await?;
        self.record_end(id).await?;
        Ok(())
    }

    /// Cuts a server off the network, at all of its addresses.
    pub(crate) async fn cut_off(
        &self,
        id: ServerId,
        addresses: Vec<Ipv4Addr>,
    ) -> std::io::Result<()> {
        for address in &addresses {
            self.network.cut_off(*address).await?;
        }
        self.steering.cut_off().insert(id, addresses);
        Ok(())
    }

    /// Lets a server rejoin the network, if it was cut off.
    pub(crate) async fn rejoin(&self, id: ServerId) {
        let addresses = self.steering.cut_off().remove(&id);
        for address in addresses.into_iter().flatten() {
            self.network.rejoin(address).await;
        }
    }
}

/// What closes a connection without an answer: the head of an answer is not sent before the
/// first part of its content, and that part never comes.
pub(crate) fn dropped() -> Response {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures::stream::iter([Err::<bytes::Bytes, _>(reset)])))
}
