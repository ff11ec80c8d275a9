//! Security groups.

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Kind, account};
use super::operation::Call;
use super::pages::Page;
use super::permissions::{self, permissions};
use super::places::the_vpc;
use super::tags::{self, tag_set};
use super::xml::Xml;
use crate::model::security::{DEFAULT_GROUP, Direction};
use crate::model::{Model, SecurityGroup, SecurityGroupRule, SecurityGroupRuleId};

const FILTERS: [&str; 5] = ["description", "group-id", "group-name", "owner-id", "vpc-id"];

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let name = call.params.required("GroupName")?;
    let description = call.params.required("GroupDescription")?;
    let tags = tags::specified(&call.params, Kind::SecurityGroup)?;
    let made = call.cloud.change(|model, now| {
        if let Some(text) = call.params.text("VpcId") {
            let wanted = Kind::Vpc.parse(text)?;
            if the_vpc(model) != Some(wanted) {
                return Err(Fault::missing(Kind::Vpc, text));
            }
        }
        if name == DEFAULT_GROUP || by_name(&call, model, name).is_ok() {
            let message = format!("The security group '{name}' already exists");
            return Err(Fault::new("InvalidGroup.Duplicate", message));
        }
        let id = model.create_security_group(call.project, name, description, now)?;
        if let Some(mut group) = model.security_groups.get_mut(id) {
            group.tags = tags.clone();
        }
        Ok(id)
    });
    let id = made.await?;
    let mut xml = Xml::default();
    xml.text("return", true);
    xml.text("groupId", Kind::SecurityGroup.id(id));
    tag_set(&mut xml, &tags);
    Ok(xml)
}

