//! One service and the sole owner of its state.
//!
//! Whatever changes the state goes through [`Service::begin`], which asks the state machine and
//! holds the one permit to work, and through [`Service::work`], which ends in a state that stays.

mod adapt;
mod replace;
mod work;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::api::internal::ServiceReport;
use protocol::api::{Autoscaling, ServiceType, State};
use protocol::{ApiError, ErrorCode, ServiceId};
use services::code::CodeStore;
use services::manager_half::Remark;
use services::settings::Settings;
use services::state::{Request, Step, decide};
use services::web::autoscaling::ON_AUTOSCALING;
use services::{AgentConnections, ManagerContext, ManagerHalf, ServiceError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::autoscaling::{Autoscaler, Pace};
use crate::backup::Keeper;
use crate::director::Director;
use crate::git::Git;
use crate::record::Record;
use crate::volumes::ServiceVolumes;

/// What all services of the manager share.
pub(crate) struct World {
    pub(crate) director: Director,
    pub(crate) backup: Arc<Keeper>,
    pub(crate) agents: Arc<dyn AgentConnections>,
    pub(crate) git: Arc<Git>,
    pub(crate) pace: Pace,
    /// `<root>/var/cache/cpsmanager`
    pub(crate) cache: PathBuf,
    /// `<root>/var/log`
    pub(crate) logs: PathBuf,
}

impl World {
    pub(crate) fn records(&self) -> PathBuf {
        self.cache.join("services")
    }

    pub(crate) fn record(&self, id: ServiceId) -> PathBuf {
        self.records().join(format!("{id}.json"))
    }

    pub(crate) fn settings(&self, id: ServiceId) -> PathBuf {
        self.records().join(format!("{id}.settings"))
    }

    pub(crate) fn code(&self, id: ServiceId) -> PathBuf {
        self.cache.join("code").join(id.to_string())
    }

    /// Its loss loses measurements only: no copy of it is with the director.
    pub(crate) fn autoscaling(&self, id: ServiceId) -> PathBuf {
        self.cache.join("autoscaling").join(format!("{id}.jsonl"))
    }

    pub(crate) fn log(&self, id: ServiceId) -> PathBuf {
        self.logs.join(format!("cpsmanager-{id}.log"))
    }
}

/// See the module.
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    pub(crate) service_type: &'static ServiceType,
    pub(crate) half: Arc<dyn ManagerHalf>,
    world: Arc<World>,
    pub(crate) code: Arc<CodeStore>,
    settings: Arc<Settings>,
    record: Mutex<Record>,
    report: watch::Sender<ServiceReport>,
    autoscaler: Autoscaler,
    /// What is asked of it.
    wanted: watch::Sender<Option<Autoscaling>>,
    permit: Arc<tokio::sync::Mutex<()>>,
    /// Cancelled when the service is to go: work under way is broken off.
    removal: CancellationToken,
}

/// The right to change a service, held until the change is complete.
pub(crate) type Permit = OwnedMutexGuard<()>;

impl Service {
    /// A service with its record, which is written to disk if it is new.
    pub(crate) async fn open(
        world: Arc<World>,
        id: ServiceId,
        record: Record,
    ) -> Result<Arc<Self>, ServiceError> {
        let unknown = || {
            let message = format!("there is no service type `{}`", record.service_type);
            ServiceError::from(ApiError::not_found(message))
        };
        let service_type = services::service_type(&record.service_type).ok_or_else(unknown)?;
        let half = services::manager_half(&record.service_type).ok_or_else(unknown)?;
        let service = Arc::new(Self {
            id,
            service_type,
            half,
            code: Arc::new(CodeStore::open(&world.code(id))?),
            settings: Arc::new(Settings::open(&world.settings(id))),
            report: watch::Sender::new(record.report()),
            autoscaler: Autoscaler::open(world.autoscaling(id), world.pace),
            wanted: watch::Sender::new(record.autoscaling),
            record: Mutex::new(record.clone()),
            permit: Arc::default(),
            removal: CancellationToken::new(),
            world,
        });
        service.half.create(&service.context()).await?;
        let path = service.world.record(id);
        if !path.exists() {
            record.write(&path)?;
            service.world.backup.touch();
        }
        let director = service.world.director.clone();
        tokio::spawn(director.report(id, service.report.subscribe()));
        if service.has_method(ON_AUTOSCALING) {
            tokio::spawn(Arc::clone(&service).autoscale());
        }
        Ok(service)
    }

