//! Removes an application with its services and all their VMs.

use futures::FutureExt;
use protocol::{ApplicationId, OperationId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::application_stop::{nodes_forget, operations_end, refuse_vms, servers_delete};
use super::{Begun, Nature, Operation, Step};
use crate::app::{App, Result};
use crate::db;
use crate::db::Writer;

/// Which application, and whose.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ApplicationDelete {
    user: UserId,
    application: ApplicationId,
    operation: OperationId,
}

impl Operation for ApplicationDelete {
    const KIND: &'static str = "application_delete";
    const NATURE: Nature = Nature::Insistent;
    const STEPS: &'static [Step<Self>] = &[
        Step::new("operations_end", |app, delete| {
            operations_end(app, delete.application, delete.operation).boxed()
        }),
        Step::new("servers_delete", |app, delete| servers_delete(app, delete.application).boxed()),
        Step::new("nodes_forget", |app, delete| nodes_forget(app, delete.application).boxed()),
        Step::new("application_forget", |app, delete| application_forget(app, delete).boxed()),
    ];
}

impl ApplicationDelete {
    /// Records the application as EPILOGUE and refuses its VMs from now on.
    pub(crate) async fn begin(
        tx: &mut Writer,
        user: UserId,
        application: ApplicationId,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, application, now).await?;
        refuse_vms(tx, application, operation).await?;
        Begun::record(tx, operation, Self { user, application, operation }).await
    }
}

async fn application_forget(app: &App, delete: &ApplicationDelete) -> Result<()> {
    let mut tx = app.db.write().await?;
    let services = db::service::list_of_application(&mut tx, delete.application).await?;
    for record in &services {
        db::service::delete(&mut tx, record.service.id).await?;
    }
    db::application::delete(&mut tx, delete.application).await?;
    tx.commit().await?;
    app.backup_remove(delete.application).await?;
    for record in services {
        app.service_gone(delete.user, record.service.id).await;
    }
    app.application_gone(delete.user, delete.application).await;
    Ok(())
}
