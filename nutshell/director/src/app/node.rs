//! Nodes as their users see them.

use protocol::UserId;
use protocol::api::{Node, Operation};

use super::{App, Result};
use crate::db;

/// How many operations an administrator is shown.
const OPERATIONS_SHOWN: u32 = 200;

impl App {
    /// Every VM of the user.
    pub(crate) async fn node_list(&self, user: UserId) -> Result<Vec<Node>> {
        Ok(db::node::list_of_user(&mut *self.db.read().await?, user).await?)
    }

    /// The latest operations of the installation, newest first.
    pub(crate) async fn operation_list(&self) -> Result<Vec<Operation>> {
        Ok(db::operation::list_latest(&mut *self.db.read().await?, OPERATIONS_SHOWN).await?)
    }
}
