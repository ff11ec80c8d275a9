"""The first things in the cloud; run by the Python that has openstacksdk, as the cloud's administrator.

`seed.py accounts SERVICE=TYPE=URL...` is for the services, `seed.py content` for those who use them.
"""

import os
import sys
import tempfile

import openstack

cloud = openstack.connect()


def accounts(services):
    """Users and endpoints of the services."""
    identity = cloud.identity
    project = identity.create_project(name="service", domain_id="default")
    roles = [identity.find_role(name) for name in ("admin", "service")]
    for name, kind, url in services:
        user = identity.create_user(name=name, password=os.environ["OS_PASSWORD"], domain_id="default")
        for role in roles:
            identity.assign_project_role_to_user(project, user, role)
        service = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=url, region_id=os.environ["OS_REGION_NAME"]
            )


def content():
    """What a small cloud offers; the names are those of a new fake-cloud."""
    network = cloud.network
    # No server is there to answer: their addresses lead nowhere but to this machine.
    public = network.create_network(
        name="public", is_router_external=True, provider_network_type="flat", provider_physical_network="public"
    )
    network.create_subnet(
        name="public", network_id=public.id, ip_version=4, cidr="127.127.128.0/17", is_dhcp_enabled=False
    )
    private = network.create_network(name="private", is_shared=True)
    subnet = network.create_subnet(
        name="private", network_id=private.id, ip_version=4, cidr="127.127.0.0/17", is_dhcp_enabled=False
    )
    router = network.create_router(name="router", external_gateway_info={"network_id": public.id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    for name, ram, vcpus, disk in (("m1.tiny", 512, 1, 1), ("m1.small", 2048, 1, 20), ("m1.medium", 4096, 2, 40)):
        cloud.compute.create_flavor(name=name, ram=ram, vcpus=vcpus, disk=disk)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"not a disk")
        file.flush()
        cloud.create_image(
            "host", filename=file.name, disk_format="raw", container_format="bare", visibility="public", wait=True
        )


match sys.argv[1:]:
    case ["accounts", *services]:
        accounts([service.split("=", 2) for service in services])
    case ["content"]:
        content()
