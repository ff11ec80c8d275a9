//! Whatever happens, the ledger is what a recount from the history of the VMs comes to.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::NodeId;
use protocol::api::{
    CreditGrant, CreditKind, CreditQuery, Node, NodeState, NodesAdd, Service, ServiceStart,
};
use protocol::client::DirectorClient;
use time::Duration;

use super::World;
use super::world::{CREDITS, running_service, settled};
use crate::app::event::heard;
use crate::db;

/// As much as nobody uses up: who has nothing left is another story.
const PLENTY: i64 = 10_000;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happening {
    Passes { minutes: u32 },
    ClockIsSet { minutes: i32 },
    DirectorIsAway { minutes: u32 },
    Charged,
    ApplicationStarts,
    ApplicationStops,
    NodeIsAdded,
    NodeCannotBeAdded,
    NodeIsRemoved,
    NodeIsLost,
    ManagerIsLost,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1_u32..150).prop_map(|minutes| Happening::Passes { minutes }),
        1 => (-3000_i32..3000).prop_map(|minutes| Happening::ClockIsSet { minutes }),
        1 => (0_u32..600).prop_map(|minutes| Happening::DirectorIsAway { minutes }),
        2 => Just(Happening::Charged),
        2 => Just(Happening::ApplicationStarts),
        1 => Just(Happening::ApplicationStops),
        2 => Just(Happening::NodeIsAdded),
        1 => Just(Happening::NodeCannotBeAdded),
        1 => Just(Happening::NodeIsRemoved),
        1 => Just(Happening::NodeIsLost),
        1 => Just(Happening::ManagerIsLost),
    ]
}

/// A VM as somebody saw it who looked at the director's own time, in minutes.
#[derive(Debug)]
struct Seen {
    from: i64,
    until: Option<i64>,
}

impl Seen {
    fn hours(&self, now: i64) -> i64 {
        (self.until.unwrap_or(now) - self.from) / 60 + 1
    }
}

/// The world, and the history of its VMs.
struct Observed {
    world: World,
    user: DirectorClient,
    service: Service,
    /// Minutes that passed while a director was at work.
    now: i64,
    vms: BTreeMap<NodeId, Seen>,
}

impl Observed {
    async fn new() -> Self {
        let world = World::new().await;
        let user = world.login("test").await;
        let service = running_service(&user).await;
        let mut observed = Self { world, user, service, now: 0, vms: BTreeMap::new() };
        observed.look().await;
        observed
    }

    /// Notes which VMs came and which are gone, or known to be lost.
    async fn look(&mut self) {
        let there: BTreeMap<NodeId, NodeState> = {
            let mut connection = self.world.app().db.read().await.unwrap();
            let nodes = db::node::list(&mut connection).await.unwrap();
            nodes.into_iter().map(|record| (record.node.id, record.node.state)).collect()
        };
        let now = self.now;
        for id in there.keys() {
            self.vms.entry(*id).or_insert(Seen { from: now, until: None });
        }
        for (id, seen) in &mut self.vms {
            if !matches!(there.get(id), Some(NodeState::Starting | NodeState::Ready)) {
                seen.until.get_or_insert(now);
            }
        }
    }

