//! The calls of [`security_group`] become what the contract promises.

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Ec2, UNKNOWN_AT_FIRST, security_group};
use crate::fault::check_tags;
use crate::patience::in_time;
use crate::security_groups::{Difference, difference};
use crate::{CloudError, NewSecurityGroup, SecurityGroup, SecurityGroups, pauses};

impl Ec2 {
    /// The VPC of the servers, unless it is the default one; looked up once.
    async fn vpc(&self) -> Result<Option<String>, CloudError> {
        let Some(subnet) = &self.settings.subnet else { return Ok(None) };
        let mut known = self.vpc.lock().await;
        if known.is_none() {
            *known = Some(security_group::vpc_of(&self.api, subnet).await?);
        }
        Ok(known.clone())
    }

    async fn group_until_shown(&self, id: &str) -> Result<(), CloudError> {
        let mut pauses = pauses::growing();
        while !security_group::shows(&self.api, id).await? {
            sleep(pauses.next().unwrap_or_default()).await;
        }
        Ok(())
    }
}

#[async_trait]
impl SecurityGroups for Ec2 {
    fn guarded_by_settings(&self) -> bool {
        !self.settings.security_groups.is_empty()
    }

    async fn security_group_ensure(&self, wanted: &NewSecurityGroup) -> Result<String, CloudError> {
        check_tags("security group", &wanted.name, &wanted.tags)?;
        let vpc = self.vpc().await?;
        let ours = |group: &security_group::GroupRecord| {
            group.name == wanted.name
                && (vpc.is_none() || group.vpc_id == vpc)
                && wanted.tags.iter().all(|(key, value)| group.has_tag(key, value))
        };
        let found = security_group::groups(&self.api, "group-name", &wanted.name).await?;
        let (id, rules) = match found.into_iter().find(ours) {
            Some(group) => {
                let rules = security_group::ingress(&self.api, &group.id).await?;
                (group.id, rules)
            }
            None => {
                let id = security_group::create(&self.api, wanted, vpc.as_deref()).await?;
                let what = format!("security group {} to show", wanted.name);
                in_time(UNKNOWN_AT_FIRST, what, self.group_until_shown(&id)).await?;
                (id, Vec::new())
            }
        };
        let Difference { missing, unwanted } = difference(&wanted.admits, rules);
        if !missing.is_empty() {
            security_group::admit(&self.api, &id, &missing).await?;
        }
        if !unwanted.is_empty() {
            security_group::revoke(&self.api, &id, &unwanted).await?;
        }
        Ok(id)
    }

    async fn security_group_delete(&self, id: &str) -> Result<(), CloudError> {
        security_group::delete(&self.api, id).await
    }

    async fn security_groups(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<SecurityGroup>, CloudError> {
        let mut groups = security_group::groups(&self.api, &format!("tag:{key}"), value).await?;
        groups.retain(|group| group.has_tag(key, value));
        Ok(groups.into_iter().map(SecurityGroup::from).collect())
    }
}
