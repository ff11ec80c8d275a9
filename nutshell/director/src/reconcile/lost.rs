//! Nodes that are lost, because the cloud has them no more or they are not heard of: they are replaced, a few times, and then left to their user.
//!
//! ```text
//!   a manager:  node stopping, application ERROR ──► PROLOGUE ──► RUNNING, with its backup
//!                                   ▲  pause, longer each time  │ failed
//!                                   └───────────────────────────┘ five times: stays ERROR
//!   an agent:   node LOST ──► its manager makes another, gives this one back, tells the others
//!                    ▲ pause, longer each time │ failed
//!                    └─────────────────────────┘ five times: stays LOST, and says so
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloud::{Server, ServerState};
use protocol::api::internal::NodesReplace;
use protocol::api::{Application, Node, NodeState, State};
use protocol::{ApplicationId, NodeId, ServiceId, UserId};

use crate::app::manager::{self, PROMPT};
use crate::app::{App, Result, error};
use crate::db;
use crate::db::node::NodeRecord;
use crate::operations::application_start::ApplicationStart;
use crate::operations::nodes_delete::NodesDeletion;
use crate::reconcile::silent::{Signs, Verdict, Watched};

/// How long a server may be off: it may be on its way back, as after a restart of the whole cloud.
const OFF_AT_MOST: Duration = Duration::from_secs(20);

/// How often the replacement of one thing is tried.
const TRIES: u32 = 5;

/// The pause after the first try; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// What the reconciler remembers from one look to the next. A new director begins anew. Times are
/// those of the meter, which no change of the clock moves.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Servers that are off, since when.
    off: Mutex<HashMap<String, Duration>>,
    tries: Mutex<HashMap<Lost, Tries>>,
    /// Applications that lost their manager while they had no other node, and its cloud.
    bereft: Mutex<BTreeMap<ApplicationId, String>>,
    /// When VMs were heard of.
    signs: Mutex<Signs>,
}

/// How a node got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The cloud no longer has its server.
    Gone,
    /// Its server runs, and nothing is heard of it.
    Silent,
}

impl Loss {
    fn of(self, what: &str) -> String {
        match self {
            Self::Gone => format!("the cloud lost {what}"),
            Self::Silent => format!("{what} does not answer"),
        }
    }
}

/// What is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lost {
    Manager(ApplicationId),
    Agent(NodeId),
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    next: Duration,
}

/// What to do about something that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Replace,
    /// For the last time.
    ReplaceOrFail,
    Wait,
    GiveUp,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// A server that has been off for long enough counts as failed.
    pub(super) fn judge(&self, cloud: &str, servers: &mut [Server], now: Duration) {
        let mut off = locked(&self.off);
        let key = |server: &Server| format!("{cloud}/{}", server.id);
        let still: Vec<String> =
            servers.iter().filter(|server| server.state == ServerState::Stopped).map(key).collect();
        let prefix = format!("{cloud}/");
        off.retain(|known, _| !known.starts_with(&prefix) || still.contains(known));
        for server in servers.iter_mut().filter(|server| server.state == ServerState::Stopped) {
            let since = *off.entry(key(server)).or_insert(now);
            if now - since >= OFF_AT_MOST {
                server.state = ServerState::Failed;
            }
        }
    }

    /// A VM says that it is there.
    pub(crate) fn hear(&self, node: NodeId, now: Duration) {
        locked(&self.signs).hear(node, now);
    }

    /// What to do about those VMs at work that are not heard of.
    pub(super) fn listen(&self, watched: &[Watched], making: bool, now: Duration) -> Verdict {
        locked(&self.signs).look(watched, making, now)
    }

    /// Counts the try that it allows.
    fn decide(&self, lost: Lost, now: Duration) -> Decision {
        let mut tries = locked(&self.tries);
        let one = tries.entry(lost).or_insert(Tries { count: 0, next: now });
        if now < one.next {
            return Decision::Wait;
        }
        if one.count >= TRIES {
            // Said once.
            one.next = Duration::MAX;
            return Decision::GiveUp;
        }
        one.next = now + FIRST_PAUSE * 2_u32.pow(one.count);
        one.count += 1;
        if one.count == TRIES { Decision::ReplaceOrFail } else { Decision::Replace }
    }

    /// Forgets the tries of what is no longer lost.
    fn forget_found(&self, nodes: &[NodeRecord]) {
        let managed = |id: ApplicationId| {
            let mut own = nodes.iter().filter(|record| record.node.application == id).peekable();
            let is_left = own.peek().is_some();
            let is_manager = |record: &NodeRecord| record.node.service.is_none();
            let is_bereft = locked(&self.bereft).contains_key(&id);
            !(is_left || is_bereft)
                || own.any(|one| is_manager(one) && one.node.state == NodeState::Ready)
        };
        let lost = |id: NodeId| {
            nodes.iter().any(|record| record.node.id == id && record.node.state == NodeState::Lost)
        };
        locked(&self.tries).retain(|known, _| match *known {
            Lost::Manager(application) => !managed(application),
            Lost::Agent(node) => lost(node),
        });
    }
}

