//! Names of neighbours: what running servers are told when others come and go.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use futures::future::join_all;

use super::{Cloud, chain};
use crate::model::ServerId;
use crate::model::life::State;

type Hosts = Arc<Vec<(Ipv4Addr, String)>>;

impl Cloud {
    /// Tells running servers of their neighbours whenever some came or went, until the cloud goes
    /// down. What comes and goes meanwhile is told together.
    pub(crate) async fn watch_names(self: Arc<Self>) {
        let changed = || self.going_down.run_until_cancelled(self.names_changed.notified());
        while self.backend.resolves_names() && changed().await.is_some() {
            let names = self.names();
            join_all(names.into_iter().map(|(id, hosts)| self.tell_names(id, hosts))).await;
        }
    }

    async fn tell_names(&self, id: ServerId, hosts: Hosts) {
        let _turn = self.turns.begin(id).await;
        if let Err(error) = self.backend.set_hosts(id.0, &hosts).await {
            tracing::warn!(server = %id, error = chain(&error), "it does not know its neighbours");
        }
    }

    /// What each running server should know.
    fn names(&self) -> Vec<(ServerId, Hosts)> {
        let model = self.read();
        let mut of_projects: HashMap<_, Hosts> = HashMap::new();
        let running = model.servers.iter().filter(|server| server.state == State::Active);
        let told = running.map(|server| {
            let project = server.project_id;
            let hosts =
                of_projects.entry(project).or_insert_with(|| Arc::new(model.hosts(project)));
            (server.id, Arc::clone(hosts))
        });
        told.collect()
    }
}
