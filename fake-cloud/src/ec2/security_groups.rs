//! Security groups.

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind, account, arn};
use super::operation::Call;
use super::pages::Page;
use super::permissions::{self, permissions};
use super::places::the_vpc;
use super::tags::{self, tag_set};
use super::vpc;
use super::xml::Xml;
use crate::model::security::{DEFAULT_GROUP, Direction};
use crate::model::{
    GroupOfVpc, Model, NetworkId, SecurityGroup, SecurityGroupRule, SecurityGroupRuleId,
};

const FILTERS: [&str; 13] = [
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.group-id",
    "egress.ip-permission.protocol",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "ip-permission.from-port",
    "ip-permission.group-id",
    "ip-permission.protocol",
    "ip-permission.to-port",
    "owner-id",
    "vpc-id",
];

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let name = call.params.required("GroupName")?;
    let description = call.params.required("GroupDescription")?;
    let tags = tags::specified(&call.params, Kind::SecurityGroup)?;
    let made = call.cloud.change(|model, now| {
        let network = call.params.text("VpcId").map(|text| vpc::by_id(&call, model, text));
        let network = network.transpose()?.map(|network| network.id);
        let network = network.filter(|id| model.private_network().map(|it| it.id) != Some(*id));
        let twin = |group: &SecurityGroup| {
            group.name == name && group.vpc.map(|vpc| vpc.network_id) == network
        };
        if name == DEFAULT_GROUP || own(&call, model).any(twin) {
            let message = format!("The security group '{name}' already exists");
            return Err(Fault::new("InvalidGroup.Duplicate", message));
        }
        let id = model.create_security_group(call.project, name, description, now)?;
        if let Some(mut group) = model.security_groups.get_mut(id) {
            group.tags = tags.clone();
            let of_vpc = |network_id| GroupOfVpc { network_id, default: false };
            group.vpc = network.map(of_vpc);
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
    let wanted = |group: &&SecurityGroup| {
        (named.is_empty() || named.contains(&group.id))
            && filters.pass(&group.tags, |filter| match filter {
                "description" => vec![group.standard.description.clone()],
                "group-id" => vec![Kind::SecurityGroup.id(group.id).to_string()],
                "group-name" => vec![name(group).to_owned()],
                "owner-id" => vec![account(group.project_id)],
                "vpc-id" => vpc_of(&model, group).iter().map(ToString::to_string).collect(),
                rule => permissions::values(&model, group.id, rule),
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
        xml.text(
            "securityGroupArn",
            arn(&call.cloud.region, group.project_id, Kind::SecurityGroup, id(group)),
        );
        xml.text("groupName", name(group));
        xml.text("groupDescription", &group.standard.description);
        xml.optional("vpcId", vpc_of(&model, group));
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
        if name(group) == DEFAULT_GROUP {
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
    let tags = tags::specified(&call.params, Kind::Rule)?;
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
                Ok(id) => {
                    let rule = model.security_group_rules.get_mut(id);
                    added.extend(rule.map(|mut rule| {
                        rule.tags.clone_from(&tags);
                        rule.clone()
                    }));
                }
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
            unwanted.push(permissions::find(model, group, &wanted)?.id);
        }
        if unwanted.is_empty() {
            return Err(Fault::missing_parameter("IpPermissions"));
        }
        unwanted.sort();
        unwanted.dedup();
        let mut gone: Vec<SecurityGroupRule> = Vec::new();
        for rule in unwanted {
            gone.extend(model.security_group_rules.get(rule).cloned());
            model.delete_rule(&call.caller, &rule.to_string(), now)?;
        }
        Ok(gone)
    });
    let revoked = revoked.await?;
    let mut xml = Xml::done();
    xml.list("revokedSecurityGroupRuleSet", &revoked, permissions::revoked);
    Ok(xml)
}

/// The account's groups.
pub(super) fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a SecurityGroup> {
    let project = call.project;
    model.security_groups.iter().filter(move |group| group.project_id == project)
}

fn id(group: &SecurityGroup) -> Id {
    Kind::SecurityGroup.id(group.id)
}

/// What EC2 calls a group: each VPC has one of its own that is called `default`.
pub(super) fn name(group: &SecurityGroup) -> &str {
    if group.vpc.is_some_and(|vpc| vpc.default) { DEFAULT_GROUP } else { &group.name }
}

/// The VPC that a group is of.
pub(super) fn vpc_of(model: &Model, group: &SecurityGroup) -> Option<Id> {
    group.vpc.map(|vpc| Kind::Vpc.id(vpc.network_id)).or_else(|| the_vpc(model))
}

/// Refuses a group of another VPC. Those that are of none may guard what is on a network that is
/// not EC2's.
pub(super) fn check_vpc(
    model: &Model,
    group: &SecurityGroup,
    network: NetworkId,
) -> Result<(), Fault> {
    let of_ec2 = model.networks.get(network).is_some_and(|network| network.vpc.is_some());
    let fits = match group.vpc {
        Some(vpc) => vpc.network_id == network,
        None => !of_ec2,
    };
    if fits {
        return Ok(());
    }
    let (group, vpc) = (id(group), Kind::Vpc.id(network));
    let message = format!("The security group '{group}' does not exist in VPC '{vpc}'");
    Err(Fault::new("InvalidGroup.NotFound", message))
}

/// The group that guards what is on a network when no other is named.
pub(super) fn default_of<'a>(
    call: &Call,
    model: &'a Model,
    network: NetworkId,
) -> Option<&'a SecurityGroup> {
    model.default_group_of(network).or_else(|| by_name(call, model, DEFAULT_GROUP).ok())
}

/// The group that a request is about.
pub(super) fn named<'a>(call: &Call, model: &'a Model) -> Result<&'a SecurityGroup, Fault> {
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

/// The project's rule with an id.
pub(super) fn rule_by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a SecurityGroupRule, Fault> {
    let wanted = Kind::Rule.parse(text)?;
    let mut own = model.security_group_rules.iter().filter(|it| it.project_id == call.project);
    let found = own.find(|rule| Kind::Rule.id(rule.id) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::Rule, text))
}

/// The project's group with a name. Groups of VPCs other than the default one have no names for
/// those who name groups so.
pub(super) fn by_name<'a>(
    call: &Call,
    model: &'a Model,
    name: &str,
) -> Result<&'a SecurityGroup, Fault> {
    own(call, model)
        .find(|group| group.name == name && group.vpc.is_none())
        .ok_or_else(|| Fault::missing(Kind::SecurityGroup, name))
}
