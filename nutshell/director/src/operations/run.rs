//! Does the steps, or undoes them, and keeps the record.

use protocol::api::OperationState;
use protocol::{ApiError, ErrorCode, OperationId};

use super::application_delete::ApplicationDelete;
use super::application_start::ApplicationStart;
use super::application_stop::ApplicationStop;
use super::manifest_deploy::ManifestDeploy;
use super::nodes_create::NodesCreation;
use super::nodes_delete::NodesDeletion;
use super::service_delete::ServiceDelete;
use super::volume_create::VolumeCreation;
use super::volume_delete::VolumeDeletion;
use super::{Nature, Operation, Step};
use crate::app::{App, Error, Result};
use crate::db;
use crate::db::operation::OperationRecord;

impl OperationRecord {
    /// Why it failed.
    pub(crate) fn failure(&self) -> ApiError {
        let error = self.error.as_deref().and_then(|text| serde_json::from_str(text).ok());
        error.unwrap_or_else(ApiError::internal)
    }
}

/// Works on the operation beside the caller, unless that is being done already.
pub(super) fn spawn<P: Operation>(
    app: &App,
    id: OperationId,
    parameters: P,
    begun: usize,
    unwinding: Option<ApiError>,
) {
    if !app.operations.running().insert(id) {
        return;
    }
    let ending = Ending { app: app.clone(), id };
    app.spawn(async move {
        let app = ending.app.clone();
        if let Err(error) = work(&app, id, &parameters, begun, unwinding).await {
            let cause = crate::app::error::chain(&error);
            tracing::warn!(operation = %id, kind = P::KIND, error = cause, "operation is stuck");
        }
        drop(ending);
    });
}

/// However the work ends, also by a panic: whoever waits looks at the record.
struct Ending {
    app: App,
    id: OperationId,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.app.operations.running().remove(&self.id);
        let _ = self.app.operations.ended.send(self.id);
    }
}

/// Takes up an operation of the record.
pub(super) fn take_up(app: &App, record: OperationRecord, after_restart: bool) {
    match record.operation.kind.as_str() {
        ApplicationStart::KIND => resume::<ApplicationStart>(app, record, after_restart),
        ApplicationStop::KIND => resume::<ApplicationStop>(app, record, after_restart),
        ApplicationDelete::KIND => resume::<ApplicationDelete>(app, record, after_restart),
        ManifestDeploy::KIND => resume::<ManifestDeploy>(app, record, after_restart),
        NodesCreation::KIND => resume::<NodesCreation>(app, record, after_restart),
        NodesDeletion::KIND => resume::<NodesDeletion>(app, record, after_restart),
        ServiceDelete::KIND => resume::<ServiceDelete>(app, record, after_restart),
        VolumeCreation::KIND => resume::<VolumeCreation>(app, record, after_restart),
        VolumeDeletion::KIND => resume::<VolumeDeletion>(app, record, after_restart),
        unknown => tracing::error!(kind = unknown, "an operation of an unknown kind is recorded"),
    }
}

fn resume<P: Operation>(app: &App, record: OperationRecord, after_restart: bool) {
    let id = record.operation.id;
    let parameters: P = match serde_json::from_str(&record.parameters) {
        Ok(parameters) => parameters,
        Err(error) => {
            tracing::error!(operation = %id, %error, "the record of an operation is damaged");
            return;
        }
    };
    let unwinding = match record.operation.state {
        OperationState::Unwinding => Some(record.failure()),
        OperationState::Running if after_restart && P::NATURE == Nature::Unwound => {
            Some(ApiError::new(ErrorCode::Unavailable, "the director was restarted meanwhile"))
        }
        OperationState::Running | OperationState::Done | OperationState::Failed => None,
    };
    spawn(app, id, parameters, record.begun, unwinding);
}

/// Brings the operation to its end. An error leaves it recorded as it is: it is tried again.
async fn work<P: Operation>(
    app: &App,
    id: OperationId,
    parameters: &P,
    begun: usize,
    unwinding: Option<ApiError>,
) -> Result<()> {
    let (begun, failure) = match unwinding {
        Some(failure) => (begun, failure),
        None => match forwards(app, id, parameters, begun).await? {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        },
    };
    backwards(app, id, parameters, begun, &failure).await
}

/// Does the steps from the last that was begun. The inner error says where to unwind from.
async fn forwards<P: Operation>(
    app: &App,
    id: OperationId,
    parameters: &P,
    begun: usize,
) -> Result<Result<(), (usize, ApiError)>> {
    let steps = steps(parameters);
    let first = begun.saturating_sub(1);
    for (index, (step, nth)) in steps.iter().enumerate().skip(first) {
        let begun = index + 1;
        record(app, id, OperationState::Running, begun, step.name, None).await?;
        let Err(error) = step_done(app, step, parameters, *nth).await else { continue };
        if app.shutdown.is_cancelled() {
            // Not the step's fault: the next director goes on from here.
            return Err(error);
        }
        let cause = crate::app::error::chain(&error);
        tracing::warn!(operation = %id, kind = P::KIND, step = step.name, error = cause, "failed");
        let failure = ApiError::from(error);
        if P::NATURE == Nature::Insistent {
            record(app, id, OperationState::Running, begun, step.name, Some(&failure)).await?;
            return Err(Error::Passed(failure));
        }
        record(app, id, OperationState::Unwinding, begun, step.name, Some(&failure)).await?;
        return Ok(Err((begun, failure)));
    }
    let last = steps.last().map_or("", |(step, _)| step.name);
    record(app, id, OperationState::Done, steps.len(), last, None).await?;
    Ok(Ok(()))
}

/// All steps there are, those of one kind with the number they have among them.
fn steps<P: Operation>(parameters: &P) -> Vec<(&'static Step<P>, usize)> {
    let each = |step: &'static Step<P>| (0..step.times(parameters)).map(move |nth| (step, nth));
    P::STEPS.iter().flat_map(each).collect()
}

async fn step_done<P: Operation>(
    app: &App,
    step: &Step<P>,
    parameters: &P,
    nth: usize,
) -> Result<()> {
    step.run(app, parameters, nth).await?;
    let again = match &app.tuning.overseer {
        None => 0,
        Some(overseer) => (overseer.0)(P::KIND, step.name)?,
    };
    for _ in 0..again {
        step.run(app, parameters, nth).await?;
    }
    Ok(())
}

async fn backwards<P: Operation>(
    app: &App,
    id: OperationId,
    parameters: &P,
    begun: usize,
    failure: &ApiError,
) -> Result<()> {
    // What was recorded with the operation is there even when no step was begun.
    let steps = steps(parameters);
    let begun = begun.clamp(1, steps.len());
    for (index, (step, _)) in steps[..begun].iter().enumerate().rev() {
        record(app, id, OperationState::Unwinding, index + 1, step.name, Some(failure)).await?;
        (step.undo)(app, parameters, failure).await?;
    }
    record(app, id, OperationState::Failed, begun, steps[begun - 1].0.name, Some(failure)).await
}

async fn record(
    app: &App,
    id: OperationId,
    state: OperationState,
    begun: usize,
    step: &str,
    failure: Option<&ApiError>,
) -> Result<()> {
    let error = failure.map(|failure| serde_json::to_string(failure).expect("strings are JSON"));
    let mut tx = app.db.write().await?;
    db::operation::set_progress(&mut tx, id, state, begun, step, error.as_deref()).await?;
    tx.commit().await?;
    let _ = app.operations.progressed.send(id);
    Ok(())
}
