//! Groups: the rules of security groups one by one, and placement groups.

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn rules_are_changed_one_by_one() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let made = [("GroupName", "web"), ("GroupDescription", "w")];
    let group = one(&ec2.ok("CreateSecurityGroup", &made).await, "groupId").to_owned();
    let it = ("GroupId", group.as_str());
    let http = [
        it,
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "80"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"),
        ("IpPermissions.1.IpRanges.1.Description", "before"),
        ("TagSpecification.1.ResourceType", "security-group-rule"),
        ("TagSpecification.1.Tag.1.Key", "team"),
        ("TagSpecification.1.Tag.1.Value", "red"),
    ];
    let added = ec2.ok("AuthorizeSecurityGroupIngress", &http).await;
    let rule = one(&added, "securityGroupRuleId").to_owned();
    let by_tag = [("Filter.1.Name", "tag:team"), ("Filter.1.Value.1", "red")];
    let shown = async || ec2.ok("DescribeSecurityGroupRules", &by_tag).await;
    assert_eq!(one(&shown().await, "securityGroupRuleId"), rule);

    let mut described = http[..6].to_vec();
    described[5].1 = "after";
    ec2.ok("UpdateSecurityGroupRuleDescriptionsIngress", &described).await;
    assert_eq!(one(&shown().await, "description"), "after");
    let change = [
        it,
        ("SecurityGroupRule.1.SecurityGroupRuleId", rule.as_str()),
        ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
        ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "443"),
        ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "443"),
        ("SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "0.0.0.0/0"),
    ];
    ec2.ok("ModifySecurityGroupRules", &change).await;
    let text = shown().await;
    assert_eq!((one(&text, "fromPort"), one(&text, "cidrIpv4")), ("443", "0.0.0.0/0"));
    let by_port = [("Filter.1.Name", "ip-permission.from-port"), ("Filter.1.Value.1", "443")];
    let groups = ec2.ok("DescribeSecurityGroups", &by_port).await;
    assert_eq!(one(&groups, "groupId"), group);

    let gone = [it, ("SecurityGroupRuleId.1", rule.as_str())];
    let text = ec2.ok("RevokeSecurityGroupIngress", &gone).await;
    assert_eq!(one(&text, "securityGroupRuleId"), rule);
    let code = ec2.refusal("DescribeSecurityGroupRules", &gone[1..]).await;
    assert_eq!(code, "InvalidSecurityGroupRuleId.NotFound");
    assert_eq!(every(&ec2.ok("DescribeSecurityGroupReferences", &[]).await, "item").len(), 0);
}

#[tokio::test]
async fn placement_groups_are_server_groups() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let name = ("GroupName", "apart");
    let made = ec2.ok("CreatePlacementGroup", &[name, ("Strategy", "spread")]).await;
    assert_eq!((one(&made, "strategy"), one(&made, "state")), ("spread", "available"));
    let again = ec2.refusal("CreatePlacementGroup", &[name]).await;
    assert_eq!(again, "InvalidPlacementGroup.Duplicate");
    let groups = stack.ada().await.get("/compute/v2.1/os-server-groups").await;
    assert_eq!(groups["server_groups"][0]["name"], "apart");
    let placed = [("Placement.GroupName", "apart")];
    let first = ec2.run(&placed).await;
    let second = ec2.run(&placed).await;
    let text = ec2.ok("DescribeInstances", &[("InstanceId.1", &second)]).await;
    assert_eq!(one(&text, "groupName"), "apart");
    assert_eq!(ec2.refusal("DeletePlacementGroup", &[name]).await, "InvalidPlacementGroup.InUse");
    let both = [("InstanceId.1", first.as_str()), ("InstanceId.2", second.as_str())];
    ec2.ok("TerminateInstances", &both).await;
    ec2.ok("DeletePlacementGroup", &[name]).await;
    let code = ec2.refusal("DescribePlacementGroups", &[("GroupName.1", "apart")]).await;
    assert_eq!(code, "InvalidPlacementGroup.Unknown");
}
