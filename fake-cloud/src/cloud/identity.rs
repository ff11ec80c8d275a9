//! Who may ask: one region, the home region, knows it for all.

use super::Cloud;
use crate::model::{Caller, ProjectId, token_id};
use crate::store::StoreError;

impl Cloud {
    /// The cloud whose model knows users, projects and tokens: that of the home region.
    pub(crate) fn identity(&self) -> &Self {
        self.home.as_deref().unwrap_or(self)
    }

    /// Who bears a token that is valid now.
    pub(crate) fn bearer(&self, token: &str) -> Option<Caller> {
        self.identity().read().caller(token_id(token), self.now())
    }

    /// Whether there is such a project.
    pub(crate) fn has_project(&self, id: ProjectId) -> bool {
        self.identity().read().projects.get(id).is_some()
    }

    /// Takes a project in that uses this region for the first time.
    pub(crate) async fn welcome(&self, project: ProjectId) -> Result<(), StoreError> {
        if self.read().tenants.get(project).is_some() {
            return Ok(());
        }
        self.change(|model, now| {
            model.welcome(project, now);
            Ok(())
        })
        .await
    }
}
