//! VMs that run, as far as their cloud knows, and are not heard of any more: their agent is dead for
//! good, their kernel hangs, or nothing gets through to them.
//!
//! Every manager and agent says now and then that it is there. One that has not for a while is given up,
//! like one that the cloud lost. But whoever hears nothing may be deaf itself:
//!
//! * after a time in which the director did not look (it was stopped, or its machine was), everybody
//!   gets a whole while again to be heard;
//! * when most are silent at once, one is given up at a time, and the next when that one's successor is
//!   heard of: whatever is wrong, replacing it is then known to help.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::NodeId;
use protocol::api::{Node, NodeState};
use protocol::vm::ALIVE_EVERY;

use crate::app::manager::call;
use crate::app::{App, Result, error};
use crate::db;
use crate::reconcile::lost::Loss;

/// For how long a VM may not be heard of: its agent may be on its way back.
const SILENT_AT_MOST: Duration = ALIVE_EVERY.saturating_mul(4);

/// How often the director looks. Apart from the reconciler, which waits for clouds.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A longer pause between two looks is the director's own absence.
const AWAY: Duration = ALIVE_EVERY;

/// A VM at work, of which something should be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) node: NodeId,
    /// Others depend on it.
    pub(super) is_manager: bool,
    /// With it goes what its user cannot replace.
    pub(super) keeps_data: bool,
}

/// What to do about silent VMs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// These are given up.
    pub(super) replace: Vec<NodeId>,
    /// Their users are told that these are silent, once.
    pub(super) tell: Vec<NodeId>,
}

/// When each VM was heard of last. Times are those of the meter, which no change of the clock moves.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    heard: BTreeMap<NodeId, Duration>,
    told: BTreeSet<NodeId>,
    looked: Option<Duration>,
}

impl Signs {
    /// A VM says that it is there.
    pub(crate) fn hear(&mut self, node: NodeId, now: Duration) {
        self.heard.insert(node, now);
        self.told.remove(&node);
    }

    /// Judges all VMs at work; `making` says whether any others are being made or removed.
    pub(super) fn look(&mut self, watched: &[Watched], making: bool, now: Duration) -> Verdict {
        let was_away = self.looked.replace(now).is_none_or(|looked| now - looked > AWAY);
        if was_away {
            self.heard.clear();
        }
        let present: BTreeSet<NodeId> = watched.iter().map(|one| one.node).collect();
        self.heard.retain(|node, _| present.contains(node));
        self.told.retain(|node| present.contains(node));
        let mut silent: Vec<&Watched> = watched
            .iter()
            .filter(|one| now - *self.heard.entry(one.node).or_insert(now) >= SILENT_AT_MOST)
            .collect();
        // Without its manager, a lost agent stays lost.
        silent.sort_by_key(|one| !one.is_manager);
        let most = silent.len() > 1 && silent.len() * 2 > watched.len();
        let (kept, lost): (Vec<&Watched>, Vec<&Watched>) =
            silent.into_iter().partition(|one| one.keeps_data);
        let at_most = match (most, making) {
            (false, _) => lost.len(),
            (true, false) => 1,
            (true, true) => 0,
        };
        Verdict {
            replace: lost.into_iter().take(at_most).map(|one| one.node).collect(),
            tell: kept
                .into_iter()
                .map(|one| one.node)
                .filter(|node| self.told.insert(*node))
                .collect(),
        }
    }
}

