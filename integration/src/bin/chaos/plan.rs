//! What one run does, decided by its seed before anything runs: what the user asks for, and what
//! goes wrong meanwhile.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// One thing that the user asks for. A number picks one of the services (or applications) that the
/// user knows of by then, counted around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Another application.
    CreateApplication,
    /// A Generic service in one of the applications.
    CreateService(usize),
    StartService(usize),
    StopService(usize),
    DeleteService(usize),
    AddNodes(usize, u32),
    RemoveNodes(usize, u32),
    /// Code that is made active, too.
    Upload(usize),
    Run(usize),
    Interrupt(usize),
    StartApplication(usize),
    StopApplication(usize),
    DeleteApplication(usize),
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The director's process ends at once, and starts again after a while.
    KillDirector(Duration),
    /// The cloud's process ends at once, and all VMs with it; it starts again after a while.
    KillCloud(Duration),
    /// A manager's process ends at once; its VM stays.
    KillManager(usize),
    /// An agent's process ends at once; its VM stays.
    KillAgent(usize),
    /// A VM dies by itself.
    StopServer(usize),
    /// A VM is deleted behind the platform's back.
    DeleteServer(usize),
    /// Operations or steps of the cloud fail for a while.
    Fault(Fault),
}

/// What fails in the cloud: at which point, in which way, how many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: &'static str,
    pub(crate) way: Way,
    pub(crate) times: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The answer is this status; whether it was done all the same.
    Status(u16, bool),
    /// No answer; whether it was done all the same.
    Drop(bool),
    /// The work after the answer fails.
    Fail,
    /// It takes longer.
    Delay(Duration),
}

/// An action, the trouble beside it, and how it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) action: Action,
    /// What goes wrong, so long after the action has begun.
    pub(crate) trouble: Option<(Duration, Trouble)>,
    /// Whether the user waits for the outcome before asking for more.
    pub(crate) patient: bool,
}

/// The rounds of a run.
pub(crate) fn rounds(seed: u64, count: usize) -> Vec<Round> {
    let mut dice = StdRng::seed_from_u64(seed);
    let rounds = std::iter::once(Action::CreateService(0))
        .chain([Action::StartService(0)])
        .map(|action| Round { action, trouble: None, patient: true });
    let mut rounds: Vec<Round> = rounds.take(count).collect();
    while rounds.len() < count {
        let trouble = dice.random_bool(0.5).then(|| {
            let after = Duration::from_millis(dice.random_range(0..400));
            (after, trouble(&mut dice))
        });
        let patient = dice.random_bool(0.7);
        rounds.push(Round { action: action(&mut dice), trouble, patient });
    }
    rounds
}

fn action(dice: &mut StdRng) -> Action {
    let which = dice.random_range(0..64);
    let nodes = dice.random_range(1..=3);
    match dice.random_range(0..100) {
        0..4 => Action::CreateApplication,
        4..20 => Action::CreateService(which),
        20..38 => Action::StartService(which),
        38..44 => Action::StopService(which),
        44..47 => Action::DeleteService(which),
        47..63 => Action::AddNodes(which, nodes),
        63..72 => Action::RemoveNodes(which, nodes),
        72..80 => Action::Upload(which),
        80..89 => Action::Run(which),
        89..92 => Action::Interrupt(which),
        92..96 => Action::StartApplication(which),
        96..99 => Action::StopApplication(which),
        _ => Action::DeleteApplication(which),
    }
}

fn trouble(dice: &mut StdRng) -> Trouble {
    let which = dice.random_range(0..64);
    let away = Duration::from_millis(dice.random_range(0..300));
    match dice.random_range(0..100) {
        0..25 => Trouble::KillDirector(away),
        25..32 => Trouble::KillCloud(away),
        32..45 => Trouble::KillManager(which),
        45..60 => Trouble::KillAgent(which),
        60..66 => Trouble::StopServer(which),
        66..74 => Trouble::DeleteServer(which),
        _ => Trouble::Fault(fault(dice)),
    }
}

fn fault(dice: &mut StdRng) -> Fault {
    const POINTS: [&str; 8] = [
        "compute:servers.create",
        "compute:servers.delete",
        "compute:servers.show",
        "compute:*",
        "network:floating_ips.*",
        "network:*",
        "identity:*",
        "*",
    ];
    const STATUS: [u16; 4] = [429, 500, 503, 409];
    let times = dice.random_range(1..6);
    if dice.random_bool(0.25) {
        return Fault { at: "server.spawning", way: Way::Fail, times };
    }
    let at = POINTS.choose(dice).expect("there are points");
    let way = match dice.random_range(0..3) {
        0 => Way::Status(*STATUS.choose(dice).expect("there are some"), dice.random_bool(0.3)),
        1 => Way::Drop(dice.random_bool(0.5)),
        _ => Way::Delay(Duration::from_millis(dice.random_range(50..1500))),
    };
    Fault { at, way, times }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(rounds(7, 50), rounds(7, 50));
        assert_ne!(rounds(7, 50), rounds(8, 50));
        assert_eq!(rounds(7, 50).len(), 50);
        assert_eq!(rounds(7, 50)[..10], rounds(7, 10));
    }

    #[test]
    fn everything_happens_sooner_or_later() {
        let all: Vec<Round> = (0..40).flat_map(|seed| rounds(seed, 50)).collect();
        let kinds = |texts: Vec<String>| {
            let word = |text: &String| text.split(['(', ' ']).next().unwrap_or_default().to_owned();
            texts.iter().map(word).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(kinds(all.iter().map(|round| format!("{:?}", round.action)).collect()), 13);
        let troubles = all.iter().filter_map(|round| round.trouble);
        assert_eq!(kinds(troubles.map(|(_, trouble)| format!("{trouble:?}")).collect()), 7);
    }
}
