//! Credits: one for every started hour of every VM, managers included.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::UserId;
use protocol::api::{CreditGrant, CreditQuery, Credits, NodeState, User};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{App, Error, Result, user};
use crate::clock::Clock;
use crate::db;
use crate::db::Database;
use crate::db::node::NodeRecord;

/// Why an application was stopped whose user cannot pay for it.
const NO_CREDITS: &str = "stopped, because no credits were left";

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

/// For how long directors have been at work on this installation: the time by which VMs are
/// charged. It stands still while no director runs, and knows nothing of clocks that are set.
#[derive(Debug)]
pub(crate) struct Meter {
    clock: Clock,
    /// What it showed when this director took it up, and the clock.
    showed: Duration,
    taken_up: Duration,
}

impl Meter {
    pub(crate) async fn take_up(db: &Database, clock: Clock) -> Result<Self> {
        let showed = db::credit::meter(&mut *db.read().await?).await?;
        let taken_up = clock.elapsed();
        Ok(Self { clock, showed, taken_up })
    }

    pub(crate) fn shows(&self) -> Duration {
        self.showed + self.clock.elapsed().saturating_sub(self.taken_up)
    }
}

/// How many hours of a VM have started.
pub(crate) fn hours_started(from: Duration, until: Duration) -> i64 {
    let whole = until.saturating_sub(from).as_secs() / 3600;
    i64::try_from(whole).unwrap_or(i64::MAX - 1) + 1
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

/// What came of charging a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charged {
    /// No hour was due.
    Nothing,
    /// Every hour that was due.
    All,
    /// The balance did not cover every hour that was due.
    NotCovered,
}

/// Charges the hours of a VM that have started and were not charged, as far as the balance covers
/// them. The ledger takes each hour once, whoever is killed in between.
pub(crate) async fn charge(
    connection: &mut SqliteConnection,
    record: &NodeRecord,
    metered: Duration,
    now: OffsetDateTime,
) -> Result<Charged> {
    let node = record.node.id;
    let until = record.metered_until.unwrap_or(metered);
    let first = db::credit::last_hour(connection, node).await?.map_or(0, |hour| hour + 1);
    let mut charged = Charged::Nothing;
    for hour in first..hours_started(record.metered_from, until) {
        if db::credit::balance(connection, record.user).await? < 1 {
            return Ok(Charged::NotCovered);
        }
        db::credit::charge(connection, record.user, node, hour, now).await?;
        charged = Charged::All;
    }
    Ok(charged)
}

/// The users of VMs that were charged, and those who have nothing left.
#[derive(Debug, Default)]
struct Round {
    charged: BTreeSet<UserId>,
    exhausted: BTreeSet<UserId>,
}

impl App {
    /// Charges every hour that has started, of every VM that is there. Users whose balance does not
    /// cover that have everything stopped.
    pub(crate) async fn credits_charge(&self) -> Result<()> {
        let round = self.charge_round().await?;
        for user in round.charged {
            self.publish_credits(user).await;
        }
        for user in round.exhausted {
            tracing::info!(%user, "no credits are left: everything of this user is stopped");
            self.applications_stop_all(user, NO_CREDITS).await?;
        }
        Ok(())
    }

    async fn charge_round(&self) -> Result<Round> {
        let mut round = Round::default();
        let mut tx = self.db.write().await?;
        let nodes = db::node::list(&mut tx).await?;
        let metered = self.meter.shows();
        for record in &nodes {
            if record.node.state == NodeState::Stopping {
                // Settled when it is gone.
                continue;
            }
            match charge(&mut tx, record, metered, self.now()).await? {
                Charged::Nothing => {}
                Charged::All => drop(round.charged.insert(record.user)),
                Charged::NotCovered => drop(round.exhausted.insert(record.user)),
            }
        }
        if !nodes.is_empty() {
            db::credit::set_meter(&mut tx, metered).await?;
        }
        tx.commit().await?;
        Ok(round)
    }

    /// Remembers how long this director was at work.
    pub(crate) async fn meter_save(&self) -> Result<()> {
        let mut tx = self.db.write().await?;
        db::credit::set_meter(&mut tx, self.meter.shows()).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_counts_from_its_first_instant() {
        let from = Duration::from_secs(7200);
        for (until, hours) in
            [(0, 1), (7200, 1), (10_799, 1), (10_800, 2), (10_801, 2), (7200 + 49 * 3600, 50)]
        {
            assert_eq!(hours_started(from, Duration::from_secs(until)), hours, "{until}");
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
