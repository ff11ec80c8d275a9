//! VPCs made by EC2's clients, from the network to the public address of an instance.

use super::{Ec2, every, one};
use crate::client::Stack;

/// What a client makes before it starts instances: a VPC with a subnet.
struct Vpc {
    vpc: String,
    subnet: String,
}

async fn vpc(ec2: &Ec2<'_>) -> Vpc {
    let named = [
        ("CidrBlock", "10.0.0.0/16"),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "main"),
    ];
    let made = ec2.ok("CreateVpc", &named).await;
    assert_eq!((one(&made, "cidrBlock"), one(&made, "value")), ("10.0.0.0/16", "main"));
    let vpc = one(&made, "vpcId").to_owned();
    let wanted = [("VpcId", vpc.as_str()), ("CidrBlock", "10.0.1.0/24")];
    let subnet = one(&ec2.ok("CreateSubnet", &wanted).await, "subnetId").to_owned();
    Vpc { vpc, subnet }
}

#[tokio::test]
async fn a_vpc_is_made_and_removed_in_order() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let Vpc { vpc, subnet } = vpc(&ec2).await;
    let of_vpc = ("VpcId", vpc.as_str());
    for (code, block) in [
        ("InvalidSubnet.Range", "10.1.0.0/24"),
        ("InvalidSubnet.Range", "10.0.2.0/29"),
        ("InvalidSubnet.Conflict", "10.0.1.128/25"),
        ("InvalidParameterValue", "10.0.2.0"),
    ] {
        let code_seen = ec2.refusal("CreateSubnet", &[of_vpc, ("CidrBlock", block)]).await;
        assert_eq!(code_seen, code, "{block}");
    }
    let huge = [("CidrBlock", "10.0.0.0/8")];
    assert_eq!(ec2.refusal("CreateVpc", &huge).await, "InvalidVpc.Range");
    let shown = ec2.ok("DescribeSubnets", &[("SubnetId.1", &subnet)]).await;
    assert_eq!(one(&shown, "availableIpAddressCount"), "251");

    let names = [of_vpc, ("EnableDnsHostnames.Value", "true")];
    ec2.ok("ModifyVpcAttribute", &names).await;
    let asked = [of_vpc, ("Attribute", "enableDnsHostnames")];
    let text = ec2.ok("DescribeVpcAttribute", &asked).await;
    assert_eq!(one(&text, "enableDnsHostnames"), "<value>true</value>");

    let gateway = ec2.ok("CreateInternetGateway", &[]).await;
    let gateway = one(&gateway, "internetGatewayId").to_owned();
    let both = [of_vpc, ("InternetGatewayId", gateway.as_str())];
    ec2.ok("AttachInternetGateway", &both).await;
    let again = ec2.refusal("AttachInternetGateway", &both).await;
    assert_eq!(again, "Resource.AlreadyAssociated");
    assert_eq!(ec2.refusal("DeleteInternetGateway", &both[1..]).await, "DependencyViolation");
    assert_eq!(ec2.refusal("DeleteVpc", &[of_vpc]).await, "DependencyViolation");
    ec2.ok("DetachInternetGateway", &both).await;
    assert_eq!(ec2.refusal("DetachInternetGateway", &both).await, "Gateway.NotAttached");
    ec2.ok("DeleteInternetGateway", &both[1..]).await;

    let group = [of_vpc, ("GroupName", "web"), ("GroupDescription", "w")];
    let group = one(&ec2.ok("CreateSecurityGroup", &group).await, "groupId").to_owned();
    let filter = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
    let groups = ec2.ok("DescribeSecurityGroups", &filter).await;
    assert_eq!(every(&groups, "groupName"), ["default", "web"]);
    let default = [("GroupId", one(&groups, "groupId"))];
    assert_eq!(ec2.refusal("DeleteSecurityGroup", &default).await, "CannotDelete");
    ec2.ok("DeleteSubnet", &[("SubnetId", &subnet)]).await;
    assert_eq!(ec2.refusal("DeleteVpc", &[of_vpc]).await, "DependencyViolation");
    ec2.ok("DeleteSecurityGroup", &[("GroupId", &group)]).await;
    ec2.ok("DeleteVpc", &[of_vpc]).await;
    assert_eq!(every(&ec2.ok("DescribeSecurityGroups", &[]).await, "groupName"), ["default"]);
    assert_eq!(every(&ec2.ok("DescribeRouteTables", &[]).await, "routeTableId").len(), 2);

    let shared = ec2.ok("DescribeVpcs", &[]).await;
    let shared = [("VpcId", one(&shared, "vpcId"))];
    assert_eq!(ec2.refusal("DeleteVpc", &shared).await, "UnauthorizedOperation");
    assert_eq!(ec2.refusal("CreateDefaultVpc", &[]).await, "DefaultVpcAlreadyExists");
}

