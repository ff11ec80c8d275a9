//! Tags. They are kept where the other API keeps what means the same: a server's are its metadata
//! and its name, an image's are its properties.

mod bearers;

use std::collections::BTreeMap;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::Kind;
use super::operation::Call;
use super::params::Params;
use super::xml::Xml;
use bearers::{Bearer, everything, find, set, tags_of};

/// What a tag's names and values are kept as.
pub(super) type Tags = BTreeMap<String, String>;

/// The most tags that a thing bears, and the longest names and values.
const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 127;
const VALUE_MAX: usize = 255;

/// The tag that is a thing's name, where things have names.
pub(super) const NAME: &str = "Name";

/// Metadata, and a name, as tags.
pub(super) fn with_name(metadata: &Tags, name: Option<&String>) -> Tags {
    let mut tags = metadata.clone();
    tags.remove(NAME);
    tags.extend(name.map(|name| (NAME.to_owned(), name.clone())));
    tags
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
    Ok(Xml::done())
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
