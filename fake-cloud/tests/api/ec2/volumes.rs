//! Volumes and snapshots, which are Cinder's too.

use serde_json::json;

use super::{Ec2, every, one};
use crate::client::Stack;

impl Ec2<'_> {
    /// Makes a volume of one GiB and gives its id.
    async fn volume(&self, more: &[(&str, &str)]) -> String {
        let mut parameters = vec![("AvailabilityZone", "RegionOnea"), ("Size", "1")];
        parameters.extend(more);
        one(&self.ok("CreateVolume", &parameters).await, "volumeId").to_owned()
    }
}

#[tokio::test]
async fn a_volume_goes_to_an_instance_and_comes_back() {
    let stack = Stack::start().await;
    let (ec2, mut ada) = (Ec2::of(&stack, "ada"), stack.ada().await);
    let volume = ec2
        .volume(&[
            ("VolumeType", "gp3"),
            ("TagSpecification.1.ResourceType", "volume"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", "data"),
        ])
        .await;
    ada.microversion = "2.1";
    let volumes = ada.get("/compute/v2.1/os-volumes").await;
    let (name, status) = (&volumes["volumes"][0]["displayName"], &volumes["volumes"][0]["status"]);
    assert_eq!((name, status), (&json!("data"), &json!("available")));

    let instance = ec2.run(&[]).await;
    let attach =
        [("VolumeId", volume.as_str()), ("InstanceId", instance.as_str()), ("Device", "/dev/sdf")];
    assert_eq!(one(&ec2.ok("AttachVolume", &attach).await, "status"), "attaching");
    assert_eq!(ec2.refusal("AttachVolume", &attach).await, "VolumeInUse");
    assert_eq!(ec2.refusal("DeleteVolume", &attach[..1]).await, "VolumeInUse");
    let text = ec2.ok("DescribeVolumes", &[("VolumeId.1", &volume)]).await;
    assert_eq!(every(&text, "status"), ["in-use", "attached"]);
    assert_eq!((one(&text, "device"), one(&text, "iops")), ("/dev/sdf", "3000"));
    let text = ec2.ok("DescribeInstances", &[]).await;
    assert_eq!((one(&text, "deviceName"), one(&text, "volumeId")), ("/dev/sdf", volume.as_str()));
    let by_volume =
        [("Filter.1.Name", "block-device-mapping.volume-id"), ("Filter.1.Value.1", "vol-*")];
    assert_eq!(one(&ec2.ok("DescribeInstances", &by_volume).await, "instanceId"), instance);

    let second = ec2.volume(&[]).await;
    let taken = [("VolumeId", second.as_str()), attach[1], attach[2]];
    assert_eq!(ec2.refusal("AttachVolume", &taken).await, "InvalidParameterValue");
    let wrong = [attach[0], ("Device", "/dev/sdg")];
    assert_eq!(ec2.refusal("DetachVolume", &wrong).await, "InvalidAttachment.NotFound");
    assert_eq!(one(&ec2.ok("DetachVolume", &attach[..1]).await, "status"), "detaching");
    assert_eq!(ec2.refusal("DetachVolume", &attach[..1]).await, "IncorrectState");
    ec2.ok("DeleteVolume", &attach[..1]).await;
    assert_eq!(
        ec2.refusal("DescribeVolumes", &[("VolumeId.1", &volume)]).await,
        "InvalidVolume.NotFound"
    );
}

#[tokio::test]
async fn snapshots_outlive_their_volume() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let volume = ec2.volume(&[]).await;
    let text = ec2.ok("CreateSnapshot", &[("VolumeId", &volume), ("Description", "before")]).await;
    let snapshot = one(&text, "snapshotId");
    ec2.ok("DeleteVolume", &[("VolumeId", &volume)]).await;
    let mine = [("Owner.1", "self"), ("Filter.1.Name", "volume-id"), ("Filter.1.Value.1", &volume)];
    let text = ec2.ok("DescribeSnapshots", &mine).await;
    assert_eq!((one(&text, "status"), one(&text, "description")), ("completed", "before"));
    let foreign = ec2.ok("DescribeSnapshots", &[("Owner.1", "amazon")]).await;
    assert_eq!(every(&foreign, "snapshotId").len(), 0);

    let copy = [("AvailabilityZone", "RegionOnea"), ("SnapshotId", snapshot)];
    let text = ec2.ok("CreateVolume", &copy).await;
    assert_eq!((one(&text, "size"), one(&text, "snapshotId")), ("1", snapshot));
    ec2.ok("DeleteSnapshot", &[("SnapshotId", snapshot)]).await;
    assert_eq!(
        ec2.refusal("DeleteSnapshot", &[("SnapshotId", snapshot)]).await,
        "InvalidSnapshot.NotFound"
    );
}