#[tokio::test]
async fn an_instance_of_a_vpc_has_its_group_and_a_public_address() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let Vpc { vpc, subnet } = vpc(&ec2).await;
    let on_launch = [("SubnetId", subnet.as_str()), ("MapPublicIpOnLaunch.Value", "true")];
    ec2.ok("ModifySubnetAttribute", &on_launch).await;
    let instance = ec2.run(&on_launch[..1]).await;
    let shown = async || ec2.ok("DescribeInstances", &[]).await;
    let text = shown().await;
    assert_eq!((one(&text, "vpcId"), one(&text, "privateIpAddress")), (vpc.as_str(), "10.0.1.4"));
    assert!(every(&text, "groupName").contains(&"default"), "{text}");
    assert!(!text.contains("<ipAddress>"), "there is no way out yet");
    let gateway = ec2.ok("CreateInternetGateway", &[]).await;
    let gateway = one(&gateway, "internetGatewayId").to_owned();
    let both = [("VpcId", vpc.as_str()), ("InternetGatewayId", gateway.as_str())];
    ec2.ok("AttachInternetGateway", &both).await;
    let text = shown().await;
    let first = one(&text, "ipAddress").to_owned();
    assert_eq!(every(&ec2.ok("DescribeAddresses", &[]).await, "publicIp").len(), 0);
    assert_eq!(ec2.refusal("DetachInternetGateway", &both).await, "DependencyViolation");

    let elastic = ec2.ok("AllocateAddress", &[]).await;
    let interface = one(&text, "networkInterfaceId").to_owned();
    let led = [
        ("AllocationId", one(&elastic, "allocationId")),
        ("NetworkInterfaceId", interface.as_str()),
    ];
    ec2.ok("AssociateAddress", &led).await;
    assert_eq!(one(&shown().await, "ipAddress"), one(&elastic, "publicIp"));
    ec2.ok("DisassociateAddress", &[("PublicIp", one(&elastic, "publicIp"))]).await;
    assert_eq!(one(&shown().await, "ipAddress"), first, "it has one of its own again");
    ec2.ok("TerminateInstances", &[("InstanceId.1", &instance)]).await;
    let left = stack.ada().await.get("/network/v2.0/floatingips").await;
    assert_eq!(left["floatingips"].as_array().unwrap().len(), 1, "the elastic one: {left}");
    ec2.ok("DetachInternetGateway", &both).await;

    let elsewhere = [("GroupName", "x"), ("GroupDescription", "x")];
    let elsewhere = ec2.ok("CreateSecurityGroup", &elsewhere).await;
    let image = ec2.image().await;
    let mixed = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        on_launch[0],
        ("SecurityGroupId.1", one(&elsewhere, "groupId")),
    ];
    assert_eq!(ec2.refusal("RunInstances", &mixed).await, "InvalidGroup.NotFound");
}

#[tokio::test]
async fn routes_are_kept_and_subnets_have_their_tables() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let Vpc { vpc, subnet } = vpc(&ec2).await;
    let made = ec2.ok("CreateRouteTable", &[("VpcId", &vpc)]).await;
    let table = one(&made, "routeTableId").to_owned();
    assert_eq!(every(&made, "gatewayId"), ["local"]);
    let gateway = ec2.ok("CreateInternetGateway", &[]).await;
    let gateway = one(&gateway, "internetGatewayId").to_owned();
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("GatewayId", gateway.as_str()),
    ];
    assert_eq!(ec2.refusal("CreateRoute", &route).await, "InvalidParameterValue");
    let both = [("VpcId", vpc.as_str()), ("InternetGatewayId", gateway.as_str())];
    ec2.ok("AttachInternetGateway", &both).await;
    ec2.ok("CreateRoute", &route).await;
    assert_eq!(ec2.refusal("CreateRoute", &route).await, "RouteAlreadyExists");
    let pair = [("RouteTableId", table.as_str()), ("SubnetId", subnet.as_str())];
    let associated = ec2.ok("AssociateRouteTable", &pair).await;
    let association = one(&associated, "associationId").to_owned();
    let of_subnet =
        [("Filter.1.Name", "association.subnet-id"), ("Filter.1.Value.1", subnet.as_str())];
    let text = ec2.ok("DescribeRouteTables", &of_subnet).await;
    assert_eq!(every(&text, "routeTableId"), [table.as_str(); 2]);
    assert_eq!(one(&text, "routeTableAssociationId"), association);
    assert_eq!(every(&text, "state"), ["active", "active", "associated"]);
    let unwanted = [("RouteTableId", table.as_str())];
    assert_eq!(ec2.refusal("DeleteRouteTable", &unwanted).await, "DependencyViolation");

    let of_vpc = [("Filter.1.Name", "association.main"), ("Filter.1.Value.1", "true")];
    let own =
        [of_vpc[0], of_vpc[1], ("Filter.2.Name", "vpc-id"), ("Filter.2.Value.1", vpc.as_str())];
    let main = ec2.ok("DescribeRouteTables", &own).await;
    let main_association = one(&main, "routeTableAssociationId").to_owned();
    let kept = [("AssociationId", main_association.as_str())];
    assert_eq!(ec2.refusal("DisassociateRouteTable", &kept).await, "InvalidParameterValue");
    let replaced = [kept[0], unwanted[0]];
    ec2.ok("ReplaceRouteTableAssociation", &replaced).await;
    let main = ec2.ok("DescribeRouteTables", &own).await;
    assert_eq!(one(&main, "routeTableId"), table);
    ec2.ok("DisassociateRouteTable", &[("AssociationId", &association)]).await;
    let gone = ec2.refusal("DisassociateRouteTable", &[("AssociationId", &association)]).await;
    assert_eq!(gone, "InvalidAssociationID.NotFound");

    ec2.ok("DetachInternetGateway", &both).await;
    let text = ec2.ok("DescribeRouteTables", &own).await;
    assert!(text.contains("<state>blackhole</state>"), "{text}");
    ec2.ok("DeleteRoute", &route[..2]).await;
    assert_eq!(ec2.refusal("DeleteRoute", &route[..2]).await, "InvalidRoute.NotFound");
}