impl App {
    /// Says where it shows that the node is lost, and gives it up.
    pub(super) async fn node_lost(&self, id: NodeId, loss: Loss) -> Result<()> {
        let mut tx = self.db.write().await?;
        let Some(record) = db::node::view(&mut tx, id).await? else { return Ok(()) };
        let node = record.node;
        if !db::node::set_state(&mut tx, id, NodeState::Lost).await? {
            return Ok(());
        }
        db::node::meter_end(&mut tx, id, self.meter.shows()).await?;
        tracing::warn!(node = %id, ?loss, "a node is lost");
        match node.service {
            Some(service) => {
                let reason = loss.of(&format!("node {id}"));
                db::service::set_reason(&mut tx, service, &reason, self.now()).await?;
                tx.commit().await?;
            }
            None => {
                let begun =
                    NodesDeletion::begin(&mut tx, node.application, vec![id], self.now()).await?;
                let from = [State::Running, State::Adapting];
                let reason = loss.of("its manager");
                let (application, reason) = (node.application, Some(reason.as_str()));
                db::application::set_state(&mut tx, application, &from, State::Error, reason)
                    .await?;
                tx.commit().await?;
                begun.run(self);
                self.managers.forget(node.application);
                locked(&self.watch.bereft).insert(node.application, node.cloud.clone());
                let lost = Lost::Manager(node.application);
                let decision = self.watch.decide(lost, self.meter.shows());
                if self.tuning.replace_lost && decision == Decision::Replace {
                    self.manager_replace(node.application, &node.cloud).await?;
                }
            }
        }
        self.publish_node_of(&node).await;
        Ok(())
    }

    /// Replaces what is lost, where it is time to.
    pub(super) async fn replace_lost(&self) -> Result<()> {
        if !self.tuning.replace_lost {
            return Ok(());
        }
        let nodes = db::node::list(&mut *self.db.read().await?).await?;
        let orphaned = self.applications_without_manager(&nodes).await?;
        let agents = lost_agents(&nodes);
        self.watch.forget_found(&nodes);
        for (application, cloud) in orphaned {
            match self.watch.decide(Lost::Manager(application.id), self.meter.shows()) {
                Decision::Replace | Decision::ReplaceOrFail => {
                    self.manager_replace(application.id, &cloud).await?;
                }
                // The application says why the last one failed.
                Decision::Wait | Decision::GiveUp => {}
            }
        }
        for (service, nodes) in agents {
            self.agents_replace(service, nodes).await?;
        }
        Ok(())
    }

