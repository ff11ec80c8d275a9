//! Credits: one for every started hour of every VM, managers included.

use protocol::api::{CreditGrant, CreditQuery, Credits, User};
use protocol::{NodeId, UserId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{App, Error, Result, user};
use crate::db;

/// How many entries of the ledger are shown, when nothing is said, and at most.
const SHOWN: u32 = 100;
const SHOWN_AT_MOST: u32 = 1000;
/// No grant is larger; what all of them add up to is still a number.
const LARGEST_GRANT: i64 = 1_000_000_000;
/// The longest note of a grant.
const LONGEST_NOTE: usize = 200;

impl App {
    /// Refuses when the user's balance does not cover so many new VMs.
    pub(crate) async fn check_credits(&self, user: UserId, nodes: usize) -> Result<()> {
        check(&mut *self.db.read().await?, user, nodes).await
    }

    /// The user's balance and the latest entries of the ledger.
    pub(crate) async fn credits(&self, user: UserId, query: &CreditQuery) -> Result<Credits> {
        let limit = query.limit.unwrap_or(SHOWN).min(SHOWN_AT_MOST);
        let mut connection = self.db.read().await?;
        let entries = db::credit::list(&mut connection, user, query.before, limit).await?;
        Ok(Credits { balance: db::credit::balance(&mut connection, user).await?, entries })
    }

    /// The same of some user, for an administrator.
    pub(crate) async fn user_credits(&self, id: UserId, query: &CreditQuery) -> Result<Credits> {
        user::user_known(&mut *self.db.read().await?, id).await?;
        self.credits(id, query).await
    }

    /// An administrator gives credits, or takes some.
    pub(crate) async fn credits_grant(&self, id: UserId, grant: &CreditGrant) -> Result<User> {
        check_grant(grant)?;
        let mut tx = self.db.write().await?;
        let user = user::user_known(&mut tx, id).await?;
        db::credit::grant(&mut tx, id, grant.amount, grant.note.as_deref(), self.now()).await?;
        let user = user::view(&mut tx, user).await?;
        tx.commit().await?;
        tracing::info!(user = %id, amount = grant.amount, "credits given");
        self.publish_credits(id).await;
        Ok(user)
    }
}

fn check_grant(grant: &CreditGrant) -> Result<()> {
    if grant.amount == 0 || grant.amount.unsigned_abs() > LARGEST_GRANT.unsigned_abs() {
        let problem = format!("the amount is 1 to {LARGEST_GRANT}, or as much below zero");
        return Err(Error::Invalid(problem));
    }
    let note = grant.note.as_deref().unwrap_or_default();
    if note.chars().count() > LONGEST_NOTE || note.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("a note is one line of {LONGEST_NOTE} at most")));
    }
    Ok(())
}

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
