//! Both APIs through apache-libcloud, whose drivers are older than the APIs of today: Amazon's with
//! signatures of both versions, OpenStack's with and without nova-network's calls.

use integration::stack::Output;
use integration::{Stack, executable};

const SCRIPT: &str = r##"
import os
from urllib.parse import urlparse

from libcloud.compute.base import NodeSize
from libcloud.compute.drivers.ec2 import EC2NodeLocation, ExEC2AvailabilityZone
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider


def amazon(version):
    where = urlparse(os.environ["AWS_ENDPOINT_URL_EC2"])
    driver = get_driver(Provider.EC2)(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], region="us-east-1",
        secure=False, host=where.hostname, port=where.port, signature_version=version,
    )
    driver.path = where.path
    # libcloud knows its regions by itself, and so finds no zone of ours.
    zone = ExEC2AvailabilityZone("RegionOnea", "available", "RegionOne")
    place = {"location": EC2NodeLocation("0", "RegionOnea", "", driver, zone)}
    # A volume is in use as soon as it is on its way to a server.
    return driver, place, "private_ips", {"ex_filters": {"attachment.status": "attached"}}


def openstack(version):
    driver = get_driver(Provider.OPENSTACK)(
        os.environ["OS_USERNAME"], os.environ["OS_PASSWORD"], api_version=version,
        ex_force_auth_url=os.environ["OS_AUTH_URL"].removesuffix("/v3"),
        ex_force_auth_version="3.x_password", ex_domain_name="Default",
        ex_tenant_name=os.environ["OS_PROJECT_NAME"],
        ex_force_service_region=os.environ["OS_REGION_NAME"],
    )
    return driver, {}, "public_ips", {}


for make, version in [(amazon, "4"), (amazon, "2"), (openstack, "1.1"), (openstack, "2.2")]:
    driver, place, interface, attached = make(version)
    name = f"{make.__name__}-{version}"
    key = driver.create_key_pair(name)
    assert key.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----"), key.private_key
    # libcloud has a list of Amazon's types of its own.
    size = next((size for size in driver.list_sizes() if size.name == "m1.small"), None)
    size = size or NodeSize("m1.small", "m1.small", 2048, 20, 1, 0, driver)
    node = driver.create_node(name=name, image=driver.list_images()[0], size=size)
    [(node, addresses)] = driver.wait_until_running([node], 0.2, 60, interface)

    def wait(state, **only):
        while True:
            for volume in driver.list_volumes(**only):
                if volume.name == name and volume.state == state:
                    return volume

    driver.create_volume(1, name, **place)
    assert driver.attach_volume(node, wait("available"), "/dev/sdg")
    assert driver.detach_volume(wait("inuse", **attached))
    assert driver.destroy_volume(wait("available"))
    assert driver.destroy_node(node)
    assert driver.delete_key_pair(key)
    print(name, *addresses)
"##;

#[test]
fn libcloud_makes_servers_through_every_driver() {
    let stack = Stack::up();
    let script = stack.file("clouds.py", SCRIPT.as_bytes());
    let python = executable::openstack_python();
    let told = Output::of(stack.program(&python).arg(&script).envs(stack.environment())).ok();
    assert_eq!(told.lines().count(), 4, "{told}");
}