    async fn happens(&mut self, happening: &Happening) {
        let application = self.service.application;
        match *happening {
            Happening::Passes { minutes } => {
                self.world.advance(Duration::minutes(minutes.into()));
                self.now += i64::from(minutes);
            }
            Happening::ClockIsSet { minutes } => {
                self.world.set_clock(Duration::minutes(minutes.into()));
            }
            Happening::DirectorIsAway { minutes } => {
                self.world.stop().await;
                self.world.advance(Duration::minutes(minutes.into()));
                self.world.start().await;
            }
            Happening::Charged => self.world.app().reconcile_once().await,
            Happening::ApplicationStarts => {
                let started = self.user.application_start(application, None).await;
                if started.is_ok() {
                    settled(&self.user, application).await;
                    let start = ServiceStart::default();
                    let started = self.user.service_start(self.service.id, &start);
                    if started.await.is_ok() {
                        self.service_settles().await;
                    }
                }
            }
            Happening::ApplicationStops => {
                self.user.application_stop(application).await.unwrap();
                settled(&self.user, application).await;
            }
            Happening::NodeIsAdded => self.add_node().await,
            Happening::NodeCannotBeAdded => {
                self.world.cloud.fail_after(0);
                self.add_node().await;
                self.world.cloud.fail_after(1000);
            }
            Happening::NodeIsRemoved => {
                // All nodes of the service, as this manager does it; refused unless it runs.
                if self.user.service_stop(self.service.id).await.is_ok() {
                    self.service_settles().await;
                }
            }
            Happening::NodeIsLost => self.lose(|node| node.service.is_some()).await,
            Happening::ManagerIsLost => self.lose(|node| node.service.is_none()).await,
        }
        self.world.app().operations_given_up().await;
        self.look().await;
    }

    /// The cloud loses one such server, and another takes its place.
    async fn lose(&mut self, is_such: impl Fn(&Node) -> bool) {
        let nodes = self.user.node_list().await.unwrap().nodes;
        let Some(lost) = nodes.iter().rfind(|node| is_such(node)) else { return };
        let app = self.world.app().clone();
        // One that was lost before and has been replaced is forgotten: there is no pause.
        app.reconcile_once().await;
        self.world.cloud.lose(&lost.server);
        let mut changes = app.events.subscribe_nodes();
        app.reconcile_once().await;
        self.look().await;
        while db::node::view(&mut app.db.read().await.unwrap(), lost.id).await.unwrap().is_some() {
            heard(&mut changes, |changed| *changed == lost.id).await;
        }
        settled(&self.user, self.service.application).await;
        self.service_settles().await;
    }

    async fn add_node(&self) {
        let add = NodesAdd { nodes: [("node".to_owned(), 1)].into(), ..Default::default() };
        if self.user.service_add_nodes(self.service.id, &add).await.is_ok() {
            self.service_settles().await;
        }
    }

    async fn service_settles(&self) {
        let service = self.user.service_view(self.service.id).await.unwrap();
        self.user.service_await_stable(service).await.unwrap();
    }

    /// Compares the ledger with the history.
    async fn recount(&self) {
        self.world.app().reconcile_once().await;
        let query = CreditQuery { before: None, limit: Some(1000) };
        let told = self.user.credits(&query).await.unwrap();
        let mut charges: BTreeMap<NodeId, Vec<i64>> = BTreeMap::new();
        let mut refunded: BTreeMap<NodeId, Vec<i64>> = BTreeMap::new();
        for entry in told.entries.iter().rev() {
            let (Some(node), Some(hour)) = (entry.node, entry.hour) else { continue };
            let account =
                if entry.kind == CreditKind::Charge { &mut charges } else { &mut refunded };
            account.entry(node).or_default().push(hour);
        }
        let mut balance = CREDITS + PLENTY;
        for (id, seen) in &self.vms {
            let hours: Vec<i64> = (1..=seen.hours(self.now)).collect();
            assert_eq!(charges.remove(id).as_ref(), Some(&hours), "node {id}: {seen:?}");
            assert_eq!(refunded.remove(id), None, "node {id} worked");
            balance -= seen.hours(self.now);
        }
        // Who was never seen at work was given back.
        assert_eq!(charges, refunded);
        assert_eq!(told.balance, balance);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_is_what_a_recount_comes_to(
        happenings in proptest::collection::vec(happening(), 1..14)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut observed = Observed::new().await;
            let grant = CreditGrant { amount: PLENTY, note: None };
            let admin = observed.world.login("admin").await;
            let id = observed.user.user_view().await.unwrap().id;
            admin.credits_grant(id, &grant).await.unwrap();
            for happening in &happenings {
                observed.happens(happening).await;
            }
            observed.recount().await;
        });
    }
}