    /// Applications whose manager was lost, and its replacement failed: those with agents at work, and
    /// those of which this director remembers it. With each, the cloud its agents are in, or it was.
    async fn applications_without_manager(
        &self,
        nodes: &[NodeRecord],
    ) -> Result<Vec<(Application, String)>> {
        let mut clouds: BTreeMap<ApplicationId, String> = BTreeMap::new();
        let ready = |record: &&NodeRecord| {
            record.node.service.is_none() && record.node.state == NodeState::Ready
        };
        for record in nodes.iter().filter(ready) {
            locked(&self.watch.bereft).remove(&record.node.application);
        }
        clouds.extend(locked(&self.watch.bereft).clone());
        for record in nodes.iter().filter(|record| record.node.service.is_some()) {
            clouds.entry(record.node.application).or_insert_with(|| record.node.cloud.clone());
        }
        let managed = |id| {
            let manages = |record: &NodeRecord| {
                record.node.application == id
                    && record.node.service.is_none()
                    && record.node.state != NodeState::Stopping
            };
            nodes.iter().any(manages)
        };
        let mut connection = self.db.read().await?;
        let mut orphaned = Vec::new();
        for (id, cloud) in clouds.into_iter().filter(|(id, _)| !managed(*id)) {
            let found = db::application::view(&mut connection, id).await?;
            let failed = found.filter(|record| record.application.state == State::Error);
            if failed.is_none() {
                // It has one again, or its user no longer wants it.
                locked(&self.watch.bereft).remove(&id);
            }
            orphaned.extend(failed.map(|record| (record.application, cloud)));
        }
        Ok(orphaned)
    }

    /// Begins to make another manager; what its application had comes back with it.
    async fn manager_replace(&self, id: ApplicationId, cloud: &str) -> Result<()> {
        let mut tx = self.db.write().await?;
        let Some(record) = db::application::view(&mut tx, id).await? else { return Ok(()) };
        let user: UserId = record.user;
        if let Err(error) = crate::app::credit::check(&mut tx, user, 1).await {
            let reason = format!("the cloud lost its manager, which cannot be replaced: {error}");
            let from = [State::Error];
            db::application::set_state(&mut tx, id, &from, State::Error, Some(&reason)).await?;
            tx.commit().await?;
            self.publish_application(id).await;
            return Ok(());
        }
        let begun = ApplicationStart::begin(&mut tx, self, user, id, cloud).await?;
        tx.commit().await?;
        tracing::warn!(application = %id, "replacing a lost manager");
        begun.run(self);
        self.publish_application(id).await;
        self.publish_credits(user).await;
        Ok(())
    }

    /// Has a manager replace lost agents of one of its services.
    async fn agents_replace(&self, service: ServiceId, nodes: Vec<Node>) -> Result<()> {
        let mut replace = NodesReplace::default();
        for node in &nodes {
            let volumes = db::volume::list_of_node(&mut *self.db.read().await?, node.id).await?;
            let decision = self.watch.decide(Lost::Agent(node.id), self.meter.shows());
            match decision {
                Decision::Wait => {}
                // A replacement would begin without the data.
                _ if !volumes.is_empty() => {
                    let why = "it has volumes, which its removal deletes";
                    let told = self.left_to_user(service, node, Loss::Gone, why).await?;
                    replace.left.insert(node.id, told);
                }
                Decision::GiveUp => {
                    let why = "replacing it failed";
                    let told = self.left_to_user(service, node, Loss::Gone, why).await?;
                    replace.left.insert(node.id, told);
                }
                Decision::Replace | Decision::ReplaceOrFail => {
                    replace.nodes.push(node.id);
                    replace.last |= decision == Decision::ReplaceOrFail;
                }
            }
        }
        let Some(application) = nodes.first().map(|node| node.application) else { return Ok(()) };
        if replace.nodes.is_empty() && replace.left.is_empty() {
            return Ok(());
        }
        let app = self.clone();
        // The manager may be slow to answer, or away; nothing else waits for it.
        self.spawn(async move {
            let asked = app.manager_ask_replacement(application, service, &replace).await;
            if let Err(error) = asked {
                let cause = error::chain(&error);
                tracing::warn!(%service, error = cause, "its manager replaces no node");
            }
        });
        Ok(())
    }

