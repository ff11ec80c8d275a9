//! Servers that are gone: EC2 tells of them for a while, and its clients wait to be told.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::index::{Index, Places, Step};
use super::server::Server;
use super::table::Record;
use super::{Model, ProjectId, ServerId};

/// How long a server is remembered.
const REMEMBERED: Duration = Duration::HOUR;

/// How many servers are remembered at most: the latest.
const REMEMBERED_MAX: usize = 1000;

/// A server that is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Terminated {
    /// What it was at last.
    pub server: Server,
    /// Its number among those that are gone.
    pub number: u64,
    /// When it went.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Model {
    /// Remembers a server that is gone, and forgets those that went long ago.
    pub(super) fn remember(&mut self, mut server: Server, now: OffsetDateTime) {
        self.remember_usage(&server, now);
        let surplus = (self.terminated.len() + 1).saturating_sub(REMEMBERED_MAX);
        let old = self.terminated.iter().enumerate();
        let old = old.take_while(|(index, gone)| *index < surplus || !gone.is_remembered(now));
        for id in old.map(|(_, gone)| gone.server.id).collect::<Vec<_>>() {
            self.terminated.remove(id);
        }
        // Nobody asks for these again, and they may be large or secret.
        server.user_data = None;
        server.events = Vec::new();
        server.metadata_token = String::new();
        let number = self.terminated.iter().next_back().map_or(1, |last| last.number + 1);
        self.terminated.insert(Terminated { server, number, at: now });
    }

    /// The servers that are gone and not yet forgotten.
    pub fn lately_terminated(&self, now: OffsetDateTime) -> impl Iterator<Item = &Terminated> {
        self.terminated.iter().filter(move |gone| gone.is_remembered(now))
    }
}

impl Terminated {
    /// Whether it is not yet forgotten.
    pub fn is_remembered(&self, now: OffsetDateTime) -> bool {
        self.at + REMEMBERED > now
    }
}

impl Record for Terminated {
    const KIND: &'static str = "terminated_server";
    type Id = ServerId;
    type Index = TerminatedIndex;
    fn id(&self) -> ServerId {
        self.server.id
    }
}

/// What is known of all servers together that are gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TerminatedIndex {
    /// Them by id.
    pub ids: Places<ServerId>,
    /// Them by the project and the name of the request that made them.
    pub requests: Places<(ProjectId, String)>,
}

impl Index<Terminated> for TerminatedIndex {
    fn take(&mut self, step: Step, place: u64, gone: &Terminated) {
        let server = &gone.server;
        self.ids.take(step, place, server.id);
        if let Some(request) = &server.client_token {
            self.requests.take(step, place, (server.project_id, request.token.clone()));
        }
    }
}