impl App {
    /// Looks after silent VMs until the director shuts down.
    pub(crate) async fn listen_forever(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.listen_once().await {
                tracing::warn!(error = error::chain(&error), "failed to look for silent VMs");
            }
        }
    }

    /// Gives up those VMs that should be.
    pub(crate) async fn listen_once(&self) -> Result<()> {
        if !self.tuning.replace_lost {
            return Ok(());
        }
        let (records, keeping) = {
            let mut connection = self.db.read().await?;
            let keeping = db::volume::nodes(&mut connection).await?;
            (db::node::list(&mut connection).await?, keeping)
        };
        let at_work = |state| state == NodeState::Ready;
        let making = records.iter().any(|record| record.in_operation);
        let nodes: BTreeMap<NodeId, &Node> = records
            .iter()
            .filter(|record| at_work(record.node.state) && !record.in_operation)
            .map(|record| (record.node.id, &record.node))
            .collect();
        let watched: Vec<Watched> = nodes
            .values()
            .map(|node| Watched {
                node: node.id,
                is_manager: node.service.is_none(),
                keeps_data: keeping.contains(&node.id),
            })
            .collect();
        let Verdict { replace, tell } = self.watch.listen(&watched, making, self.meter.shows());
        for id in replace {
            if self.answers(nodes[&id]).await {
                // It cannot get through to us, but we can to it.
                self.watch.hear(id, self.meter.shows());
                continue;
            }
            self.node_lost(id, Loss::Silent).await?;
            self.reconcile.notify_one();
        }
        for id in tell {
            let Some(service) = nodes[&id].service else { continue };
            let why = "it has volumes, which its removal deletes";
            self.left_to_user(service, nodes[&id], Loss::Silent, why).await?;
        }
        Ok(())
    }

    /// Whether a manager answers when it is called. Agents do not let the director in.
    async fn answers(&self, node: &Node) -> bool {
        if node.service.is_some() {
            return false;
        }
        let Ok(manager) = self.manager_at(node) else { return false };
        call(node.application, ALIVE_EVERY, manager.check_process()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn agents(count: i64) -> Vec<Watched> {
        let agent = |id| Watched { node: NodeId(id), is_manager: false, keeps_data: false };
        (1..=count).map(agent).collect()
    }

    /// Looks each second of a time, at whose every second these are heard of.
    fn over(
        signs: &mut Signs,
        seconds: std::ops::Range<u32>,
        watched: &[Watched],
        heard: &[i64],
    ) -> Vec<(u32, Verdict)> {
        let mut verdicts = Vec::new();
        for second in seconds {
            let now = SECOND * second;
            for node in heard {
                signs.hear(NodeId(*node), now);
            }
            let verdict = signs.look(watched, false, now);
            if verdict != Verdict::default() {
                verdicts.push((second, verdict));
            }
        }
        verdicts
    }

    fn replaced(nodes: &[i64]) -> Verdict {
        Verdict { replace: nodes.iter().copied().map(NodeId).collect(), tell: vec![] }
    }

    const LIMIT: u32 = SILENT_AT_MOST.as_secs() as u32;

    #[test]
    fn one_that_falls_silent_is_given_up_after_a_while() {
        let mut signs = Signs::default();
        let verdicts = over(&mut signs, 0..LIMIT + 1, &agents(3), &[1, 3]);
        assert_eq!(verdicts, [(LIMIT, replaced(&[2]))]);
    }

    #[test]
    fn the_only_one_there_is_may_be_given_up_too() {
        let verdicts = over(&mut Signs::default(), 0..LIMIT + 1, &agents(1), &[]);
        assert_eq!(verdicts, [(LIMIT, replaced(&[1]))]);
    }

    #[test]
    fn after_an_absence_everybody_has_time_again() {
        let mut signs = Signs::default();
        assert_eq!(over(&mut signs, 0..LIMIT, &agents(3), &[1, 3]), []);
        let back = LIMIT + 1000;
        assert_eq!(over(&mut signs, back..back + LIMIT, &agents(3), &[]), []);
    }

    #[test]
    fn when_most_are_silent_one_goes_first_the_manager_before_others() {
        let mut watched = agents(5);
        watched[3].is_manager = true;
        let mut signs = Signs::default();
        let verdicts = over(&mut signs, 0..LIMIT + 1, &watched, &[1, 2]);
        assert_eq!(verdicts, [(LIMIT, replaced(&[4]))]);
        let now = SECOND * (LIMIT + 1);
        assert_eq!(signs.look(&watched, true, now), Verdict::default(), "it has no successor yet");
    }

    #[test]
    fn what_keeps_data_is_not_given_up_and_told_of_once() {
        let mut watched = agents(3);
        watched[0].keeps_data = true;
        let mut signs = Signs::default();
        let told = || Verdict { replace: vec![], tell: vec![NodeId(1)] };
        assert_eq!(over(&mut signs, 0..LIMIT + 9, &watched, &[2, 3]), [(LIMIT, told())]);
        signs.hear(NodeId(1), SECOND * (LIMIT + 9));
        let again = over(&mut signs, LIMIT + 9..2 * LIMIT + 19, &watched, &[2, 3]);
        assert_eq!(again, [(2 * LIMIT + 9, told())], "it was heard of in between");
    }

    proptest! {
        /// Whatever else happens: who is heard of often enough is never given up, and never more
        /// than one at once when most are silent.
        #[test]
        fn nobody_is_given_up_for_the_directors_own_troubles(
            steps in prop::collection::vec((1_u32..20, prop::collection::vec(any::<bool>(), 6), any::<bool>()), 1..60)
        ) {
            let watched = agents(6);
            let mut signs = Signs::default();
            let mut now = Duration::ZERO;
            let mut last = [None::<Duration>; 6];
            let mut looked: Option<Duration> = None;
            // Since when the director has looked without a break.
            let mut awake = Duration::ZERO;
            for (pause, heard, making) in steps {
                now += SECOND * pause;
                for (index, _) in heard.iter().enumerate().filter(|(_, heard)| **heard) {
                    signs.hear(watched[index].node, now);
                    last[index] = Some(now);
                }
                if looked.is_none_or(|looked| now - looked > AWAY) {
                    awake = now;
                }
                looked = Some(now);
                let verdict = signs.look(&watched, making, now);
                let silent = |index: usize| {
                    let since = last[index].map_or(awake, |heard| heard.max(awake));
                    now - since >= SILENT_AT_MOST
                };
                let count = (0..6).filter(|index| silent(*index)).count();
                for node in &verdict.replace {
                    let index = usize::try_from(node.0 - 1).unwrap();
                    prop_assert!(silent(index), "{node} was heard of");
                }
                let expected = match (count > 3, making) {
                    (false, _) => count,
                    (true, false) => 1,
                    (true, true) => 0,
                };
                prop_assert_eq!(verdict.replace.len(), expected);
            }
        }
    }
}