    async fn manager_ask_replacement(
        &self,
        application: ApplicationId,
        service: ServiceId,
        replace: &NodesReplace,
    ) -> Result<()> {
        let found = db::application::view(&mut *self.db.read().await?, application).await?;
        let Some(record) = found else { return Ok(()) };
        let manager = self.manager(&record.application).await?;
        let answer = manager.replace_nodes(service, replace);
        let report = manager::call(application, PROMPT, answer).await?;
        let mut tx = self.db.write().await?;
        db::service::report(&mut tx, service, &report, self.now()).await?;
        tx.commit().await?;
        self.publish_service(service).await;
        Ok(())
    }

    /// Tells the user that the node is not replaced, and why; returns what was told.
    pub(super) async fn left_to_user(
        &self,
        service: ServiceId,
        node: &Node,
        loss: Loss,
        why: &str,
    ) -> Result<String> {
        let mut tx = self.db.write().await?;
        let lost = loss.of(&format!("node {}", node.id));
        let reason = format!("{lost} and it is not replaced: {why}");
        db::service::set_reason(&mut tx, service, &reason, self.now()).await?;
        tx.commit().await?;
        self.publish_service(service).await;
        Ok(reason)
    }
}

/// The agents that are lost, by their service.
fn lost_agents(nodes: &[NodeRecord]) -> BTreeMap<ServiceId, Vec<Node>> {
    let mut lost: BTreeMap<ServiceId, Vec<Node>> = BTreeMap::new();
    for record in nodes.iter().filter(|record| record.node.state == NodeState::Lost) {
        if let Some(service) = record.node.service {
            lost.entry(service).or_default().push(record.node.clone());
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn replacing_is_tried_a_few_times_and_ever_more_seldom() {
        let watch = Watch::default();
        let lost = Lost::Agent(NodeId(1));
        let mut now = NOW;
        for pause in [5, 10, 20, 40, 80] {
            let expected = if pause == 80 { Decision::ReplaceOrFail } else { Decision::Replace };
            assert_eq!(watch.decide(lost, now), expected);
            now += Duration::from_secs(pause);
            assert_eq!(watch.decide(lost, now - Duration::from_secs(1)), Decision::Wait);
        }
        assert_eq!(watch.decide(lost, now), Decision::GiveUp);
        assert_eq!(
            watch.decide(lost, now + Duration::from_secs(604_800)),
            Decision::Wait,
            "said once"
        );
        watch.forget_found(&[]);
        assert_eq!(watch.decide(lost, now), Decision::Replace, "it came back and was lost again");
    }

    #[test]
    fn a_server_may_be_off_for_a_moment() {
        let watch = Watch::default();
        let server = |state| Server {
            id: "s".to_owned(),
            name: "s".to_owned(),
            state,
            private_ip: None,
            public_ip: None,
            tags: BTreeMap::new(),
            created: time::OffsetDateTime::UNIX_EPOCH,
        };
        let seen = |state, seconds: u64| {
            let mut servers = [server(state)];
            watch.judge("default", &mut servers, NOW + Duration::from_secs(seconds));
            servers[0].state
        };
        use ServerState::{Active, Failed, Stopped};
        assert_eq!(seen(Stopped, 0), Stopped);
        assert_eq!(seen(Stopped, 19), Stopped);
        assert_eq!(seen(Active, 19), Active);
        assert_eq!(seen(Stopped, 21), Stopped, "it was on in between");
        assert_eq!(seen(Stopped, 41), Failed);
        watch.judge("other", &mut [], NOW);
        assert_eq!(seen(Stopped, 42), Failed, "another cloud's look says nothing of this one's");
    }
}
