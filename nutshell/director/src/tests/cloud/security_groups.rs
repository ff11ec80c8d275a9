//! The security groups of the cloud in memory.

use async_trait::async_trait;
use cloud::{CloudError, NewSecurityGroup, SecurityGroup, SecurityGroups};

use super::TestCloud;

impl TestCloud {
    /// All groups there are.
    pub(crate) fn groups(&self) -> Vec<NewSecurityGroup> {
        self.state().groups.values().cloned().collect()
    }

    /// The groups that guard a server.
    pub(crate) fn guards(&self, server: &str) -> Vec<NewSecurityGroup> {
        let state = self.state();
        state.guards[server].iter().map(|id| state.groups[id].clone()).collect()
    }
}

#[async_trait]
impl SecurityGroups for TestCloud {
    fn guarded_by_settings(&self) -> bool {
        false
    }

    async fn security_group_ensure(&self, wanted: &NewSecurityGroup) -> Result<String, CloudError> {
        self.reachable()?;
        self.state().groups.insert(wanted.name.clone(), wanted.clone());
        Ok(wanted.name.clone())
    }

    async fn security_group_delete(&self, id: &str) -> Result<(), CloudError> {
        self.reachable()?;
        let mut state = self.state();
        if state.guards.values().flatten().any(|guard| guard == id) {
            return Err(CloudError::Conflict { message: format!("security group {id} in use") });
        }
        state.groups.remove(id);
        Ok(())
    }

    async fn security_groups(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<SecurityGroup>, CloudError> {
        self.reachable()?;
        let mut groups = self.groups();
        groups.retain(|group| group.tags.get(key).map(String::as_str) == Some(value));
        let shown =
            |group: NewSecurityGroup| SecurityGroup { id: group.name.clone(), name: group.name };
        Ok(groups.into_iter().map(shown).collect())
    }
}
