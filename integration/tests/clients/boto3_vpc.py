"""A VPC and what is in it through boto3: a launch template's instance answers at its public address,
an image of another keeps what was on its disk, and everything goes in order."""

import io
import os
import subprocess
import tarfile
import time
import urllib.request
from base64 import b64encode
from urllib.parse import urlparse

import boto3
import openstack
from botocore.exceptions import ClientError

ec2, sts = boto3.client("ec2"), boto3.client("sts")
soon = {"Delay": 1, "MaxAttempts": 60}
# Every address of a cloud begins with the numbers of its API's.
first = ".".join(urlparse(os.environ["AWS_ENDPOINT_URL_EC2"]).hostname.split(".")[:2])

PAGE = "#!/bin/sh\ncd /root\nhostname > index.html\nexec python3 -u -m http.server 8080\n"
KEEP = "#!/bin/sh\necho kept on the disk > /kept\n"
READ = "#!/bin/sh\ncat /kept\n"


def wait(waiter, **what):
    ec2.get_waiter(waiter).wait(WaiterConfig=soon, **what)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"not refused: {code}")


def instance(identity):
    found = ec2.describe_instances(InstanceIds=[identity])
    return found["Reservations"][0]["Instances"][0]


def console(identity, words):
    deadline = time.monotonic() + 30
    while words not in (text := ec2.get_console_output(InstanceId=identity).get("Output", "")):
        assert time.monotonic() < deadline, text


def small_image():
    """The smallest root file system that runs a script: the machine's shell and its libraries."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        files = {"/bin/sh", "/bin/cat"}
        for program in tuple(files):
            told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
            files |= {word for word in told.split() if word.startswith("/")}
        for path in files:
            tar.add(os.path.realpath(path), path)
    cloud = openstack.connect()
    made = cloud.image.create_image(
        "small", container_format="docker", disk_format="raw", data=archive.getvalue())
    assert cloud.image.get_image(made).status == "active"
    return ec2.describe_images(Filters=[{"Name": "name", "Values": ["small"]}])["Images"][0]["ImageId"]


account = sts.get_caller_identity()["Account"]
vpc = ec2.create_vpc(CidrBlock=f"{first}.64.0/20")["Vpc"]
assert vpc["OwnerId"] == account, vpc
vpc = vpc["VpcId"]
refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/16")
wait("vpc_available", VpcIds=[vpc])
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{first}.64.0/24")["Subnet"]["SubnetId"]
wait("subnet_available", SubnetIds=[subnet])
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
http = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[http])

host = ec2.describe_images(Filters=[{"Name": "name", "Values": ["host"]}])["Images"][0]["ImageId"]
ec2.create_launch_template(
    LaunchTemplateName="web",
    LaunchTemplateData={
        "ImageId": host,
        "InstanceType": "m1.tiny",
        "UserData": b64encode(PAGE.encode()).decode(),
        "NetworkInterfaces": [{
            "DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True,
        }],
    },
)
template = {"LaunchTemplateName": "web", "Version": "$Latest"}
web = ec2.run_instances(LaunchTemplate=template, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
wait("instance_status_ok", InstanceIds=[web])
public = instance(web)["PublicIpAddress"]
console(web, "Serving HTTP")
with urllib.request.urlopen(f"http://{public}:8080/", timeout=10) as page:
    print(public, page.read().decode().strip())
refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)

small = small_image()


def run(image, script):
    made = ec2.run_instances(
        ImageId=image, InstanceType="m1.tiny", SubnetId=subnet, UserData=script, MinCount=1, MaxCount=1)
    identity = made["Instances"][0]["InstanceId"]
    wait("instance_running", InstanceIds=[identity])
    return identity


writer = run(small, KEEP)
console(writer, "user-data f")
image = ec2.create_image(InstanceId=writer, Name="golden")["ImageId"]
wait("image_available", ImageIds=[image])
reader = run(image, READ)
console(reader, "kept on the disk")

everything = [web, writer, reader]
ec2.terminate_instances(InstanceIds=everything)
wait("instance_terminated", InstanceIds=everything)
ec2.deregister_image(ImageId=image)
ec2.disassociate_route_table(AssociationId=association)
ec2.delete_route_table(RouteTableId=table)
ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
ec2.delete_internet_gateway(InternetGatewayId=gateway)
ec2.delete_security_group(GroupId=group)
ec2.delete_subnet(SubnetId=subnet)
ec2.delete_vpc(VpcId=vpc)
print("done")
