//! Who may ask: one region, the home region, knows it for all. Its model may be the one of the
//! cloud that is asked: none of this is for who holds that.

use super::Cloud;
use crate::model::{Caller, ProjectId, UserId, token_id};
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

    /// What a user is called; by their number when they are gone.
    pub(crate) fn user_name(&self, id: UserId) -> String {
        let model = self.identity().read();
        model.users.get(id).map_or_else(|| id.to_string(), |user| user.name.clone())
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