#[tokio::test]
async fn a_volume_grows_and_remembers() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let volume = ec2.volume(&[]).await;
    let id = ("VolumeId", volume.as_str());
    let text = ec2.ok("ModifyVolume", &[id, ("Size", "3"), ("VolumeType", "gp3")]).await;
    assert_eq!((one(&text, "originalSize"), one(&text, "targetSize")), ("1", "3"));
    assert_eq!(ec2.refusal("ModifyVolume", &[id, ("Size", "2")]).await, "InvalidParameterValue");
    let text = ec2.ok("DescribeVolumesModifications", &[]).await;
    assert_eq!((one(&text, "modificationState"), one(&text, "progress")), ("completed", "100"));
    assert_eq!(one(&ec2.ok("DescribeVolumes", &[]).await, "size"), "3");
    let huge = [id, ("Size", "16000")];
    assert_eq!(ec2.refusal("ModifyVolume", &huge).await, "VolumeLimitExceeded");
}

#[tokio::test]
async fn a_client_token_makes_a_volume_once() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let token = [("ClientToken", "once")];
    assert_eq!(ec2.volume(&token).await, ec2.volume(&token).await);
    let other = [("AvailabilityZone", "RegionOnea"), ("Size", "2"), token[0]];
    assert_eq!(ec2.refusal("CreateVolume", &other).await, "IdempotentParameterMismatch");
    assert_eq!(every(&ec2.ok("DescribeVolumes", &[]).await, "volumeId").len(), 1);
    for (code, parameters) in [
        ("InvalidParameterValue", vec![("AvailabilityZone", "moon"), ("Size", "1")]),
        ("MissingParameter", vec![("AvailabilityZone", "RegionOnea")]),
        ("UnsupportedOperation", vec![("AvailabilityZone", "RegionOnea"), ("Encrypted", "true")]),
        (
            "InvalidSnapshot.NotFound",
            vec![("AvailabilityZone", "RegionOnea"), ("SnapshotId", "snap-00000000000000000")],
        ),
    ] {
        assert_eq!(ec2.refusal("CreateVolume", &parameters).await, code);
    }
}

#[tokio::test]
async fn an_instance_starts_with_the_volumes_it_asks_for() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let instance = ec2
        .run(&[
            ("BlockDeviceMapping.1.DeviceName", "/dev/sda1"),
            ("BlockDeviceMapping.1.Ebs.VolumeSize", "1"),
            ("BlockDeviceMapping.2.DeviceName", "/dev/sdf"),
            ("BlockDeviceMapping.2.Ebs.VolumeSize", "2"),
            ("BlockDeviceMapping.3.DeviceName", "/dev/sdg"),
            ("BlockDeviceMapping.3.Ebs.VolumeSize", "1"),
            ("BlockDeviceMapping.3.Ebs.DeleteOnTermination", "false"),
            ("BlockDeviceMapping.4.DeviceName", "/dev/sdh"),
            ("BlockDeviceMapping.4.NoDevice", ""),
            ("TagSpecification.1.ResourceType", "volume"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", "made-with-it"),
        ])
        .await;
    let text = ec2.ok("DescribeVolumes", &[]).await;
    assert_eq!(every(&text, "size"), ["2", "1"]);
    assert_eq!(every(&text, "value"), ["made-with-it", "made-with-it"]);
    assert_eq!(every(&text, "instanceId"), [instance.as_str(), instance.as_str()]);
    let text = ec2.ok("CreateSnapshots", &[("InstanceSpecification.InstanceId", &instance)]).await;
    assert_eq!(every(&text, "snapshotId").len(), 2);
    ec2.ok("TerminateInstances", &[("InstanceId.1", &instance)]).await;
    let left = ec2.ok("DescribeVolumes", &[]).await;
    assert_eq!((every(&left, "size"), one(&left, "status")), (vec!["1"], "available"));

    let image = ec2.image().await;
    let mut large = vec![
        ("ImageId", image.as_str()),
        ("InstanceType", "m1.tiny"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "500"),
    ];
    assert_eq!(ec2.refusal("RunInstances", &large).await, "UnsupportedOperation");
    large.truncate(4);
    large.push(("BlockDeviceMapping.1.DeviceName", "/dev/sdf"));
    large.push(("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"));
    assert_eq!(ec2.refusal("RunInstances", &large).await, "MissingParameter");
}
