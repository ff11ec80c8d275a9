//! Security groups as EC2 writes them, and one function a call.

use serde::Deserialize;

use super::api::{Api, Call, Items, Page, Tag, tags_of};
use crate::{Admit, CloudError, NewSecurityGroup, Protocol, SecurityGroup};

const ANYWHERE: &str = "0.0.0.0/0";

/// Every protocol there is.
const ANY: &str = "-1";

/// What people read about a group. It cannot be empty; whose it is, tags say.
const DESCRIPTION: &str = "Made by a director; changes by hand are undone";

/// A security group as EC2 writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupRecord {
    #[serde(rename = "groupId")]
    pub(crate) id: String,
    #[serde(rename = "groupName")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) vpc_id: Option<String>,
    #[serde(default)]
    tag_set: Items<Tag>,
}

impl GroupRecord {
    pub(crate) fn has_tag(&self, key: &str, value: &str) -> bool {
        tags_of(&self.tag_set).get(key).is_some_and(|tag| tag == value)
    }
}

impl From<GroupRecord> for SecurityGroup {
    fn from(record: GroupRecord) -> Self {
        Self { id: record.id, name: record.name }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    #[serde(default)]
    security_group_info: Items<GroupRecord>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page for Groups {
    type Item = GroupRecord;

    fn into_parts(self) -> (Vec<GroupRecord>, Option<String>) {
        (self.security_group_info.item, self.next_token)
    }
}

/// A rule of a group as EC2 writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleRecord {
    #[serde(rename = "securityGroupRuleId")]
    id: String,
    group_id: String,
    is_egress: bool,
    ip_protocol: String,
    from_port: i32,
    to_port: i32,
    #[serde(default)]
    cidr_ipv4: Option<String>,
    #[serde(default)]
    referenced_group_info: Option<Referenced>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referenced {
    group_id: String,
}

impl RuleRecord {
    fn admits(&self) -> Option<Admit> {
        match (&self.cidr_ipv4, &self.referenced_group_info) {
            (None, Some(Referenced { group_id }))
                if *group_id == self.group_id && self.ip_protocol == ANY =>
            {
                Some(Admit::Members)
            }
            (Some(block), None) if block == ANYWHERE => {
                let protocol = Protocol::from_word(&self.ip_protocol)?;
                let (first, last) = (self.from_port.try_into(), self.to_port.try_into());
                Some(Admit::Anyone { protocol, first: first.ok()?, last: last.ok()? })
            }
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    #[serde(default)]
    security_group_rule_set: Items<RuleRecord>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page for Rules {
    type Item = RuleRecord;

    fn into_parts(self) -> (Vec<RuleRecord>, Option<String>) {
        (self.security_group_rule_set.item, self.next_token)
    }
}

/// The account's groups with this value of this filter; asterisks in it fit anything.
pub(crate) async fn groups(
    api: &Api,
    filter: &str,
    value: &str,
) -> Result<Vec<GroupRecord>, CloudError> {
    let call = Call::repeatable("DescribeSecurityGroups")
        .filter(1, filter, value)
        .with("MaxResults", "1000");
    api.list::<Groups>(call).await
}

/// Whether the group shows: not all of EC2 hears of a new one at once.
pub(crate) async fn shows(api: &Api, id: &str) -> Result<bool, CloudError> {
    let call = Call::repeatable("DescribeSecurityGroups").with("GroupId.1", id);
    match api.list::<Groups>(call).await {
        Err(CloudError::NotFound { .. }) => Ok(false),
        found => Ok(!found?.is_empty()),
    }
}

/// The rules of a group for what comes in: the id of each, and what it lets in.
pub(crate) async fn ingress(
    api: &Api,
    group: &str,
) -> Result<Vec<(String, Option<Admit>)>, CloudError> {
    let call = Call::repeatable("DescribeSecurityGroupRules")
        .filter(1, "group-id", group)
        .with("MaxResults", "1000");
    let rules = api.list::<Rules>(call).await?;
    let ingress = rules.into_iter().filter(|rule| !rule.is_egress && rule.group_id == group);
    Ok(ingress.map(|rule| (rule.id.clone(), rule.admits())).collect())
}

/// Makes a group that lets nothing in yet; returns its id. Names are of one in a VPC.
pub(crate) async fn create(
    api: &Api,
    new: &NewSecurityGroup,
    vpc: Option<&str>,
) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        group_id: String,
    }
    let call = Call::change("CreateSecurityGroup")
        .with("GroupName", &new.name)
        .with("GroupDescription", DESCRIPTION)
        .optional("VpcId", vpc)
        .tags("security-group", None, &new.tags);
    Ok(api.fetch::<Created>(call).await?.group_id)
}

/// Lets more into a group.
pub(crate) async fn admit(api: &Api, group: &str, admits: &[Admit]) -> Result<(), CloudError> {
    let call = Call::change("AuthorizeSecurityGroupIngress").with("GroupId", group);
    let call = admits.iter().zip(1..).fold(call, |call, (admit, number)| {
        let permission = |name: &str| format!("IpPermissions.{number}.{name}");
        match admit {
            Admit::Members => {
                call.with(permission("IpProtocol"), ANY).with(permission("Groups.1.GroupId"), group)
            }
            Admit::Anyone { protocol, first, last } => call
                .with(permission("IpProtocol"), protocol.word())
                .with(permission("FromPort"), first.to_string())
                .with(permission("ToPort"), last.to_string())
                .with(permission("IpRanges.1.CidrIp"), ANYWHERE),
        }
    });
    api.order(call).await
}

/// Takes rules from their group.
pub(crate) async fn revoke(api: &Api, group: &str, rules: &[String]) -> Result<(), CloudError> {
    let call = Call::change("RevokeSecurityGroupIngress").with("GroupId", group);
    let call = rules.iter().zip(1..).fold(call, |call, (rule, number)| {
        call.with(format!("SecurityGroupRuleId.{number}"), rule)
    });
    api.order(call).await
}

/// Deletes a group that guards nothing.
pub(crate) async fn delete(api: &Api, id: &str) -> Result<(), CloudError> {
    api.remove(Call::repeatable("DeleteSecurityGroup").with("GroupId", id)).await
}

/// The VPC that a subnet is of.
pub(crate) async fn vpc_of(api: &Api, subnet: &str) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Subnets {
        #[serde(default)]
        subnet_set: Items<Subnet>,
    }
    #[derive(Clone, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Subnet {
        vpc_id: String,
    }
    let call = Call::repeatable("DescribeSubnets").with("SubnetId.1", subnet);
    let found = api.fetch::<Subnets>(call).await?.subnet_set.item.into_iter().next();
    let missing = || CloudError::NotFound { what: format!("subnet {subnet}") };
    found.map(|subnet| subnet.vpc_id).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(rule: &str) -> Option<Admit> {
        let rule: RuleRecord = quick_xml::de::from_str(&format!(
            "<item><securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-1</groupId>\
             <groupOwnerId>1</groupOwnerId><isEgress>false</isEgress>{rule}</item>"
        ))
        .unwrap();
        rule.admits()
    }

    #[test]
    fn a_rule_reads_as_what_it_lets_in() {
        let members = "<ipProtocol>-1</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort>\
            <referencedGroupInfo><groupId>sg-1</groupId><userId>1</userId></referencedGroupInfo>";
        assert_eq!(admits(members), Some(Admit::Members));
        assert_eq!(admits(&members.replace("sg-1", "sg-2")), None);
        let web = "<ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>81</toPort>\
            <cidrIpv4>0.0.0.0/0</cidrIpv4>";
        let open = Admit::Anyone { protocol: Protocol::Tcp, first: 80, last: 81 };
        assert_eq!(admits(web), Some(open));
        assert_eq!(admits(&web.replace("0.0.0.0/0", "10.0.0.0/8")), None);
        assert_eq!(admits(&web.replace("cidrIpv4", "cidrIpv6")), None);
    }
}