#[tokio::test]
async fn an_interface_waits_for_its_instance() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let Vpc { subnet, .. } = vpc(&ec2).await;
    let wanted = [
        ("SubnetId", subnet.as_str()),
        ("Description", "second"),
        ("PrivateIpAddress", "10.0.1.77"),
        ("TagSpecification.1.ResourceType", "network-interface"),
        ("TagSpecification.1.Tag.1.Key", "role"),
        ("TagSpecification.1.Tag.1.Value", "data"),
    ];
    let made = ec2.ok("CreateNetworkInterface", &wanted).await;
    let interface = one(&made, "networkInterfaceId").to_owned();
    assert_eq!((one(&made, "status"), one(&made, "value")), ("available", "data"));
    let it = ("NetworkInterfaceId", interface.as_str());
    assert_eq!(ec2.refusal("DeleteSubnet", &wanted[..1]).await, "DependencyViolation");
    let instance = ec2.run(&wanted[..1]).await;
    let attach = [it, ("InstanceId", instance.as_str()), ("DeviceIndex", "1")];
    let attached = ec2.ok("AttachNetworkInterface", &attach).await;
    let attachment = [("AttachmentId", one(&attached, "attachmentId"))];
    assert_eq!(ec2.refusal("AttachNetworkInterface", &attach).await, "InvalidParameterValue");
    assert_eq!(ec2.refusal("DeleteNetworkInterface", &[it]).await, "InvalidNetworkInterface.InUse");
    let text = ec2.ok("DescribeInstances", &[]).await;
    assert_eq!(every(&text, "deviceIndex"), ["0", "1"]);
    ec2.ok("ModifyNetworkInterfaceAttribute", &[it, ("SourceDestCheck.Value", "false")]).await;
    let asked = [it, ("Attribute", "sourceDestCheck")];
    let text = ec2.ok("DescribeNetworkInterfaceAttribute", &asked).await;
    assert_eq!(one(&text, "value"), "false");
    ec2.ok("DetachNetworkInterface", &attachment).await;
    ec2.ok("DeleteNetworkInterface", &[it]).await;
    let primary = [("NetworkInterfaceId.1", interface.as_str())];
    let gone = ec2.refusal("DescribeNetworkInterfaces", &primary).await;
    assert_eq!(gone, "InvalidNetworkInterfaceID.NotFound");
    let first = one(&ec2.ok("DescribeNetworkInterfaces", &[]).await, "attachmentId").to_owned();
    let refused = ec2.refusal("DetachNetworkInterface", &[("AttachmentId", &first)]).await;
    assert_eq!(refused, "OperationNotPermitted");
}

#[tokio::test]
async fn everything_of_a_vpc_bears_tags() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let Vpc { vpc, subnet } = vpc(&ec2).await;
    let table = ec2.ok("CreateRouteTable", &[("VpcId", &vpc)]).await;
    let gateway = ec2.ok("CreateInternetGateway", &[]).await;
    let tag = [
        ("ResourceId.1", vpc.as_str()),
        ("ResourceId.2", subnet.as_str()),
        ("ResourceId.3", one(&table, "routeTableId")),
        ("ResourceId.4", one(&gateway, "internetGatewayId")),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "red"),
    ];
    ec2.ok("CreateTags", &tag).await;
    let by_tag = [("Filter.1.Name", "tag:team"), ("Filter.1.Value.1", "red")];
    for (action, element) in [
        ("DescribeVpcs", "vpcId"),
        ("DescribeSubnets", "subnetId"),
        ("DescribeRouteTables", "routeTableId"),
        ("DescribeInternetGateways", "internetGatewayId"),
    ] {
        assert!(!every(&ec2.ok(action, &by_tag).await, element).is_empty(), "{action}");
    }
    let networks = stack.ada().await.get("/network/v2.0/networks?name=main").await;
    assert_eq!(networks["networks"].as_array().unwrap().len(), 1, "its tag Name is its name");
    let vpcs = ec2.ok("DescribeTags", &by_tag).await;
    assert_eq!(every(&vpcs, "resourceType"), ["vpc", "subnet", "internet-gateway", "route-table"]);
}
