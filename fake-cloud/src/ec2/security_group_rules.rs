//! Rules of security groups, one by one: listed, changed and described.

use super::errors::Fault;
use super::filters::Filters;
use super::ids::Kind;
use super::operation::Call;
use super::pages::Page;
use super::params::Params;
use super::permissions;
use super::security_groups::{self, named, rule_by_id, vpc_of};
use super::tags::tag_set;
use super::vpc;
use super::xml::Xml;
use crate::model::security::Direction;
use crate::model::{Model, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId};

pub(super) fn rules(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["group-id", "security-group-rule-id"])?;
    let page = Page::read(&call.params, "SecurityGroupRuleId")?;
    let model = call.cloud.read();
    let named = call.params.texts("SecurityGroupRuleId").into_iter();
    let named = named.map(|text| Ok(rule_by_id(call, &model, text)?.id));
    let named: Vec<SecurityGroupRuleId> = named.collect::<Result<_, Fault>>()?;
    let own = model.security_group_rules.iter().filter(|it| it.project_id == call.project);
    let shown = own.filter(|rule| {
        (named.is_empty() || named.contains(&rule.id))
            && filters.pass(&rule.tags, |name| match name {
                "group-id" => vec![Kind::SecurityGroup.id(rule.group_id).to_string()],
                _ => vec![Kind::Rule.id(rule.id).to_string()],
            })
    });
    let (rules, next) = page.in_order(&model.security_group_rules, shown);
    let mut xml = Xml::default();
    xml.list("securityGroupRuleSet", rules, permissions::rule);
    xml.optional("nextToken", next);
    Ok(xml)
}

/// Changes what rules let pass: all of a request, or none.
pub(super) async fn modify(call: Call) -> Result<Xml, Fault> {
    let changes = call.params.list("SecurityGroupRule");
    if changes.is_empty() {
        return Err(Fault::missing_parameter("SecurityGroupRule"));
    }
    let changed = call.cloud.change(|model, now| {
        let group = named(&call, model)?.id;
        let mut wanted = Vec::new();
        for change in &changes {
            let rule = of_group(&call, model, group, change)?;
            let content = change.below("SecurityGroupRule");
            let content = content.ok_or_else(|| Fault::missing_parameter("SecurityGroupRule"))?;
            let filter = permissions::read_one(&call, model, rule.filter.direction, content)?;
            let twin = model
                .rules_of(group)
                .any(|it| it.id != rule.id && permissions::same(&it.filter, &filter));
            if twin {
                let message = "the specified rule already exists";
                return Err(Fault::new("InvalidPermission.Duplicate", message));
            }
            wanted.push((rule.id, filter, content.text("Description").unwrap_or_default()));
        }
        for (id, filter, description) in wanted {
            let Some(mut rule) = model.security_group_rules.get_mut(id) else { continue };
            rule.filter = filter;
            description.clone_into(&mut rule.standard.description);
            rule.standard.touch(now);
        }
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

/// The rule of a group that a part of a request names.
fn of_group<'a>(
    call: &Call,
    model: &'a Model,
    group: SecurityGroupId,
    part: &Params,
) -> Result<&'a SecurityGroupRule, Fault> {
    let text = part.required("SecurityGroupRuleId")?;
    let rule = rule_by_id(call, model, text)?;
    (rule.group_id == group).then_some(rule).ok_or_else(|| Fault::missing(Kind::Rule, text))
}

pub(super) async fn describe_ingress(call: Call) -> Result<Xml, Fault> {
    describe(call, Direction::Ingress).await
}

pub(super) async fn describe_egress(call: Call) -> Result<Xml, Fault> {
    describe(call, Direction::Egress).await
}

/// Says something else of rules: named by their ids, or by what they let pass.
async fn describe(call: Call, direction: Direction) -> Result<Xml, Fault> {
    let changed = call.cloud.change(|model, now| {
        let group = named(&call, model)?.id;
        let mut wanted: Vec<(SecurityGroupRuleId, String)> = Vec::new();
        for part in call.params.list("SecurityGroupRuleDescription") {
            let rule = of_group(&call, model, group, part)?.id;
            wanted.push((rule, part.text("Description").unwrap_or_default().to_owned()));
        }
        for (filter, description) in permissions::read(&call, model, direction)? {
            let rule = permissions::find(model, group, &filter)?.id;
            wanted.push((rule, description));
        }
        if wanted.is_empty() {
            return Err(Fault::missing_parameter("IpPermissions"));
        }
        for (id, description) in wanted {
            let Some(mut rule) = model.security_group_rules.get_mut(id) else { continue };
            rule.standard.description = description;
            rule.standard.touch(now);
        }
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

/// VPCs know nothing of each other here: no group of another one is ever referred to.
pub(super) fn references(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    for text in call.params.texts("GroupId") {
        security_groups::by_id(call, &model, text)?;
    }
    let mut xml = Xml::default();
    xml.list("securityGroupReferenceSet", [(); 0], |_, ()| {});
    Ok(xml)
}

/// The groups that can guard what is in a VPC.
pub(super) fn of_vpc(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["group-id", "group-name", "description"])?;
    let page = Page::read(&call.params, "GroupId")?;
    let model = call.cloud.read();
    let network = vpc::by_id(call, &model, call.params.required("VpcId")?)?;
    let vpc = Kind::Vpc.id(network.id);
    let shown = security_groups::own(call, &model).filter(|group| {
        vpc_of(&model, group) == Some(vpc)
            && filters.pass(&group.tags, |name| match name {
                "group-id" => vec![Kind::SecurityGroup.id(group.id).to_string()],
                "group-name" => vec![security_groups::name(group).to_owned()],
                _ => vec![group.standard.description.clone()],
            })
    });
    let (groups, next) = page.in_order(&model.security_groups, shown);
    let mut xml = Xml::default();
    xml.list("securityGroupForVpcSet", groups, |xml, group| {
        xml.text("description", &group.standard.description);
        xml.text("groupName", security_groups::name(group));
        xml.text("ownerId", super::ids::account(group.project_id));
        xml.text("groupId", Kind::SecurityGroup.id(group.id));
        tag_set(xml, &group.tags);
        xml.text("primaryVpcId", vpc);
    });
    xml.optional("nextToken", next);
    Ok(xml)
}
