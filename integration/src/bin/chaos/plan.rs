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
    RenameApplication(usize),
    RenameService(usize),
    /// A manifest of an application whose service has that many nodes besides its master.
    Deploy(u32),
    CreateVolume(usize),
    DeleteVolume(usize),
    UploadKey(usize),
    DeleteKey(usize),
    /// A commit, by git.
    Push(usize),
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
    /// The director's clock is set to be that many minutes fast, or slow.
    SetClock(i32),
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
    /// Which user asks.
    pub(crate) user: usize,
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
        .map(|action| Round { user: 0, action, trouble: None, patient: true });
    let mut rounds: Vec<Round> = rounds.take(count).collect();
    while rounds.len() < count {
        let trouble = dice.random_bool(0.5).then(|| {
            let after = Duration::from_millis(dice.random_range(0..400));
            (after, trouble(&mut dice))
        });
        let patient = dice.random_bool(0.7);
        let user = usize::from(dice.random_bool(0.3));
        rounds.push(Round { user, action: action(&mut dice), trouble, patient });
    }
    rounds
}

fn action(dice: &mut StdRng) -> Action {
    let which = dice.random_range(0..64);
    let nodes = dice.random_range(1..=3);
    match dice.random_range(0..100) {
        0..3 => Action::CreateApplication,
        3..6 => Action::Deploy(nodes - 1),
        6..19 => Action::CreateService(which),
        19..34 => Action::StartService(which),
        34..39 => Action::StopService(which),
        39..42 => Action::DeleteService(which),
        42..54 => Action::AddNodes(which, nodes),
        54..61 => Action::RemoveNodes(which, nodes),
        61..67 => Action::Upload(which),
        67..71 => Action::UploadKey(which),
        71..72 => Action::DeleteKey(which),
        72..77 => Action::Push(which),
        77..79 => Action::RenameService(which),
        79..81 => Action::RenameApplication(which),
        81..85 => Action::CreateVolume(which),
        85..87 => Action::DeleteVolume(which),
        87..91 => Action::Run(which),
        91..93 => Action::Interrupt(which),
        93..96 => Action::StartApplication(which),
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
        // By less than what certificates are good for, before and after.
        74..80 => Trouble::SetClock(dice.random_range(-600..600)),
        _ => Trouble::Fault(fault(dice)),
    }
}

fn fault(dice: &mut StdRng) -> Fault {
    const POINTS: [&str; 10] = [
        "compute:servers.create",
        "compute:servers.delete",
        "compute:servers.show",
        "compute:*",
        "network:floating_ips.*",
        "volume:volumes.*",
        "volume:*",
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
        assert_eq!(kinds(all.iter().map(|round| format!("{:?}", round.action)).collect()), 21);
        let troubles = all.iter().filter_map(|round| round.trouble);
        assert_eq!(kinds(troubles.map(|(_, trouble)| format!("{trouble:?}")).collect()), 8);
    }
}
