//! Host aggregates: groups of machines, each perhaps an availability zone. There is one machine, so
//! that a group has it or is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::table::record;
use super::{AggregateId, HOST, Model, ZONE};

/// The property by which an aggregate is a zone.
const ZONE_KEY: &str = "availability_zone";

/// A group of machines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Aggregate {
    /// Its id.
    pub id: AggregateId,
    /// Its number, by which Nova's API names it.
    pub number: u64,
    /// Its name, unique in the cloud.
    pub name: String,
    /// Free-form properties; the zone is one of them.
    pub metadata: BTreeMap<String, String>,
    /// Whether the machine is in it.
    pub has_host: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub updated: Option<OffsetDateTime>,
}

impl Aggregate {
    /// The zone that it is.
    pub fn zone(&self) -> Option<&str> {
        self.metadata.get(ZONE_KEY).map(String::as_str)
    }
}

impl Model {
    /// The zone that the machine is in, as Nova names it.
    pub fn zone(&self) -> &str {
        self.aggregates_of_host().find_map(Aggregate::zone).unwrap_or(ZONE)
    }

    /// The aggregates that the machine is in.
    pub fn aggregates_of_host(&self) -> impl Iterator<Item = &Aggregate> {
        self.aggregates.iter().filter(|aggregate| aggregate.has_host)
    }

    /// The aggregate with a number.
    pub fn aggregate(&self, number: &str) -> Result<&Aggregate, Error> {
        let found = self.aggregates.iter().find(|it| it.number.to_string() == number);
        found.ok_or_else(|| Error::not_found(Kind::Aggregate, number))
    }

    /// Makes an aggregate.
    pub fn create_aggregate(
        &mut self,
        name: String,
        zone: Option<String>,
        now: OffsetDateTime,
    ) -> Result<AggregateId, Error> {
        self.check_aggregate_name(&name, None)?;
        let id = AggregateId::random();
        let number = self.aggregates.iter().map(|it| it.number).max().unwrap_or_default() + 1;
        let metadata = zone.map(|zone| (ZONE_KEY.to_owned(), zone)).into_iter().collect();
        self.aggregates.insert(Aggregate {
            id,
            number,
            name,
            metadata,
            has_host: false,
            created: now,
            updated: None,
        });
        Ok(id)
    }

    /// Renames an aggregate, and sets or (`None`) removes properties of it.
    pub fn change_aggregate(
        &mut self,
        number: &str,
        name: Option<String>,
        metadata: BTreeMap<String, Option<String>>,
        now: OffsetDateTime,
    ) -> Result<AggregateId, Error> {
        let aggregate = self.aggregate(number)?;
        let id = aggregate.id;
        if let Some(name) = &name {
            self.check_aggregate_name(name, Some(id))?;
        }
        if let (true, Some(Some(zone))) = (aggregate.has_host, metadata.get(ZONE_KEY)) {
            self.check_zone(aggregate, zone)?;
        }
        let Some(mut aggregate) = self.aggregates.get_mut(id) else { return Ok(id) };
        aggregate.name = name.unwrap_or_else(|| std::mem::take(&mut aggregate.name));
        for (key, value) in metadata {
            match value {
                Some(value) => aggregate.metadata.insert(key, value),
                None => aggregate.metadata.remove(&key),
            };
        }
        aggregate.updated = Some(now);
        Ok(id)
    }

    /// Puts the machine into an aggregate or takes it out.
    pub fn move_host(
        &mut self,
        number: &str,
        host: &str,
        into: bool,
        now: OffsetDateTime,
    ) -> Result<AggregateId, Error> {
        let aggregate = self.aggregate(number)?;
        let id = aggregate.id;
        if host != HOST {
            return Err(Error::not_found(Kind::Host, host));
        }
        match (aggregate.has_host, into) {
            (true, true) => {
                let message = format!("Aggregate {number} already has host {host}.");
                return Err(Error::Conflict(message));
            }
            (false, false) => return Err(Error::not_found(Kind::AggregateHost, host)),
            (true, false) => {}
            (false, true) => {
                if let Some(zone) = aggregate.zone() {
                    self.check_zone(aggregate, zone)?;
                }
            }
        }
        if let Some(mut aggregate) = self.aggregates.get_mut(id) {
            aggregate.has_host = into;
            aggregate.updated = Some(now);
        }
        Ok(id)
    }

