//! What an agent remembers of its node: a pure value, kept in one file.

use std::collections::BTreeMap;
use std::mem::take;

use protocol::api::generic::{NodeScripts, Script, ScriptStatus};
use serde::{Deserialize, Serialize};

use super::wire::Configuration;

/// All that must survive the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) configuration: Option<Configuration>,
    /// The node's volumes, and which device each is.
    #[serde(default)]
    pub(super) volumes: BTreeMap<String, String>,
    /// The directory of the unpacked code that the rest is about.
    pub(super) installed: Option<String>,
    /// Whether `init.sh` of this code was started, or is known to be missing.
    pub(super) initialised: bool,
    /// The newest change of the nodes that this code was told of.
    pub(super) told: u64,
    /// Whether `run.sh` is to be killed when `interrupt.sh` has ended.
    pub(super) interrupting: bool,
    pub(super) scripts: BTreeMap<Script, ScriptRecord>,
}

/// What is known of a script that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum ScriptRecord {
    Running {
        marker: String,
        parameters: Vec<String>,
    },
    /// What it left behind carries the marker.
    Ended {
        marker: String,
        return_code: i32,
    },
}

/// What an interruption means in some situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// Nothing runs.
    Nothing,
    /// The application is asked to end by `interrupt.sh`, and killed when that has ended.
    Ask,
    /// All scripts are killed.
    Kill,
}

impl Record {
    /// The same node with other code, of which no script has run.
    pub(super) fn install(&mut self, directory: String) {
        let (configuration, volumes) = (self.configuration.take(), take(&mut self.volumes));
        *self = Self { configuration, volumes, installed: Some(directory), ..Self::default() };
    }

    /// The script did not start after all: what its start meant is as before. Other scripts may
    /// have ended meanwhile.
    pub(super) fn take_back(&mut self, script: Script, mut before: Self) {
        self.initialised = before.initialised;
        self.told = before.told;
        self.interrupting = before.interrupting;
        match before.scripts.remove(&script) {
            Some(earlier) => self.scripts.insert(script, earlier),
            None => self.scripts.remove(&script),
        };
    }

    pub(super) fn is_running(&self, script: Script) -> bool {
        matches!(self.scripts.get(&script), Some(ScriptRecord::Running { .. }))
    }

    pub(super) fn any_running(&self) -> bool {
        Script::ALL.into_iter().any(|script| self.is_running(script))
    }

    pub(super) fn return_code(&self, script: Script) -> Option<i32> {
        match self.scripts.get(&script) {
            Some(ScriptRecord::Ended { return_code, .. }) => Some(*return_code),
            Some(ScriptRecord::Running { .. }) | None => None,
        }
    }

    pub(super) fn statuses(&self) -> NodeScripts {
        let status = |script| match self.scripts.get(&script) {
            None => ScriptStatus::NeverStarted,
            Some(ScriptRecord::Running { .. }) => ScriptStatus::Running,
            Some(ScriptRecord::Ended { return_code, .. }) => {
                ScriptStatus::Stopped { return_code: *return_code }
            }
        };
        Script::ALL.into_iter().map(|script| (script, status(script))).collect()
    }

    /// The mark of a script's processes, if it was started.
    pub(super) fn marker(&self, script: Script) -> Option<&str> {
        match self.scripts.get(&script)? {
            ScriptRecord::Running { marker, .. } | ScriptRecord::Ended { marker, .. } => {
                Some(marker)
            }
        }
    }

    /// `interrupt.sh` is only for an application that runs: `run.sh` itself, or what that left
    /// behind. Other scripts are killed at once, and so is everything the second time.
    pub(super) fn interruption(&self, run_left_any: bool) -> Interruption {
        let application_runs = self.is_running(Script::Run) || run_left_any;
        if application_runs && !self.is_running(Script::Interrupt) {
            Interruption::Ask
        } else if self.any_running() {
            Interruption::Kill
        } else {
            Interruption::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(scripts: &[Script]) -> Record {
        let record = || ScriptRecord::Running { marker: "m".to_owned(), parameters: vec![] };
        let scripts = scripts.iter().map(|script| (*script, record())).collect();
        Record { scripts, ..Record::default() }
    }

    #[test]
    fn interrupting_asks_first_and_kills_the_second_time() {
        use Script::{Cleanup, Init, Interrupt, Notify, Run};
        for (scripts, left, expected) in [
            (&[][..], false, Interruption::Nothing),
            (&[], true, Interruption::Ask),
            (&[Run], false, Interruption::Ask),
            (&[Run, Notify], false, Interruption::Ask),
            (&[Run, Interrupt], false, Interruption::Kill),
            (&[Interrupt], false, Interruption::Kill),
            (&[Interrupt], true, Interruption::Kill),
            (&[Init], false, Interruption::Kill),
            (&[Notify], false, Interruption::Kill),
            (&[Cleanup], false, Interruption::Kill),
        ] {
            let interruption = running(scripts).interruption(left);
            assert_eq!(interruption, expected, "{scripts:?} {left}");
        }
    }

    #[test]
    fn a_start_that_is_taken_back_leaves_the_other_scripts_alone() {
        let ended = |return_code| ScriptRecord::Ended { marker: "m".to_owned(), return_code };
        let mut before = running(&[Script::Run]);
        before.scripts.insert(Script::Notify, ended(5));
        let mut record = running(&[Script::Notify]);
        record.told = 3;
        record.scripts.insert(Script::Run, ended(0));
        record.take_back(Script::Notify, before);
        assert_eq!(record.told, 0);
        assert_eq!(record.return_code(Script::Notify), Some(5));
        assert_eq!(record.return_code(Script::Run), Some(0));
        record.take_back(Script::Run, Record::default());
        assert!(!record.scripts.contains_key(&Script::Run));
    }

    #[test]
    fn other_code_begins_with_no_script_run() {
        let mut record = running(&[Script::Init]);
        record.initialised = true;
        record.install("code-a.1".to_owned());
        assert!(!record.initialised);
        assert!(record.statuses().values().all(|status| *status == ScriptStatus::NeverStarted));
        assert_eq!(record.statuses().len(), 5);
    }
}
