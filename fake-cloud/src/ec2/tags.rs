//! Tags. They are kept where the other API keeps what means the same: a server's are its metadata
//! and its name, an image's are its properties.

use std::collections::BTreeMap;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::Kind;
use super::instances::{self, NAME};
use super::operation::Call;
use super::params::Params;
use super::xml::Xml;
use super::{addresses, images, key_pairs, security_groups};
use crate::model::{
    Caller, FloatingIpId, ImageId, KeyPairId, Model, SecurityGroupId, Server, ServerId,
};

/// What a tag's names and values are kept as.
pub(super) type Tags = BTreeMap<String, String>;

/// The most tags that a thing bears, and the longest names and values.
const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 127;
const VALUE_MAX: usize = 255;

/// Something that bears tags.
#[derive(Debug, Clone, Copy)]
enum Bearer {
    Server(ServerId),
    Image(ImageId),
    Group(SecurityGroupId),
    Address(FloatingIpId),
    Key(KeyPairId),
}

/// Writes the tags of a thing.
pub(super) fn tag_set(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

/// The tags that a request gives to what it makes.
pub(super) fn specified(params: &Params, kind: Kind) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for specification in params.list("TagSpecification") {
        if specification.required("ResourceType")? == kind.resource_type() {
            tags.extend(read(specification)?);
        }
    }
    check(&tags)?;
    Ok(tags)
}

fn read(params: &Params) -> Result<Tags, Fault> {
    let tag = |tag: &Params| {
        let key = tag.required("Key")?.to_owned();
        Ok((key, tag.text("Value").unwrap_or_default().to_owned()))
    };
    params.list("Tag").into_iter().map(tag).collect()
}

fn check(tags: &Tags) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        let message = format!("No resource may have more than {TAGS_MAX} tags");
        return Err(Fault::new("TagLimitExceeded", message));
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            let message = "Tag keys starting with 'aws:' are reserved for internal use";
            return Err(Fault::invalid_value(message));
        }
        if key.chars().count() > KEY_MAX || value.chars().count() > VALUE_MAX {
            let message = format!("Tag '{key}' exceeds the maximum length");
            return Err(Fault::invalid_value(message));
        }
    }
    Ok(())
}

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let new = read(&call.params)?;
    if new.is_empty() {
        return Err(Fault::missing_parameter("Tag"));
    }
    change(call, |tags| tags.extend(new.clone())).await
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let unwanted: Vec<(String, Option<String>)> = call
        .params
        .list("Tag")
        .into_iter()
        .map(|tag| Ok((tag.required("Key")?.to_owned(), tag.text("Value").map(str::to_owned))))
        .collect::<Result<_, Fault>>()?;
    change(call, |tags| {
        if unwanted.is_empty() {
            tags.clear();
        }
        for (key, value) in &unwanted {
            // A value that is given must be the one that is there.
            if value.is_none() || tags.get(key) == value.as_ref() {
                tags.remove(key);
            }
        }
    })
    .await
}

/// Changes the tags of all things that a request names, or of none.
async fn change(call: Call, change: impl Fn(&mut Tags)) -> Result<Xml, Fault> {
    let ids = call.params.texts("ResourceId");
    if ids.is_empty() {
        return Err(Fault::missing_parameter("ResourceId"));
    }
    let changed = call.cloud.change(|model, now| {
        let find = |id: &&str| {
            let bearer = find(&call, model, id)?;
            let mut tags = tags_of(model, bearer).unwrap_or_default();
            change(&mut tags);
            check(&tags)?;
            Ok((bearer, tags))
        };
        let bearers: Vec<(Bearer, Tags)> = ids.iter().map(find).collect::<Result<_, Fault>>()?;
        for (bearer, tags) in bearers {
            set(model, &call.caller, bearer, tags, now)?;
        }
        Ok::<_, Fault>(())
    });
    changed.await?;
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}

pub(super) fn tags(call: &Call) -> Result<Xml, Fault> {
    let known = ["key", "value", "resource-id", "resource-type"];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let mut shown: Vec<(Kind, String, String, String)> = Vec::new();
    for (kind, id, tags) in everything(call, &model) {
        for (key, value) in tags {
            let one = BTreeMap::from([(key.clone(), value.clone())]);
            let pass = filters.pass(&one, |name| match name {
                "key" => vec![key.clone()],
                "value" => vec![value.clone()],
                "resource-id" => vec![id.clone()],
                _ => vec![kind.resource_type().to_owned()],
            });
            if pass {
                shown.push((kind, id.clone(), key, value));
            }
        }
    }
    let mut xml = Xml::default();
    xml.list("tagSet", shown, |xml, (kind, id, key, value)| {
        xml.text("resourceId", id);
        xml.text("resourceType", kind.resource_type());
        xml.text("key", key);
        xml.text("value", value);
    });
    Ok(xml)
}

