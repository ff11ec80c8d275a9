//! Networks as EC2 sees them.

use serde_json::json;

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn a_network_and_its_way_out_are_a_vpc_and_its_gateway() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let vpcs = ec2.ok("DescribeVpcs", &[]).await;
    let vpc = one(&vpcs, "vpcId");
    assert_eq!(every(&vpcs, "isDefault"), ["true"]);
    let subnets = ec2.ok("DescribeSubnets", &[]).await;
    assert_eq!(
        (one(&subnets, "vpcId"), one(&subnets, "cidrBlock")),
        (vpc, one(&vpcs, "cidrBlock"))
    );

    let of_vpc = [("Filter.1.Name", "attachment.vpc-id"), ("Filter.1.Value.1", vpc)];
    let gateways = ec2.ok("DescribeInternetGateways", &of_vpc).await;
    let gateway = one(&gateways, "internetGatewayId");
    let tables = ec2.ok("DescribeRouteTables", &[("Filter.1.Name", "vpc-id"), of_vpc[1]]).await;
    assert_eq!(every(&tables, "gatewayId"), ["local", gateway]);
    assert_eq!(every(&tables, "destinationCidrBlock"), [one(&vpcs, "cidrBlock"), "0.0.0.0/0"]);
    let acls = ec2.ok("DescribeNetworkAcls", &[]).await;
    assert_eq!(every(&acls, "ruleAction"), ["allow", "deny", "allow", "deny"]);
    assert_eq!(one(&acls, "subnetId"), one(&subnets, "subnetId"));
    let dns = [("VpcId", vpc), ("Attribute", "enableDnsSupport")];
    let text = ec2.ok("DescribeVpcAttribute", &dns).await;
    assert_eq!(one(&text, "enableDnsSupport"), "<value>true</value>");
    let nowhere = [("RouteTableId.1", "rtb-00000000000000000")];
    assert_eq!(ec2.refusal("DescribeRouteTables", &nowhere).await, "InvalidRouteTableID.NotFound");
    let options = ec2.ok("DescribeDhcpOptions", &[]).await;
    assert_eq!(one(&options, "dhcpOptionsId"), one(&vpcs, "dhcpOptionsId"));
}

#[tokio::test]
async fn a_port_of_a_server_is_its_network_interface() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let id = ec2.run(&[]).await;
    let of_instance =
        [("Filter.1.Name", "attachment.instance-id"), ("Filter.1.Value.1", id.as_str())];
    let text = ec2.ok("DescribeNetworkInterfaces", &of_instance).await;
    let instances = ec2.ok("DescribeInstances", &[]).await;
    for name in ["networkInterfaceId", "macAddress", "privateIpAddress", "subnetId"] {
        assert_eq!(one(&text, name), one(&instances, name), "{name}");
    }
    assert!(one(&text, "attachment").contains(&format!("<instanceId>{id}</instanceId>")));
}

#[tokio::test]
async fn an_instance_goes_to_a_network_of_ones_own() {
    let stack = Stack::start().await;
    let (ec2, ada) = (Ec2::of(&stack, "ada"), stack.ada().await);
    let (_, network) =
        ada.post("/network/v2.0/networks", json!({"network": {"name": "own"}})).await;
    let wanted = json!({"subnet": {
        "network_id": network["network"]["id"], "ip_version": 4, "cidr": "127.9.8.0/24",
        "enable_dhcp": false
    }});
    let (status, subnet) = ada.post("/network/v2.0/subnets", wanted).await;
    assert_eq!(status, 201, "{subnet}");
    let by_block = [("Filter.1.Name", "cidr-block"), ("Filter.1.Value.1", "127.9.8.0/24")];
    let subnets = ec2.ok("DescribeSubnets", &by_block).await;
    assert_eq!(one(&subnets, "defaultForAz"), "false");
    ec2.run(&[("SubnetId", one(&subnets, "subnetId"))]).await;
    let instances = ec2.ok("DescribeInstances", &[]).await;
    assert!(one(&instances, "privateIpAddress").starts_with("127.9.8."), "{instances}");
    let others = Ec2::of(&stack, "admin").ok("DescribeVpcs", &[]).await;
    assert_eq!(every(&others, "vpcId").len(), 1, "an account sees its own and the shared one");
}