    /// Whether its type has this method of its own.
    pub(crate) fn has_method(&self, name: &str) -> bool {
        self.service_type.methods.iter().any(|method| method.name == name)
    }

    pub(crate) fn record(&self) -> Record {
        self.locked().clone()
    }

    /// What the half may know and reach now.
    pub(crate) fn context(&self) -> ManagerContext {
        let record = self.record();
        ManagerContext {
            service: self.id,
            state: record.state,
            nodes: record.present(),
            membership: record.membership,
            weights: record.weights,
            code: Arc::clone(&self.code),
            settings: Arc::clone(&self.settings),
            volumes: Arc::new(ServiceVolumes {
                director: self.world.director.clone(),
                service: self.id,
            }),
            repository: Arc::clone(&self.world.git) as _,
            agents: Arc::clone(&self.world.agents),
        }
    }

    /// Whether a request that leaves the state alone is possible now.
    pub(crate) fn check(&self, request: Request, action: &str) -> Result<Step, ApiError> {
        decide(self.id, self.locked().state, request, action, self.half.remedy())
    }

    /// Grants a request: waits for the permit and brings the service into the state for the work.
    pub(crate) async fn begin(
        &self,
        request: Request,
        action: &str,
        prepare: impl FnOnce(&mut Record) -> Result<(), ApiError>,
    ) -> Result<(Permit, ServiceReport), ApiError> {
        self.check(request, action)?;
        let permit = Arc::clone(&self.permit).lock_owned().await;
        match self.check(request, action)? {
            Step::Stay => {}
            Step::Become(state) => {
                self.change(|record| {
                    prepare(record)?;
                    record.state = state;
                    record.reason = None;
                    Ok(())
                })?;
                self.log(&format!("{state}: {action}"));
            }
        }
        let report = self.record().report();
        Ok((permit, report))
    }

    /// Does the work in the background, then takes the state it ends in; a removal breaks it off.
    pub(crate) fn work<W>(self: &Arc<Self>, permit: Permit, work: W) -> JoinHandle<()>
    where
        W: Future<Output = (State, Remark)> + Send + 'static,
    {
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = permit;
            if let Some((state, reason)) = service.removal.run_until_cancelled(work).await {
                service.become_stable(state, reason);
            }
        })
    }

    fn become_stable(&self, state: State, reason: Remark) {
        self.log(&match &reason {
            Some(reason) => format!("{state}: {reason}"),
            None => state.to_string(),
        });
        let kept = self.change(|record| {
            (record.state, record.reason, record.change) = (state, reason, None);
            Ok(())
        });
        if let Err(error) = kept {
            // The work is begun again when the manager comes back.
            tracing::error!(service = %self.id, %error, "failed to keep the new state");
        }
    }

    /// Changes the record, on disk first.
    fn change(
        &self,
        change: impl FnOnce(&mut Record) -> Result<(), ApiError>,
    ) -> Result<(), ServiceError> {
        let mut record = self.locked();
        let mut changed = record.clone();
        change(&mut changed)?;
        changed.revision += 1;
        changed.write(&self.world.record(self.id))?;
        *record = changed;
        self.world.backup.touch();
        let report = record.report();
        self.report.send_if_modified(|known| {
            let is_new = (known.state, &known.reason) != (report.state, &report.reason);
            *known = report;
            is_new
        });
        Ok(())
    }

    /// Adds a line to the service's own log.
    pub(crate) fn log(&self, line: &str) {
        tracing::info!(service = %self.id, "{line}");
        if let Err(error) = append(&self.world.log(self.id), line) {
            tracing::error!(service = %self.id, %error, "failed to write the service's log");
        }
    }

    /// Where that log is.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.world.log(self.id)
    }

    fn locked(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let now = now.format(&Rfc3339).unwrap_or_default();
    services::logs::bound(path)?;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{now} {line}")
}

/// The line a failure leaves as the reason beside the state.
pub(crate) fn reason(error: ServiceError) -> String {
    let error = ApiError::from(error);
    match (error.code, error.hint) {
        (ErrorCode::Internal, _) | (_, None) => error.message,
        (_, Some(hint)) => format!("{}; {hint}", error.message),
    }
}
