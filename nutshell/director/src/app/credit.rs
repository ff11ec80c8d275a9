//! Credits: one for every started hour of every VM, managers included.

use protocol::{NodeId, UserId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Error, Result};
use crate::db;

/// How many hours of a VM have started.
pub(crate) fn hours_started(created: OffsetDateTime, now: OffsetDateTime) -> i64 {
    (now - created).whole_hours().max(0) + 1
}

/// Refuses what the balance does not cover: an hour of each VM that is to be made.
pub(crate) fn check_covers(balance: i64, nodes: usize) -> Result<()> {
    let needed = i64::try_from(nodes).unwrap_or(i64::MAX);
    if balance >= needed { Ok(()) } else { Err(Error::InsufficientCredits { balance, needed }) }
}

/// Refuses when the user's balance does not cover so many new VMs.
pub(crate) async fn check(
    connection: &mut SqliteConnection,
    user: UserId,
    nodes: usize,
) -> Result<()> {
    check_covers(db::credit::balance(connection, user).await?, nodes)
}

/// Charges the hours of a VM that have started and were not charged; whether there were any.
/// The ledger takes each hour once, whoever is killed in between.
pub(crate) async fn charge(
    connection: &mut SqliteConnection,
    user: UserId,
    node: NodeId,
    created: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool> {
    let first = db::credit::last_hour(connection, node).await?.map_or(0, |hour| hour + 1);
    let mut charged = false;
    for hour in first..hours_started(created, now) {
        charged |= db::credit::charge(connection, user, node, hour, now).await?;
    }
    Ok(charged)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn an_hour_counts_from_its_first_instant() {
        let created = OffsetDateTime::UNIX_EPOCH;
        for (after, hours) in [
            (Duration::seconds(-5), 1),
            (Duration::ZERO, 1),
            (Duration::seconds(3599), 1),
            (Duration::seconds(3600), 2),
            (Duration::seconds(3601), 2),
            (Duration::hours(49), 50),
        ] {
            assert_eq!(hours_started(created, created + after), hours, "{after}");
        }
    }

    #[test]
    fn every_new_vm_needs_its_first_hour() {
        for (balance, nodes, covered) in
            [(0, 1, false), (-3, 1, false), (1, 1, true), (1, 2, false), (5, 5, true), (0, 0, true)]
        {
            assert_eq!(check_covers(balance, nodes).is_ok(), covered, "{balance} for {nodes}");
        }
    }
}
