//! What every cloud driver promises of security groups: who may reach the servers that they guard.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::CloudError;

/// The security groups of one account on one cloud.
///
/// A group carries the caller's tags from its first instant, so that whatever a killed caller leaves
/// behind is found by [`security_groups`](SecurityGroups::security_groups). What it guards may speak to
/// anyone; answers to what was let in, or went out, always pass.
#[async_trait]
pub trait SecurityGroups {
    /// Whether the settings name the groups that guard every server: then none is to be made.
    fn guarded_by_settings(&self) -> bool;

    /// Sees to it that there is a group with this name and these tags, and that it lets in exactly
    /// this; returns its id. Idempotent, also after a failure or a kill. Two calls for one name must
    /// not run at the same time: some clouds would make two.
    async fn security_group_ensure(&self, wanted: &NewSecurityGroup) -> Result<String, CloudError>;

    /// Deletes a group. Succeeds when it is gone already; one that still guards a server is a
    /// [`CloudError::Conflict`].
    async fn security_group_delete(&self, id: &str) -> Result<(), CloudError>;

    /// All groups whose tag `key` is exactly `value`.
    async fn security_groups(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<SecurityGroup>, CloudError>;
}

/// A security group that there should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecurityGroup {
    /// Its name, which no other group of the account should have.
    pub name: String,
    /// Marks of ownership.
    pub tags: BTreeMap<String, String>,
    /// What it lets in; nothing else.
    pub admits: BTreeSet<Admit>,
}

/// A security group as the cloud describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// The cloud's own id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What a security group lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admit {
    /// Whatever comes from a server that the same group guards, at the address it has itself: on its
    /// way through a public address it is nobody's member.
    Members,
    /// What comes to these ports, from anywhere.
    Anyone {
        /// Which ports are meant.
        protocol: Protocol,
        /// The lowest of them.
        first: u16,
        /// The highest of them.
        last: u16,
    },
}

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The word for it in every API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp].into_iter().find(|protocol| protocol.word() == word)
    }
}

/// How the rules of a group differ from what is wanted of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What it does not let in yet.
    pub(crate) missing: Vec<Admit>,
    /// The ids of the rules that let in something else.
    pub(crate) unwanted: Vec<String>,
}

/// Compares what is wanted of a group with its rules: the id of each, and what it lets in if that is
/// anything we ever ask for.
pub(crate) fn difference(
    wanted: &BTreeSet<Admit>,
    rules: impl IntoIterator<Item = (String, Option<Admit>)>,
) -> Difference {
    let mut missing = wanted.clone();
    let mut unwanted = Vec::new();
    for (id, admits) in rules {
        match admits.filter(|admits| wanted.contains(admits)) {
            Some(admits) => drop(missing.remove(&admits)),
            None => unwanted.push(id),
        }
    }
    Difference { missing: missing.into_iter().collect(), unwanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tcp(port: u16) -> Admit {
        Admit::Anyone { protocol: Protocol::Tcp, first: port, last: port }
    }

    #[test]
    fn a_group_is_changed_no_more_than_it_has_to_be() {
        let wanted = BTreeSet::from([Admit::Members, tcp(22)]);
        let differs = |rules: &[(&str, Option<Admit>)]| {
            let rules = rules.iter().map(|(id, admits)| ((*id).to_owned(), *admits));
            let Difference { missing, unwanted } = difference(&wanted, rules);
            (missing, unwanted.join(" "))
        };
        assert_eq!(differs(&[]), (vec![Admit::Members, tcp(22)], String::new()));
        let whole = [("a", Some(tcp(22))), ("b", Some(Admit::Members))];
        assert_eq!(differs(&whole), (vec![], String::new()));
        let other = [("a", Some(tcp(23))), ("b", None), ("c", Some(tcp(22)))];
        assert_eq!(differs(&other), (vec![Admit::Members], "a b".to_owned()));
    }
}
