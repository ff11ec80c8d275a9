//! What is set of an instance, and what that does.

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn a_protected_instance_is_not_terminated() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let id = ec2.run(&[("DisableApiTermination", "true")]).await;
    let (instance, first) = (("InstanceId", id.as_str()), ("InstanceId.1", id.as_str()));
    assert_eq!(ec2.refusal("TerminateInstances", &[first]).await, "OperationNotPermitted");
    let shown = [instance, ("Attribute", "disableApiTermination")];
    let text = ec2.ok("DescribeInstanceAttribute", &shown).await;
    assert_eq!(one(&text, "disableApiTermination"), "<value>true</value>");
    // As clients of long ago say it.
    let older = [instance, shown[1], ("Value", "false")];
    ec2.ok("ModifyInstanceAttribute", &older).await;
    ec2.ok("ModifyInstanceAttribute", &[instance, ("DisableApiStop.Value", "true")]).await;
    assert_eq!(ec2.refusal("StopInstances", &[first]).await, "OperationNotPermitted");
    ec2.ok("TerminateInstances", &[first]).await;
    let gone = ec2.refusal("ModifyInstanceAttribute", &older).await;
    assert_eq!(gone, "IncorrectInstanceState");
}

#[tokio::test]
async fn size_and_user_data_change_while_the_instance_is_stopped() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let id = ec2.run(&[("UserData", "Zmlyc3Q=")]).await;
    let instance = ("InstanceId", id.as_str());
    let larger = [instance, ("InstanceType.Value", "m1.small")];
    assert_eq!(ec2.refusal("ModifyInstanceAttribute", &larger).await, "IncorrectInstanceState");
    ec2.ok("StopInstances", &[("InstanceId.1", &id)]).await;
    ec2.ok("ModifyInstanceAttribute", &larger).await;
    let servers = stack.ada().await.get("/compute/v2.1/servers/detail").await;
    assert_eq!(servers["servers"][0]["flavor"]["original_name"], "m1.small");
    let unknown = [instance, ("InstanceType.Value", "m9.huge")];
    assert_eq!(ec2.refusal("ModifyInstanceAttribute", &unknown).await, "InvalidParameterValue");
    ec2.ok("ModifyInstanceAttribute", &[instance, ("UserData.Value", "c2Vjb25k")]).await;
    let text = ec2.ok("DescribeInstanceAttribute", &[instance, ("Attribute", "userData")]).await;
    assert_eq!(one(&text, "value"), "c2Vjb25k");
    for (attribute, shown) in [("instanceType", "m1.small"), ("rootDeviceName", "/dev/sda1")] {
        let text = ec2.ok("DescribeInstanceAttribute", &[instance, ("Attribute", attribute)]).await;
        assert_eq!(one(&text, "value"), shown);
    }
    let nothing = ec2.refusal("ModifyInstanceAttribute", &[instance]).await;
    assert_eq!(nothing, "InvalidParameterCombination");
}

#[tokio::test]
async fn groups_and_devices_of_an_instance_change() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let id = ec2
        .run(&[
            ("BlockDeviceMapping.1.DeviceName", "/dev/sdf"),
            ("BlockDeviceMapping.1.Ebs.VolumeSize", "1"),
        ])
        .await;
    let instance = ("InstanceId", id.as_str());
    let text =
        ec2.ok("CreateSecurityGroup", &[("GroupName", "web"), ("GroupDescription", "w")]).await;
    let group = one(&text, "groupId").to_owned();
    ec2.ok("ModifyInstanceAttribute", &[instance, ("GroupId.1", &group)]).await;
    let text = ec2.ok("DescribeInstanceAttribute", &[instance, ("Attribute", "groupSet")]).await;
    assert_eq!(one(&text, "groupId"), group);
    let device = |path| {
        [
            instance,
            ("BlockDeviceMapping.1.DeviceName", path),
            ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false"),
        ]
    };
    let missing = ec2.refusal("ModifyInstanceAttribute", &device("/dev/sdg")).await;
    assert_eq!(missing, "InvalidInstanceAttributeValue");
    ec2.ok("ModifyInstanceAttribute", &device("/dev/sdf")).await;
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]).await;
    assert_eq!(one(&ec2.ok("DescribeVolumes", &[]).await, "status"), "available");
}

#[tokio::test]
async fn an_instance_that_ends_is_stopped_or_terminated_as_it_was_told() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let control = stack.cloud.control();
    let state = async |id: &str| {
        let text = ec2.ok("DescribeInstances", &[("InstanceId.1", id)]).await;
        let reason = every(&text, "stateReason").first().map(|reason| one(reason, "code"));
        (one(&text, "name").to_owned(), reason.unwrap_or_default().to_owned())
    };
    let stays = ec2.run(&[]).await;
    let goes = ec2.run(&[("InstanceInitiatedShutdownBehavior", "terminate")]).await;
    let asked = [("InstanceId", goes.as_str()), ("Attribute", "instanceInitiatedShutdownBehavior")];
    let text = ec2.ok("DescribeInstanceAttribute", &asked).await;
    assert_eq!(one(&text, "value"), "terminate");
    let servers = stack.ada().await.get("/compute/v2.1/servers").await;
    for server in servers["servers"].as_array().unwrap() {
        control.kill(server["id"].as_str().unwrap()).await.unwrap();
    }
    control.settled().await;
    let itself = "Client.InstanceInitiatedShutdown".to_owned();
    assert_eq!(state(&stays).await, ("stopped".to_owned(), itself));
    assert_eq!(state(&goes).await.0, "terminated");
    ec2.ok("StartInstances", &[("InstanceId.1", &stays)]).await;
    ec2.ok("StopInstances", &[("InstanceId.1", &stays)]).await;
    let user = "Client.UserInitiatedShutdown".to_owned();
    assert_eq!(state(&stays).await, ("stopped".to_owned(), user));
    let hibernate = [("InstanceId.1", stays.as_str()), ("Hibernate", "true")];
    let code = ec2.refusal("StopInstances", &hibernate).await;
    assert_eq!(code, "UnsupportedHibernationConfiguration");
    let screen = ec2.refusal("GetConsoleScreenshot", &[("InstanceId", &stays)]).await;
    assert_eq!(screen, "UnsupportedOperation");
}

#[tokio::test]
async fn what_is_only_shown_is_kept() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let id = ec2.run(&[]).await;
    ec2.ok("MonitorInstances", &[("InstanceId.1", &id)]).await;
    let off = [("InstanceId", id.as_str()), ("SourceDestCheck.Value", "false")];
    ec2.ok("ModifyInstanceAttribute", &off).await;
    let text = ec2.ok("DescribeInstances", &[]).await;
    assert_eq!(one(&text, "monitoring"), "<state>enabled</state>");
    assert_eq!(one(&text, "sourceDestCheck"), "false");
    let text = ec2.ok("GetPasswordData", &off[..1]).await;
    assert_eq!(one(&text, "passwordData"), "");
    let text = ec2.ok("DescribeInstanceTypeOfferings", &[]).await;
    assert!(text.contains("<instanceType>m1.tiny</instanceType><locationType>region<"), "{text}");
}
