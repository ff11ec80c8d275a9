//! Where things are: the region, its zone, its network and what an account may have there.

use std::collections::BTreeMap;
use std::fmt;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind};
use super::operation::Call;
use super::xml::{Value, Xml};
use crate::model::Model;

/// What things without tags have.
pub(super) const NO_TAGS: &BTreeMap<String, String> = &BTreeMap::new();

/// The one zone of a region, as EC2 calls it: clients cut off the letter to learn the region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zone<'a> {
    pub(crate) region: &'a str,
}

impl fmt::Display for Zone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}a", self.region)
    }
}

impl Value for Zone<'_> {
    fn write(&self, xml: &mut String) {
        self.region.write(xml);
        xml.push('a');
    }
}

impl Zone<'_> {
    /// What it is called in every account, in contrast to its name.
    pub(crate) fn id(self) -> String {
        format!("{}-az1", self.region)
    }
}

pub(super) fn regions(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["region-name", "endpoint", "opt-in-status"])?;
    let (wanted, places) = (call.params.texts("RegionName"), &call.cloud.places);
    let unknown = |name: &&&str| !places.iter().any(|place| place.region == **name);
    if let Some(other) = wanted.iter().find(unknown) {
        return Err(Fault::invalid_value(format!("Invalid region provided: '{other}'")));
    }
    let shown = places.iter().filter(|place| {
        (wanted.is_empty() || wanted.contains(&place.region.as_str()))
            && filters.pass(NO_TAGS, |name| match name {
                "region-name" => vec![place.region.clone()],
                "endpoint" => vec![place.api_url.clone()],
                _ => vec!["opt-in-not-required".to_owned()],
            })
    });
    let mut xml = Xml::default();
    xml.list("regionInfo", shown, |xml, place| {
        xml.text("regionName", &place.region);
        xml.text("regionEndpoint", &place.api_url);
        xml.text("optInStatus", "opt-in-not-required");
    });
    Ok(xml)
}

pub(super) fn zones(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["zone-name", "zone-id", "region-name", "state"])?;
    let zone = call.zone();
    call.params.texts("ZoneId").into_iter().try_for_each(|id| check_zone_id(call, id))?;
    call.params.texts("ZoneName").into_iter().try_for_each(|name| check_zone(call, name))?;
    let pass = filters.pass(NO_TAGS, |name| match name {
        "zone-name" => vec![zone.to_string()],
        "zone-id" => vec![zone.id()],
        "region-name" => vec![call.cloud.region.clone()],
        _ => vec!["available".to_owned()],
    });
    let mut xml = Xml::default();
    xml.list("availabilityZoneInfo", pass.then_some(zone), |xml, zone| {
        xml.text("zoneName", zone);
        xml.text("zoneState", "available");
        xml.text("regionName", &call.cloud.region);
        xml.text("zoneId", zone.id());
        xml.text("zoneType", "availability-zone");
        xml.text("groupName", &call.cloud.region);
        xml.text("networkBorderGroup", &call.cloud.region);
        xml.text("optInStatus", "opt-in-not-required");
        xml.list("messageSet", [(); 0], |_, ()| {});
    });
    Ok(xml)
}

/// Refuses zones that there are not.
pub(super) fn check_zone(call: &Call, name: &str) -> Result<(), Fault> {
    if name == call.zone().to_string() {
        return Ok(());
    }
    Err(Fault::invalid_value(format!("Invalid availability zone: [{name}]")))
}

/// Refuses ids of zones that there are not.
pub(super) fn check_zone_id(call: &Call, id: &str) -> Result<(), Fault> {
    if id == call.zone().id() {
        return Ok(());
    }
    Err(Fault::invalid_value(format!("Invalid availability zone-id: [{id}]")))
}

pub(super) fn account_attributes(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let quotas = model.quotas(call.project);
    let attributes = [
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", the_vpc(&model).map_or("none".to_owned(), |id| id.to_string())),
        ("max-instances", quotas.instances.to_string()),
        ("max-elastic-ips", quotas.floating_ips.to_string()),
        ("vpc-max-elastic-ips", quotas.floating_ips.to_string()),
        ("vpc-max-security-groups-per-interface", quotas.security_groups.to_string()),
    ];
    let wanted = call.params.texts("AttributeName");
    let shown =
        attributes.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let mut xml = Xml::default();
    xml.list("accountAttributeSet", shown, |xml, (name, value)| {
        xml.text("attributeName", name);
        xml.list("attributeValueSet", [value], |xml, value| xml.text("attributeValue", value));
    });
    Ok(xml)
}

/// The id of the one network that servers are plugged into.
pub(super) fn the_vpc(model: &Model) -> Option<Id> {
    model.private_network().map(|network| Kind::Vpc.id(network.id))
}

/// The ids that a request names, all of which must exist.
pub(super) fn wanted(
    call: &Call,
    parameter: &str,
    kind: Kind,
    existing: impl Iterator<Item = Id>,
) -> Result<Vec<Id>, Fault> {
    let named = call.params.texts(parameter);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let existing: Vec<Id> = existing.collect();
    let find = |text: &str| {
        let id = kind.parse(text)?;
        existing.contains(&id).then_some(id).ok_or_else(|| Fault::missing(kind, text))
    };
    named.into_iter().map(find).collect()
}
