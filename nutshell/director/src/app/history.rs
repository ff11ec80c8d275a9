//! What a service went through.

use protocol::api::ServiceHistory;
use protocol::{ServiceId, UserId};

use super::service::service_of;
use super::{App, Result};
use crate::db;

impl App {
    pub(crate) async fn service_history(
        &self,
        user: UserId,
        id: ServiceId,
    ) -> Result<ServiceHistory> {
        let mut connection = self.db.read().await?;
        service_of(&mut connection, user, id).await?;
        Ok(ServiceHistory { state_log: db::history::list(&mut connection, id).await? })
    }
}
