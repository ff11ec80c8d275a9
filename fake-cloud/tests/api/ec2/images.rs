//! Images made of instances, who may use them, and their copies.

use super::{Ec2, every, one, with_bob};
use crate::client::Stack;

/// Runs an instance with a volume and makes an image of it.
async fn image(ec2: &Ec2<'_>) -> String {
    let device = [
        ("BlockDeviceMapping.1.DeviceName", "/dev/sdf"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "3"),
    ];
    let instance = ec2.run(&device).await;
    let wanted = [
        ("InstanceId", instance.as_str()),
        ("Name", "golden"),
        ("Description", "as it was"),
        ("NoReboot", "true"),
        ("TagSpecification.1.ResourceType", "image"),
        ("TagSpecification.1.Tag.1.Key", "team"),
        ("TagSpecification.1.Tag.1.Value", "red"),
    ];
    let made = one(&ec2.ok("CreateImage", &wanted).await, "imageId").to_owned();
    assert_eq!(ec2.refusal("CreateImage", &wanted).await, "InvalidAMIName.Duplicate");
    ec2.ok("TerminateInstances", &[("InstanceId.1", &instance)]).await;
    made
}

#[tokio::test]
async fn an_image_of_an_instance_has_its_volumes_too() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let image = image(&ec2).await;
    let named = [("ImageId.1", image.as_str())];
    let text = ec2.ok("DescribeImages", &named).await;
    assert_eq!((one(&text, "imageState"), one(&text, "description")), ("available", "as it was"));
    assert_eq!(every(&text, "key"), ["team"], "what Nova notes of it is no tag");
    let snapshot = one(&text, "snapshotId");
    let unwanted = [("SnapshotId", snapshot)];
    assert_eq!(ec2.refusal("DeleteSnapshot", &unwanted).await, "InvalidSnapshot.InUse");

    let run = [("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1")];
    let made = ec2.ok("RunInstances", &run).await;
    let of_instance = [
        ("Filter.1.Name", "attachment.instance-id"),
        ("Filter.1.Value.1", one(&made, "instanceId")),
    ];
    let volumes = ec2.ok("DescribeVolumes", &of_instance).await;
    assert_eq!((one(&volumes, "snapshotId"), one(&volumes, "size")), (snapshot, "3"));
    let without = [
        run[0],
        run[1],
        run[2],
        ("BlockDeviceMapping.1.DeviceName", "/dev/sdf"),
        ("BlockDeviceMapping.1.NoDevice", ""),
    ];
    let bare = ec2.ok("RunInstances", &without).await;
    assert_eq!(one(&bare, "blockDeviceMapping"), "");

    let both = [("ImageId", image.as_str()), ("DeleteAssociatedSnapshots", "true")];
    let text = ec2.ok("DeregisterImage", &both).await;
    assert_eq!(one(&text, "returnCode"), "success");
    assert_eq!(ec2.refusal("DescribeImages", &named).await, "InvalidAMIID.NotFound");
    let own = [("ImageId", ec2.image().await)];
    let own = [(own[0].0, own[0].1.as_str())];
    assert_eq!(ec2.refusal("DeregisterImage", &own).await, "AuthFailure", "it is not hers");
}

#[tokio::test]
async fn an_image_is_used_by_whom_its_owner_lets() {
    let stack = with_bob().await;
    let (ada, bob) = (Ec2::of(&stack, "ada"), Ec2::of(&stack, "bob"));
    let image = image(&ada).await;
    let it = ("ImageId", image.as_str());
    let run = [it, ("MinCount", "1"), ("MaxCount", "1")];
    assert_eq!(bob.refusal("RunInstances", &run).await, "InvalidAMIID.NotFound");
    let identity = bob.send_to("sts", "2011-06-15", "GetCallerIdentity", &[]).await.1;
    let account = one(&identity, "Account");
    ada.ok("ModifyImageAttribute", &[it, ("LaunchPermission.Add.1.UserId", account)]).await;
    let permission = [it, ("Attribute", "launchPermission")];
    let text = ada.ok("DescribeImageAttribute", &permission).await;
    assert_eq!(every(&text, "userId"), [account]);
    assert_eq!(bob.refusal("DescribeImageAttribute", &permission).await, "AuthFailure");
    let shared = bob.ok("DescribeImages", &[("ExecutableBy.1", "self")]).await;
    assert_eq!(every(&shared, "imageId"), [image.as_str()]);
    bob.ok("RunInstances", &run).await;
    ada.ok("ResetImageAttribute", &permission).await;
    assert_eq!(bob.refusal("RunInstances", &run).await, "InvalidAMIID.NotFound");
    let everyone =
        [it, ("Attribute", "launchPermission"), ("OperationType", "add"), ("UserGroup.1", "all")];
    ada.ok("ModifyImageAttribute", &everyone).await;
    assert_eq!(one(&bob.ok("DescribeImages", &[("ImageId.1", &image)]).await, "isPublic"), "true");
    let nobody = [it, ("LaunchPermission.Add.1.UserId", "999999999999")];
    let code = ada.refusal("ModifyImageAttribute", &nobody).await;
    assert_eq!(code, "InvalidAMIAttributeItemValue");
}

#[tokio::test]
async fn a_copy_outlives_its_original() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let image = image(&ec2).await;
    let wanted = [
        ("SourceImageId", image.as_str()),
        ("SourceRegion", "RegionOne"),
        ("Name", "copy"),
        ("CopyImageTags", "true"),
    ];
    let copy = one(&ec2.ok("CopyImage", &wanted).await, "imageId").to_owned();
    let far = [wanted[0], ("SourceRegion", "moon-1"), ("Name", "other")];
    assert_eq!(ec2.refusal("CopyImage", &far).await, "UnsupportedOperation");
    ec2.ok("DeregisterImage", &[("ImageId", &image)]).await;
    let text = ec2.ok("DescribeImages", &[("Owner.1", "self")]).await;
    assert_eq!(every(&text, "imageId"), [copy.as_str()]);
    assert_eq!((one(&text, "imageState"), one(&text, "value")), ("available", "red"));
    ec2.ok("RunInstances", &[("ImageId", &copy), ("MinCount", "1"), ("MaxCount", "1")]).await;
}
