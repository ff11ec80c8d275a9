//! Autoscaling of one service: measured every minute, decided at every interval, carried out as if
//! its user had asked, and only while nothing else is under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ApiError;
use protocol::api::autoscaling::{Action, AutoscalingStatus, Decision};
use protocol::api::internal::NodesCreate;
use protocol::api::{Autoscaling, State};
use serde_json::{Value, json};
use services::manager_half::{Remark, parameters};
use services::state::Request;
use services::web::autoscaling::{ON_AUTOSCALING, ROLE, Sample};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Service, reason};
use crate::autoscaling::{News, are_unchanged};
use crate::record::{Change, Record};

/// Waits until autoscaling is off.
async fn off(wanted: &mut watch::Receiver<Option<Autoscaling>>) {
    // Whoever could change it holds the sender.
    let _ = wanted.wait_for(Option::is_none).await;
}

/// The latest reading of what the nodes count.
type Reading = Option<(Instant, Sample)>;

impl Service {
    /// Switches autoscaling on, or changes what is asked of it.
    pub(crate) fn on_autoscaling(&self, given: Value) -> Result<Value, ApiError> {
        let wanted: Autoscaling = parameters(ON_AUTOSCALING, given)?;
        wanted.check()?;
        let Autoscaling { adapt_interval, response_time_threshold, strategy } = wanted;
        self.set_autoscaling(Some(wanted))?;
        self.log(&format!(
            "autoscaling is on: every {adapt_interval} minutes, within {response_time_threshold} ms, \
             {strategy}"
        ));
        Ok(json!(wanted))
    }

    /// Switches it off: the nodes stay.
    pub(crate) fn off_autoscaling(&self) -> Result<Value, ApiError> {
        self.set_autoscaling(None)?;
        self.log("autoscaling is off");
        Ok(json!({}))
    }

    fn set_autoscaling(&self, wanted: Option<Autoscaling>) -> Result<(), ApiError> {
        self.change(|record| {
            record.autoscaling = wanted;
            Ok(())
        })?;
        self.wanted.send_replace(wanted);
        Ok(())
    }

    /// What users may see of it.
    pub(crate) fn autoscaling(&self) -> AutoscalingStatus {
        self.autoscaler.status(*self.wanted.borrow())
    }

    /// Measures and decides whenever that is wanted, until the service is removed.
    pub(super) async fn autoscale(self: Arc<Self>) {
        let mut wanted = self.wanted.subscribe();
        let work = async {
            while wanted.wait_for(Option::is_some).await.is_ok() {
                let mut turns = tokio::time::interval(self.autoscaler.pace.minute);
                // A VM that was stopped has nothing to catch up with.
                turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let mut reading = None;
                loop {
                    tokio::select! {
                        _ = turns.tick() => self.measure(&mut reading).await,
                        () = off(&mut wanted) => break,
                    }
                    let asked = *wanted.borrow();
                    if let Some(asked) = asked
                        && self.autoscaler.is_due(asked, OffsetDateTime::now_utc())
                    {
                        self.adapt(asked).await;
                    }
                }
            }
        };
        self.removal.run_until_cancelled(work).await;
    }

    /// Takes a reading, and remembers how it differs from the last one.
    async fn measure(&self, reading: &mut Reading) {
        let context = self.context();
        if context.nodes.is_empty() {
            *reading = None;
            return;
        }
        if self.autoscaler.types().is_empty() {
            self.learn_types().await;
        }
        let (now, at) = (Instant::now(), OffsetDateTime::now_utc());
        let sample = Sample::take(&context).await;
        if let Some((before, earlier)) = reading.replace((now, sample.clone())) {
            let (at, types) = (self.autoscaler.pace.moment(at), self.autoscaler.types());
            let measured = sample.since(&earlier, now - before, at, &context.nodes, &types);
            self.autoscaler.learn(News::Measured(measured));
        }
    }

    async fn learn_types(&self) {
        match self.world.director.cloud(&self.record().cloud).await {
            Ok(cloud) if !cloud.instance_types.is_empty() => {
                self.autoscaler.learn_types(cloud.instance_types);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(service = %self.id, %error, "what the cloud offers is not known");
            }
        }
    }

    /// Decides, and does it.
    async fn adapt(self: &Arc<Self>, wanted: Autoscaling) {
        if self.record().state != State::Running {
            return;
        }
        self.learn_types().await;
        let record = self.record();
        let decision = self.autoscaler.decide(wanted, &record, OffsetDateTime::now_utc());
        self.log(&format!("autoscaling: {}", decision.reason));
        if let Err(error) = self.act(decision, &record).await {
            self.log(&format!("autoscaling failed: {}", error.message));
            self.autoscaler.learn(News::Failed(error.message));
        }
    }

    /// Begins what was decided; it goes on in the background.
    async fn act(self: &Arc<Self>, decision: Decision, known: &Record) -> Result<(), ApiError> {
        let Decision { action, weights, .. } = decision;
        let (request, doing, change) = match &action {
            Action::Hold if weights.is_empty() => return Ok(()),
            Action::Hold => (Request::Change, "autoscaling shares the requests anew", None),
            Action::Add(_) => (Request::AddNodes, "autoscaling adds nodes", Some(Change::Adding)),
            Action::Remove(nodes) => {
                let change = Change::Removing(nodes.clone());
                (Request::RemoveNodes, "autoscaling removes nodes", Some(change))
            }
        };
        let prepare = |record: &mut Record| {
            if !are_unchanged(record, &known.nodes) {
                return Err(ApiError::conflict("the nodes have changed meanwhile"));
            }
            if !weights.is_empty() {
                record.weights = weights;
            }
            record.change = change;
            Ok(())
        };
        let (permit, _) = self.begin(request, doing, prepare).await?;
        let (service, cloud) = (Arc::clone(self), known.cloud.clone());
        self.work(permit, async move { (State::Running, service.carry_out(action, cloud).await) });
        Ok(())
    }

    async fn carry_out(&self, action: Action, cloud: String) -> Remark {
        let begun = Instant::now();
        let remark = match action {
            Action::Hold => {
                let settled = self.half.settle(&self.context()).await;
                settled.unwrap_or_else(|error| Some(reason(error)))
            }
            Action::Remove(nodes) => self.shrink(nodes).await,
            Action::Add(types) => {
                let remark = self.grow(self.nodes_of(types, &cloud)).await;
                if remark.is_none() {
                    self.autoscaler.learn(News::Grown(begun.elapsed().as_secs_f64()));
                }
                remark
            }
        };
        if let Some(failure) = &remark {
            self.autoscaler.learn(News::Failed(failure.clone()));
        }
        remark
    }

    fn nodes_of(&self, types: BTreeMap<String, u32>, cloud: &str) -> Vec<NodesCreate> {
        let create = |(instance_type, count): (String, u32)| NodesCreate {
            service: self.id,
            roles: vec![ROLE.to_owned(); count as usize],
            cloud: cloud.to_owned(),
            instance_type: Some(instance_type),
        };
        types.into_iter().map(create).collect()
    }
}
