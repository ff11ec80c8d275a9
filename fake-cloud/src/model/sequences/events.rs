//! What happens to a cloud, chosen at random.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::model::life::Request;

/// Something that happens. An index chooses among what there is.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Create {
        count: u32,
        volume: bool,
    },
    Ask(Index, Request),
    Resize(Index, Index),
    /// A task of a server comes to its end.
    Finish(Index, bool),
    /// A server dies by itself.
    Die(Index),
    CreateVolume {
        from: Option<Index>,
        gib: u64,
    },
    CreateSnapshot(Index, bool),
    /// Data of a volume or a snapshot is made or removed.
    Settle(Index, bool),
    SettleSnapshot(Index, bool),
    Attach(Index, Index, bool),
    Detach(Index),
    Extend(Index, u64),
    DeleteVolume(Index, bool),
    DeleteSnapshot(Index),
    Allocate(Option<Index>),
    Associate(Index, Option<Index>),
    Release(Index),
    CreatePort,
    DeletePort(Index),
    CreateKey(u8),
    DeleteKey(u8),
    Exhaust(bool),
    /// The cloud is killed and comes back.
    Restart,
}

fn requests() -> impl Strategy<Value = Request> {
    prop::sample::select(vec![
        Request::Start,
        Request::Stop,
        Request::SoftReboot,
        Request::HardReboot,
        Request::Pause,
        Request::Unpause,
        Request::Suspend,
        Request::Resume,
        Request::ConfirmResize,
        Request::RevertResize,
        Request::Shelve,
        Request::Unshelve,
        Request::Delete,
        Request::Delete,
    ])
}

/// Any of them, the usual more often.
pub(super) fn events() -> impl Strategy<Value = Event> {
    let index = any::<Index>;
    let maybe = || prop::option::of(any::<Index>());
    prop_oneof![
        4 => (1..3u32, any::<bool>()).prop_map(|(count, volume)| Event::Create { count, volume }),
        6 => (index(), requests()).prop_map(|(server, request)| Event::Ask(server, request)),
        2 => (index(), index()).prop_map(|(server, flavor)| Event::Resize(server, flavor)),
        9 => (index(), prop::bool::weighted(0.8)).prop_map(|(it, well)| Event::Finish(it, well)),
        1 => index().prop_map(Event::Die),
        4 => (maybe(), 1..4u64).prop_map(|(from, gib)| Event::CreateVolume { from, gib }),
        2 => (index(), any::<bool>()).prop_map(|(it, forced)| Event::CreateSnapshot(it, forced)),
        8 => (index(), prop::bool::weighted(0.8)).prop_map(|(it, well)| Event::Settle(it, well)),
        3 => (index(), prop::bool::weighted(0.8))
            .prop_map(|(it, well)| Event::SettleSnapshot(it, well)),
        4 => (index(), index(), any::<bool>())
            .prop_map(|(server, volume, delete)| Event::Attach(server, volume, delete)),
        3 => index().prop_map(Event::Detach),
        1 => (index(), 1..5u64).prop_map(|(it, gib)| Event::Extend(it, gib)),
        2 => (index(), any::<bool>()).prop_map(|(it, too)| Event::DeleteVolume(it, too)),
        2 => index().prop_map(Event::DeleteSnapshot),
        3 => maybe().prop_map(Event::Allocate),
        3 => (index(), maybe()).prop_map(|(it, port)| Event::Associate(it, port)),
        2 => index().prop_map(Event::Release),
        2 => Just(Event::CreatePort),
        2 => index().prop_map(Event::DeletePort),
        2 => (0..3u8).prop_map(Event::CreateKey),
        1 => (0..3u8).prop_map(Event::DeleteKey),
        1 => any::<bool>().prop_map(Event::Exhaust),
        2 => Just(Event::Restart),
    ]
}