pub(super) fn security_groups(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "GroupId")?;
    let model = call.cloud.read();
    let ids = call.params.texts("GroupId").into_iter();
    let ids = ids.map(|id| by_id(call, &model, id));
    let names = call.params.texts("GroupName").into_iter();
    let names = names.map(|name| by_name(call, &model, name));
    let named: Vec<_> =
        ids.chain(names).map(|group| Ok(group?.id)).collect::<Result<_, Fault>>()?;
    let vpc = the_vpc(&model);
    let wanted = |group: &&SecurityGroup| {
        (named.is_empty() || named.contains(&group.id))
            && filters.pass(&group.tags, |filter| match filter {
                "description" => vec![group.standard.description.clone()],
                "group-id" => vec![Kind::SecurityGroup.id(group.id).to_string()],
                "group-name" => vec![group.name.clone()],
                "owner-id" => vec![account(group.project_id)],
                _ => vpc.iter().map(ToString::to_string).collect(),
            })
    };
    let wanted = own(call, &model).filter(wanted);
    let (groups, next) = page.in_order(&model.security_groups, wanted);
    let mut xml = Xml::default();
    xml.list("securityGroupInfo", groups, |xml, group| {
        let (out, into): (Vec<_>, Vec<_>) =
            model.rules_of(group.id).partition(|rule| rule.filter.direction == Direction::Egress);
        xml.text("ownerId", account(group.project_id));
        xml.text("groupId", Kind::SecurityGroup.id(group.id));
        xml.text("groupName", &group.name);
        xml.text("groupDescription", &group.standard.description);
        xml.optional("vpcId", vpc);
        permissions(xml, &model, "ipPermissions", &into);
        permissions(xml, &model, "ipPermissionsEgress", &out);
        tag_set(xml, &group.tags);
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let deleted = call.cloud.change(|model, _| {
        let group = named(&call, model)?;
        let (id, shown) = (group.id, Kind::SecurityGroup.id(group.id));
        if group.name == DEFAULT_GROUP {
            let message = format!(
                "the specified group: \"{shown}\" name: \"default\" cannot be deleted by a user"
            );
            return Err(Fault::new("CannotDelete", message));
        }
        let used = model.ports.index().groups.has(id);
        let meant = |rule: &SecurityGroupRule| {
            rule.group_id != id && rule.filter.remote_group_id == Some(id)
        };
        if used || model.security_group_rules.iter().any(meant) {
            let message = format!("resource {shown} has a dependent object");
            return Err(Fault::new("DependencyViolation", message));
        }
        model.delete_security_group(&call.caller, &id.to_string())?;
        Ok(shown)
    });
    let id = deleted.await?;
    let mut xml = Xml::default();
    xml.text("return", true);
    xml.text("groupId", id);
    Ok(xml)
}

pub(super) async fn authorize_ingress(call: Call) -> Result<Xml, Fault> {
    authorize(call, Direction::Ingress).await
}

pub(super) async fn authorize_egress(call: Call) -> Result<Xml, Fault> {
    authorize(call, Direction::Egress).await
}

pub(super) async fn revoke_ingress(call: Call) -> Result<Xml, Fault> {
    revoke(call, Direction::Ingress).await
}

pub(super) async fn revoke_egress(call: Call) -> Result<Xml, Fault> {
    revoke(call, Direction::Egress).await
}

/// Adds all rules of a request, or none.
async fn authorize(call: Call, direction: Direction) -> Result<Xml, Fault> {
    let added = call.cloud.change(|model, now| {
        let group = named(&call, model)?.id;
        let rules = permissions::read(&call, model, direction)?;
        if rules.is_empty() {
            return Err(Fault::missing_parameter("IpPermissions"));
        }
        for (rule, _) in &rules {
            if model.rules_of(group).any(|known| permissions::same(&known.filter, rule)) {
                let message = "the specified rule already exists";
                return Err(Fault::new("InvalidPermission.Duplicate", message));
            }
        }
        let mut added: Vec<SecurityGroupRule> = Vec::new();
        for (rule, description) in rules {
            let made = model.create_rule(&call.caller, &group.to_string(), rule, description, now);
            match made {
                Ok(id) => added.extend(model.security_group_rules.get(id).cloned()),
                Err(error) => {
                    for rule in added {
                        model.security_group_rules.remove(rule.id);
                    }
                    return Err(error.into());
                }
            }
        }
        Ok(added)
    });
    let added = added.await?;
    let mut xml = Xml::default();
    xml.text("return", true);
    xml.list("securityGroupRuleSet", &added, permissions::rule);
    Ok(xml)
}

/// Removes all rules of a request, or none.
async fn revoke(call: Call, direction: Direction) -> Result<Xml, Fault> {
    let revoked = call.cloud.change(|model, now| {
        let group = named(&call, model)?.id;
        let mut unwanted: Vec<SecurityGroupRuleId> = Vec::new();
        for text in call.params.texts("SecurityGroupRuleId") {
            let wanted = Kind::Rule.parse(text)?;
            let found = model.rules_of(group).find(|rule| {
                Kind::Rule.id(rule.id) == wanted && rule.filter.direction == direction
            });
            unwanted.push(found.ok_or_else(|| Fault::missing(Kind::Rule, text))?.id);
        }
        for (wanted, _) in permissions::read(&call, model, direction)? {
            let found = model.rules_of(group).find(|rule| permissions::same(&rule.filter, &wanted));
            let missing = "The specified rule does not exist in this security group.";
            let found = found.ok_or_else(|| Fault::new("InvalidPermission.NotFound", missing))?;
            unwanted.push(found.id);
        }
        if unwanted.is_empty() {
            return Err(Fault::missing_parameter("IpPermissions"));
        }
        unwanted.sort();
        unwanted.dedup();
        for rule in unwanted {
            model.delete_rule(&call.caller, &rule.to_string(), now)?;
        }
        Ok(())
    });
    revoked.await?;
    Ok(Xml::done())
}

fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a SecurityGroup> {
    let project = call.project;
    model.security_groups.iter().filter(move |group| group.project_id == project)
}

/// The group that a request is about.
fn named<'a>(call: &Call, model: &'a Model) -> Result<&'a SecurityGroup, Fault> {
    match (call.params.text("GroupId"), call.params.text("GroupName")) {
        (Some(id), _) => by_id(call, model, id),
        (None, Some(name)) => by_name(call, model, name),
        (None, None) => Err(Fault::missing_parameter("GroupId")),
    }
}

/// The project's group with an id.
pub(super) fn by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a SecurityGroup, Fault> {
    let id = Kind::SecurityGroup.parse(text)?;
    own(call, model)
        .find(|group| Kind::SecurityGroup.id(group.id) == id)
        .ok_or_else(|| Fault::missing(Kind::SecurityGroup, text))
}

/// The project's group with a name.
pub(super) fn by_name<'a>(
    call: &Call,
    model: &'a Model,
    name: &str,
) -> Result<&'a SecurityGroup, Fault> {
    own(call, model)
        .find(|group| group.name == name)
        .ok_or_else(|| Fault::missing(Kind::SecurityGroup, name))
}
