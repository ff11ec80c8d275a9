//! Launch templates: what EC2's instances are made from by name, in numbered versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::table::record;
use super::{ClientToken, LaunchTemplateId, ProjectId, UserId};

/// What new instances are to be like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// Its id.
    pub id: LaunchTemplateId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its name, unique among the project's.
    pub name: String,
    /// Who made it.
    pub user_id: UserId,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// Its versions, the oldest first; there is always one.
    pub versions: Vec<LaunchTemplateVersion>,
    /// The number of the version that is taken when none is named.
    pub default_version: u64,
    /// The number that the next version gets: none is given twice.
    pub next_version: u64,
    /// Names and values that its owner gave it.
    pub tags: BTreeMap<String, String>,
    /// The request that made it, when it said which one it was.
    pub client_token: Option<ClientToken>,
}

/// One version of a launch template. It does not change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchTemplateVersion {
    /// Its number.
    pub number: u64,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Who made it.
    pub user_id: UserId,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// The parameters of `RunInstances` that it stands for, by their paths.
    pub parameters: BTreeMap<String, String>,
}

/// Which version of a launch template is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichVersion {
    /// The one that is taken when none is named: `$Default`.
    Default,
    /// The newest: `$Latest`.
    Latest,
    /// The one with this number.
    Number(u64),
}

impl WhichVersion {
    /// Reads what clients write; nothing when it is none of that.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "$Default" => Some(Self::Default),
            "$Latest" => Some(Self::Latest),
            number => number.parse().ok().map(Self::Number),
        }
    }
}

impl LaunchTemplate {
    /// A version of it, if there is this one.
    pub fn version(&self, which: WhichVersion) -> Option<&LaunchTemplateVersion> {
        let number = match which {
            WhichVersion::Default => self.default_version,
            WhichVersion::Latest => self.latest_version(),
            WhichVersion::Number(number) => number,
        };
        self.versions.iter().find(|version| version.number == number)
    }

    /// The number of the newest version.
    pub fn latest_version(&self) -> u64 {
        self.versions.last().map_or(self.default_version, |version| version.number)
    }

    /// Adds a version and gives its number.
    pub fn add_version(
        &mut self,
        user_id: UserId,
        description: Option<String>,
        parameters: BTreeMap<String, String>,
        now: OffsetDateTime,
    ) -> u64 {
        let number = self.next_version;
        self.next_version += 1;
        let version =
            LaunchTemplateVersion { number, description, user_id, created: now, parameters };
        self.versions.push(version);
        number
    }

    /// Removes a version; nothing when there is no such one, or it is the default one.
    pub fn remove_version(&mut self, number: u64) -> Option<LaunchTemplateVersion> {
        let place = self.versions.iter().position(|version| version.number == number)?;
        (number != self.default_version).then(|| self.versions.remove(place))
    }
}

record!(LaunchTemplate, LaunchTemplateId, "launch_template");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::NOW;

    #[test]
    fn numbers_of_versions_are_not_given_twice() {
        let user_id = UserId::random();
        let mut template = LaunchTemplate {
            id: LaunchTemplateId::random(),
            project_id: ProjectId::random(),
            name: "web".to_owned(),
            user_id,
            created: NOW,
            versions: Vec::new(),
            default_version: 1,
            next_version: 1,
            tags: BTreeMap::new(),
            client_token: None,
        };
        let add = |template: &mut LaunchTemplate| {
            template.add_version(user_id, None, BTreeMap::new(), NOW)
        };
        assert_eq!([add(&mut template), add(&mut template)], [1, 2]);
        assert!(template.remove_version(1).is_none(), "it is the default one");
        assert!(template.remove_version(2).is_some() && template.remove_version(2).is_none());
        assert_eq!(template.latest_version(), 1);
        assert_eq!(add(&mut template), 3);
        let number = |which| template.version(which).map(|version| version.number);
        assert_eq!(number(WhichVersion::Default), Some(1));
        assert_eq!(number(WhichVersion::Latest), Some(3));
        assert_eq!(number(WhichVersion::Number(2)), None);
        assert_eq!(WhichVersion::read("$Newest"), None);
    }
}
