//! The same cloud through its other API: boto3, as Amazon's users know it.

use integration::stack::Output;
use integration::{Stack, executable};

const SCRIPT: &str = r##"
import boto3

ec2 = boto3.client("ec2")
image = ec2.describe_images()["Images"][0]["ImageId"]
made = ec2.run_instances(
    ImageId=image, InstanceType="m1.small", MinCount=1, MaxCount=1,
    UserData="#!/bin/sh\necho greetings from user-data\n",
    TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "from-ec2"}]}],
)
instance = made["Instances"][0]["InstanceId"]
ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
address = ec2.allocate_address()
ec2.associate_address(InstanceId=instance, AllocationId=address["AllocationId"])
seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
assert seen["PublicIpAddress"] == address["PublicIp"], seen
print(instance, seen["PublicIpAddress"])
"##;

const VOLUMES: &str = r##"
import boto3

ec2 = boto3.client("ec2")
soon = {"Delay": 1}
image = ec2.describe_images()["Images"][0]["ImageId"]


def run(user_data, **volume):
    made = ec2.run_instances(
        ImageId=image, InstanceType="m1.small", MinCount=1, MaxCount=1,
        UserData="#!/bin/sh\n" + user_data,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": volume}],
    )
    instance = made["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=soon)
    output = ""
    while "user-data f" not in output:
        output = ec2.get_console_output(InstanceId=instance).get("Output", "")
    disks = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return instance, disks["BlockDeviceMappings"][0]["Ebs"]["VolumeId"], output


writer, volume, _ = run("echo kept on a volume > $SERVER_ROOT/mnt/volumes/sdf/file\n", VolumeSize=1)
snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=soon)
ec2.terminate_instances(InstanceIds=[writer])
ec2.get_waiter("instance_terminated").wait(InstanceIds=[writer], WaiterConfig=soon)
_, copy, output = run("cat $SERVER_ROOT/mnt/volumes/sdf/file\n", SnapshotId=snapshot)
volumes = [volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]]
assert copy in volumes and volume not in volumes, volumes
print(output)
"##;

#[test]
fn a_server_of_boto3_is_one_of_openstack() {
    let stack = Stack::up();
    let environment = stack.environment();
    let openstack = executable::openstack()
        .expect("the `openstack` command is needed: `integration/check` installs it");
    let python = executable::openstack_python();
    let script = stack.file("ec2.py", SCRIPT.as_bytes());
    let made = Output::of(stack.program(&python).arg(&script).envs(&environment)).ok();
    let address = made.split_whitespace().nth(1).unwrap();

    let list = ["server", "list", "-f", "json"];
    let servers = Output::of(stack.program(&openstack).args(list).envs(&environment)).ok();
    assert!(servers.contains("from-ec2") && servers.contains(address), "{servers}");

    let mut wrong = stack.program(&python);
    wrong.arg(&script).envs(&environment).env("AWS_SECRET_ACCESS_KEY", "wrong");
    let refused = Output::of(&mut wrong).failed();
    assert!(refused.contains("SignatureDoesNotMatch"), "{refused}");
}

#[test]
fn what_boto3_keeps_on_a_volume_is_read_from_its_snapshot() {
    let stack = Stack::up();
    let script = stack.file("volumes.py", VOLUMES.as_bytes());
    let python = executable::openstack_python();
    let told = Output::of(stack.program(&python).arg(&script).envs(stack.environment())).ok();
    assert!(told.contains("kept on a volume"), "{told}");
}
