//! Elastic IPs and security groups.

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn the_public_address_follows_the_elastic_ip() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let (first, second) = (ec2.run(&[]).await, ec2.run(&[]).await);
    let text = ec2.ok("AllocateAddress", &[("Domain", "vpc")]).await;
    let (address, allocation) = (one(&text, "publicIp"), one(&text, "allocationId"));
    let public = async |id: &str| {
        let text = ec2.ok("DescribeInstances", &[("InstanceId.1", id)]).await;
        every(&text, "ipAddress").first().map(|address| (*address).to_owned())
    };
    for id in [&first, &second] {
        ec2.ok("AssociateAddress", &[("InstanceId", id), ("AllocationId", allocation)]).await;
        assert_eq!(public(id).await.as_deref(), Some(address));
    }
    assert_eq!(public(&first).await, None);
    let strict = [
        ("InstanceId", first.as_str()),
        ("AllocationId", allocation),
        ("AllowReassociation", "false"),
    ];
    assert_eq!(ec2.refusal("AssociateAddress", &strict).await, "Resource.AlreadyAssociated");
    let it = [("AllocationId", allocation)];
    assert_eq!(ec2.refusal("ReleaseAddress", &it).await, "InvalidIPAddress.InUse");
    let text = ec2.ok("DescribeAddresses", &[]).await;
    assert_eq!(one(&text, "instanceId"), second);
    let association = one(&text, "associationId");
    ec2.ok("DisassociateAddress", &[("AssociationId", association)]).await;
    assert_eq!(public(&second).await, None);
    ec2.ok("ReleaseAddress", &it).await;
    assert_eq!(ec2.refusal("ReleaseAddress", &it).await, "InvalidAllocationID.NotFound");
}

#[tokio::test]
async fn security_groups_and_their_permissions() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let new = [("GroupName", "web"), ("GroupDescription", "the web")];
    let text = ec2.ok("CreateSecurityGroup", &new).await;
    let group = one(&text, "groupId");
    assert_eq!(ec2.refusal("CreateSecurityGroup", &new).await, "InvalidGroup.Duplicate");
    let permission = [
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "80"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
        ("IpPermissions.1.IpRanges.2.CidrIp", "10.0.0.0/8"),
    ];
    let text = ec2.ok("AuthorizeSecurityGroupIngress", &permission).await;
    assert_eq!(every(&text, "cidrIpv4"), ["0.0.0.0/0", "10.0.0.0/8"]);
    let again = ec2.refusal("AuthorizeSecurityGroupIngress", &permission).await;
    assert_eq!(again, "InvalidPermission.Duplicate");
    let text = ec2.ok("DescribeSecurityGroups", &[("GroupId.1", group)]).await;
    assert_eq!(every(one(&text, "ipPermissions"), "ipProtocol"), ["tcp"], "two rules are one");
    ec2.ok("RevokeSecurityGroupIngress", &permission).await;
    let again = ec2.refusal("RevokeSecurityGroupIngress", &permission).await;
    assert_eq!(again, "InvalidPermission.NotFound");
    let id = ec2.run(&[("SecurityGroupId.1", group)]).await;
    let it = [("GroupId", group)];
    assert_eq!(ec2.refusal("DeleteSecurityGroup", &it).await, "DependencyViolation");
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]).await;
    ec2.ok("DeleteSecurityGroup", &it).await;
    assert_eq!(ec2.refusal("DeleteSecurityGroup", &it).await, "InvalidGroup.NotFound");
}
