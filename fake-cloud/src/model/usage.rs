//! What servers have used: how long each ran, those that are gone included.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::table::record;
use super::{Flavor, Model, ProjectId, Server, ServerId};

/// How many servers that are gone are remembered at most: the latest.
const PAST_MAX: usize = 10_000;

/// What is remembered of a server that is gone, for as long as there is room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PastServer {
    /// Its id.
    pub id: ServerId,
    /// Whose it was.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// How large it was.
    pub flavor: Flavor,
    /// When it first ran.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it went.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
}

/// What a server has used in a time.
#[derive(Debug, Clone)]
pub struct ServerUsage<'a> {
    /// The server.
    pub id: ServerId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its name.
    pub name: &'a str,
    /// How large it is.
    pub flavor: &'a Flavor,
    /// What it is, as the API names it.
    pub state: &'static str,
    /// When it first ran.
    pub started: OffsetDateTime,
    /// When it went, if it is gone.
    pub ended: Option<OffsetDateTime>,
    /// How much of the time it was there.
    pub duration: Duration,
}

impl Model {
    /// Remembers what a server has used that is gone now.
    pub(super) fn remember_usage(&mut self, server: &Server, now: OffsetDateTime) {
        let Some(started) = server.launched else { return };
        let oldest = self.past_servers.iter().next().map(|oldest| oldest.id);
        if let Some(oldest) = oldest.filter(|_| self.past_servers.len() >= PAST_MAX) {
            self.past_servers.remove(oldest);
        }
        self.past_servers.insert(PastServer {
            id: server.id,
            project_id: server.project_id,
            name: server.name.clone(),
            flavor: server.flavor.clone(),
            started,
            ended: now,
        });
    }

    /// What servers have used between two times, those that are gone first. A server counts from
    /// its first start to its end, whether it is on or off, as in Nova.
    pub fn usage_between(
        &self,
        start: OffsetDateTime,
        end: OffsetDateTime,
    ) -> impl Iterator<Item = ServerUsage<'_>> {
        let past = self.past_servers.iter().map(|past| ServerUsage {
            id: past.id,
            project_id: past.project_id,
            name: &past.name,
            flavor: &past.flavor,
            state: "terminated",
            started: past.started,
            ended: Some(past.ended),
            duration: Duration::ZERO,
        });
        let present = self.servers.iter().filter_map(|server| {
            Some(ServerUsage {
                id: server.id,
                project_id: server.project_id,
                name: &server.name,
                flavor: &server.flavor,
                state: server.state.vm_state(),
                started: server.launched?,
                ended: None,
                duration: Duration::ZERO,
            })
        });
        past.chain(present).filter_map(move |usage| {
            let (from, to) = (usage.started.max(start), usage.ended.unwrap_or(end).min(end));
            (from < to).then(|| ServerUsage { duration: to - from, ..usage })
        })
    }
}

record!(PastServer, ServerId, "past_server");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::life::{Request, Task};
    use crate::model::tests::{NOW, model, wanted};

    #[test]
    fn a_server_counts_while_it_is_there() {
        let (mut model, caller) = model();
        let wanted = wanted(&model);
        let project = caller.project_id.unwrap();
        let id = model.create_servers(&caller, project, &wanted, NOW).unwrap()[0];
        let at = |hour: i64| NOW + Duration::hours(hour);
        let used = |model: &Model, from: i64, to: i64| {
            let hours = model.usage_between(at(from), at(to)).map(|it| it.duration.whole_hours());
            hours.collect::<Vec<_>>()
        };
        assert_eq!(used(&model, 0, 9), [0; 0], "it has not run yet");
        model.finish(id, Task::Spawning, Ok(()), at(1));
        assert_eq!(used(&model, 0, 9), [8]);
        model.begin(&caller, &id.to_string(), Request::Delete, "req", at(3)).unwrap();
        model.finish(id, Task::Deleting, Ok(()), at(3));
        assert_eq!(used(&model, 0, 9), [2]);
        assert_eq!(used(&model, 2, 9), [1]);
        assert_eq!(used(&model, 3, 9), [0; 0]);
    }
}