    /// Removes an aggregate that the machine is not in.
    pub fn delete_aggregate(&mut self, number: &str) -> Result<(), Error> {
        let aggregate = self.aggregate(number)?;
        if aggregate.has_host {
            return Err(Error::Invalid(format!(
                "Cannot perform action 'delete' on aggregate {number}. Reason: Host aggregate is \
                 not empty."
            )));
        }
        let id = aggregate.id;
        self.aggregates.remove(id);
        Ok(())
    }

    fn check_aggregate_name(&self, name: &str, own: Option<AggregateId>) -> Result<(), Error> {
        let taken = self.aggregates.iter().any(|it| it.name == name && Some(it.id) != own);
        let refusal = || Error::Conflict(format!("Aggregate {name} already exists."));
        if taken { Err(refusal()) } else { Ok(()) }
    }

    /// Refuses a second zone for the machine.
    fn check_zone(&self, of: &Aggregate, zone: &str) -> Result<(), Error> {
        let mut others = self.aggregates_of_host().filter(|other| other.id != of.id);
        if others.all(|other| other.zone().is_none_or(|known| known == zone)) {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "Cannot perform action 'add_host_to_aggregate' on aggregate {}. Reason: One or more \
             hosts already in availability zone(s).",
            of.number
        )))
    }
}

record!(Aggregate, AggregateId, "aggregate");

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn zone(name: &str) -> BTreeMap<String, Option<String>> {
        [(ZONE_KEY.to_owned(), Some(name.to_owned()))].into()
    }

    #[test]
    fn the_machine_is_in_one_zone() {
        let mut model = Model::default();
        model.create_aggregate("east".into(), Some("east-1".into()), NOW).unwrap();
        model.create_aggregate("fast".into(), None, NOW).unwrap();
        assert_eq!(model.zone(), ZONE);
        model.move_host("1", HOST, true, NOW).unwrap();
        model.move_host("2", HOST, true, NOW).unwrap();
        assert_eq!(model.zone(), "east-1");
        assert!(matches!(
            model.change_aggregate("2", None, zone("west-1"), NOW),
            Err(Error::Conflict(_))
        ));
        model.change_aggregate("2", None, zone("east-1"), NOW).unwrap();
        model.change_aggregate("1", Some("west".into()), zone("east-1"), NOW).unwrap();
        model.move_host("1", HOST, false, NOW).unwrap();
        assert_eq!(model.zone(), "east-1");
    }

    #[test]
    fn an_aggregate_goes_when_it_is_empty() {
        let mut model = Model::default();
        model.create_aggregate("east".into(), None, NOW).unwrap();
        let again = model.create_aggregate("east".into(), None, NOW);
        assert!(matches!(again, Err(Error::Conflict(_))));
        model.move_host("1", HOST, true, NOW).unwrap();
        assert!(matches!(model.move_host("1", HOST, true, NOW), Err(Error::Conflict(_))));
        assert!(matches!(model.delete_aggregate("1"), Err(Error::Invalid(_))));
        model.move_host("1", HOST, false, NOW).unwrap();
        for (host, number) in [(HOST, "1"), ("another", "1"), (HOST, "7")] {
            let refused = model.move_host(number, host, false, NOW);
            assert!(matches!(refused, Err(Error::NotFound { .. })), "{host} {number}");
        }
        model.delete_aggregate("1").unwrap();
        assert!(model.aggregate("1").is_err());
    }
}
