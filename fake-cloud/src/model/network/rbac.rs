//! Networks that are shared with some projects, or by policy with all.

use serde::{Deserialize, Serialize};

use super::Network;
use crate::model::error::{Broken, Error, Kind};
use crate::model::{Caller, Model, NetworkId, ProjectId, RbacPolicyId};

/// Lets a project, or all, use a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RbacPolicy {
    /// Its id.
    pub id: RbacPolicyId,
    /// Who made it.
    pub project_id: ProjectId,
    /// Whom it lets; all projects when not given.
    pub target: Option<ProjectId>,
}

impl Network {
    /// Whether all projects may use it.
    pub fn is_shared(&self) -> bool {
        self.shared || self.policies.iter().any(|policy| policy.target.is_none())
    }

    /// Whether a project that does not own it may use it.
    pub fn is_shared_with(&self, project: ProjectId) -> bool {
        self.is_shared() || self.policies.iter().any(|policy| policy.target == Some(project))
    }
}

impl Model {
    /// All policies that the caller may see, each with its network.
    pub fn rbac_policies(&self, caller: &Caller) -> impl Iterator<Item = (NetworkId, &RbacPolicy)> {
        let all = self
            .networks
            .iter()
            .flat_map(|network| network.policies.iter().map(move |policy| (network, policy)));
        all.filter(move |(network, _)| caller.sees(network.project_id))
            .map(|(network, policy)| (network.id, policy))
    }

    /// A policy that the caller may see.
    pub fn rbac_policy(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(NetworkId, &RbacPolicy), Error> {
        let found = self.rbac_policies(caller).find(|(_, policy)| policy.id.to_string() == id);
        found.ok_or_else(|| Error::not_found(Kind::RbacPolicy, id))
    }

    /// Lets a project, or all, use a network of the caller.
    pub fn create_rbac_policy(
        &mut self,
        caller: &Caller,
        project_id: ProjectId,
        network: &str,
        target: Option<ProjectId>,
    ) -> Result<RbacPolicyId, Error> {
        if target.is_none() && !caller.is_admin {
            return Err(Error::Forbidden(
                "(rule:create_rbac_policy and rule:create_rbac_policy:target_tenant) is \
                 disallowed by policy"
                    .to_owned(),
            ));
        }
        let mut network = self.network_to_change(caller, network)?;
        if network.policies.iter().any(|policy| policy.target == target) {
            return Err(Broken::conflict(
                "DuplicatePolicyError",
                "An RBAC policy already exists with those values.".to_owned(),
            ));
        }
        let id = RbacPolicyId::random();
        network.policies.push(RbacPolicy { id, project_id, target });
        Ok(id)
    }

    /// Withdraws a policy that nobody depends on.
    pub fn delete_rbac_policy(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let (network, policy) = self.rbac_policy(caller, id)?;
        let policy = policy.clone();
        let Some(record) = self.networks.get(network) else { return Ok(()) };
        let mut left = record.clone();
        left.policies.retain(|known| known.id != policy.id);
        let depends = |project: ProjectId| {
            project != record.project_id
                && record.is_shared_with(project)
                && !left.is_shared_with(project)
        };
        let mut ports = self.ports.iter().filter(|port| port.network_id == network);
        if ports.any(|port| depends(port.project_id)) {
            return Err(Broken::conflict(
                "RbacPolicyInUse",
                format!(
                    "RBAC policy on object {network} cannot be removed because other objects \
                     depend on it. Details: ports of other projects are on the network."
                ),
            ));
        }
        self.networks.insert(left);
        Ok(())
    }
}
