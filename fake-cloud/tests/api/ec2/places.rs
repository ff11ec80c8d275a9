//! Where things are: a region and its zone, by the names that EC2's clients expect.

use serde_json::Value;

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn a_zone_is_called_by_its_region_and_a_letter_and_openstack_calls_it_nova() {
    let stack = Stack::start().await;
    let (ec2, ada) = (Ec2::of(&stack, "ada"), stack.ada().await);
    let zones = ec2.ok("DescribeAvailabilityZones", &[("ZoneName.1", "RegionOnea")]).await;
    assert_eq!(one(&zones, "zoneName").strip_suffix('a'), Some(one(&zones, "regionName")));
    assert_eq!(one(&zones, "zoneId"), "RegionOne-az1");
    let id = [("ZoneId.1", "RegionOne-az1")];
    assert_eq!(ec2.ok("DescribeAvailabilityZones", &id).await.matches("<item>").count(), 1);
    let server = ada.create_server_with("here", serde_json::json!({"availability_zone": "nova"}));
    let server = ada.server(&server.await).await;
    assert_eq!(server["OS-EXT-AZ:availability_zone"], Value::from("nova"));

    ec2.run(&[("Placement.AvailabilityZone", "RegionOnea")]).await;
    let there = [("Filter.1.Name", "availability-zone"), ("Filter.1.Value.1", "RegionOnea")];
    let instances = ec2.ok("DescribeInstances", &there).await;
    assert_eq!(every(&instances, "availabilityZone"), ["RegionOnea"; 2]);
    let volume = [("AvailabilityZone", "nova"), ("Size", "1")];
    assert_eq!(ec2.refusal("CreateVolume", &volume).await, "InvalidParameterValue");
    let ids = [("ZoneId.1", "nova")];
    assert_eq!(ec2.refusal("DescribeAvailabilityZones", &ids).await, "InvalidParameterValue");
}