/// All of the project's things that bear tags.
fn everything(call: &Call, model: &Model) -> Vec<(Kind, String, Tags)> {
    let own = |project| project == call.project;
    let servers = model.servers.iter().filter(|server| own(server.project_id)).map(|server| {
        (Kind::Instance, Kind::Instance.id(server.id).to_string(), instances::tags(server))
    });
    let images =
        model.images.iter().filter(|image| own(image.owner)).map(|image| {
            (Kind::Image, Kind::Image.id(image.id).to_string(), image.properties.clone())
        });
    let groups = model.security_groups.iter().filter(|group| own(group.project_id)).map(|group| {
        let id = Kind::SecurityGroup.id(group.id).to_string();
        (Kind::SecurityGroup, id, group.tags.clone())
    });
    let addresses = model
        .floating_ips
        .iter()
        .filter(|ip| own(ip.project_id))
        .map(|ip| (Kind::Allocation, Kind::Allocation.id(ip.id).to_string(), ip.tags.clone()));
    let user = call.caller.user_id;
    let keys = model
        .key_pairs
        .iter()
        .filter(move |key| key.user_id == user)
        .map(|key| (Kind::KeyPair, Kind::KeyPair.id(key.id).to_string(), key.tags.clone()));
    servers.chain(images).chain(groups).chain(addresses).chain(keys).collect()
}

/// What an id names, among what the caller may change.
fn find(call: &Call, model: &Model, text: &str) -> Result<Bearer, Fault> {
    let kind = Kind::TAGGED.into_iter().find(|kind| kind.read(text).is_some());
    match kind {
        Some(Kind::Instance) => {
            let id = instances::find(call, model, text)?.server.id;
            let alive = model.servers.get(id).map(|server| Bearer::Server(server.id));
            alive.ok_or_else(|| Fault::missing(Kind::Instance, text))
        }
        Some(Kind::Image) => {
            let image = images::find(call, model, text)?;
            if !image.writable_by(&call.caller) {
                let message = "You are not authorized to perform this operation.";
                return Err(Fault::new("UnauthorizedOperation", message)
                    .with_status(http::StatusCode::FORBIDDEN));
            }
            Ok(Bearer::Image(image.id))
        }
        Some(Kind::SecurityGroup) => {
            Ok(Bearer::Group(security_groups::by_id(call, model, text)?.id))
        }
        Some(Kind::Allocation) => Ok(Bearer::Address(addresses::by_id(call, model, text)?.id)),
        Some(Kind::KeyPair) => Ok(Bearer::Key(key_pairs::by_id(call, model, text)?.id)),
        _ => Err(Fault::new("InvalidID", format!("The ID '{text}' is not valid"))),
    }
}

fn tags_of(model: &Model, bearer: Bearer) -> Option<Tags> {
    match bearer {
        Bearer::Server(id) => model.servers.get(id).map(instances::tags),
        Bearer::Image(id) => model.images.get(id).map(|image| image.properties.clone()),
        Bearer::Group(id) => model.security_groups.get(id).map(|group| group.tags.clone()),
        Bearer::Address(id) => model.floating_ips.get(id).map(|ip| ip.tags.clone()),
        Bearer::Key(id) => model.key_pairs.get(id).map(|key| key.tags.clone()),
    }
}

fn set(
    model: &mut Model,
    caller: &Caller,
    bearer: Bearer,
    mut tags: Tags,
    now: time::OffsetDateTime,
) -> Result<(), Fault> {
    match bearer {
        Bearer::Server(id) => {
            let name = tags.remove(NAME).filter(|name| !name.is_empty());
            model.set_metadata(caller, &id.to_string(), tags, now)?;
            if let Some(server) = model.servers.get_mut(id) {
                server.name = name.unwrap_or_else(|| Server::default_name(id));
            }
        }
        Bearer::Image(id) => {
            if let Some(image) = model.images.get_mut(id) {
                image.properties = tags;
                image.updated = now;
            }
        }
        Bearer::Group(id) => {
            if let Some(group) = model.security_groups.get_mut(id) {
                group.tags = tags;
            }
        }
        Bearer::Address(id) => {
            if let Some(address) = model.floating_ips.get_mut(id) {
                address.tags = tags;
            }
        }
        Bearer::Key(id) => {
            if let Some(key) = model.key_pairs.get_mut(id) {
                key.tags = tags;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(query: &str) -> Result<Tags, Fault> {
        specified(&Params::of(crate::query::parse(query)), Kind::Instance)
    }

    #[test]
    fn tags_are_those_of_the_kind_that_is_made() {
        let query = "TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a\
                     &TagSpecification.1.Tag.1.Value=b&TagSpecification.2.ResourceType=volume\
                     &TagSpecification.2.Tag.1.Key=c";
        assert_eq!(tags(query).unwrap(), BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    }

    #[test]
    fn names_that_are_reserved_or_too_long_are_refused() {
        for key in ["aws:x", &"x".repeat(128)] {
            let query = format!(
                "TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key={key}"
            );
            assert_eq!(tags(&query).unwrap_err().code, "InvalidParameterValue");
        }
    }
}
