//! The calls of [`security_group`] become what the contract promises.

use async_trait::async_trait;

use super::{OpenStack, security_group};
use crate::fault::check_tags;
use crate::security_groups::{Difference, difference};
use crate::{CloudError, NewSecurityGroup, SecurityGroup, SecurityGroups};

#[async_trait]
impl SecurityGroups for OpenStack {
    fn guarded_by_settings(&self) -> bool {
        !self.settings.security_groups.is_empty()
    }

    async fn security_group_ensure(&self, wanted: &NewSecurityGroup) -> Result<String, CloudError> {
        check_tags("security group", &wanted.name, &wanted.tags)?;
        let ours = |group: &security_group::GroupRecord| {
            wanted.tags.iter().all(|(key, value)| group.has_tag(key, value))
        };
        let found = security_group::groups(&self.session, Some(&wanted.name)).await?;
        // Neutron lets several groups have one name; all callers mean the same.
        let group = match found.into_iter().filter(ours).min_by(|a, b| a.id.cmp(&b.id)) {
            Some(group) => group,
            None => security_group::create(&self.session, wanted).await?,
        };
        let Difference { missing, unwanted } = difference(&wanted.admits, group.ingress());
        if !missing.is_empty() {
            security_group::admit(&self.session, &group.id, &missing).await?;
        }
        for rule in unwanted {
            security_group::rule_delete(&self.session, &rule).await?;
        }
        Ok(group.id)
    }

    async fn security_group_delete(&self, id: &str) -> Result<(), CloudError> {
        security_group::delete(&self.session, id).await
    }

    async fn security_groups(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<SecurityGroup>, CloudError> {
        let mut groups = security_group::group_names(&self.session).await?;
        groups.retain(|group| group.has_tag(key, value));
        Ok(groups.into_iter().map(SecurityGroup::from).collect())
    }
}
