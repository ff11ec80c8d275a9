"""An account on an OpenStack, made and looked at by openstacksdk.

`account.py make NAME PASSWORD` and `account.py allow NAME SERVERS` are for the administrator that the environment names;
`account.py show` tells its user all that is in the project, as JSON; `account.py stray KEY=VALUE...` makes a server with
these tags, and a floating address for it; `account.py await-end ID` comes back when a server is gone, and
`account.py await-no-groups` when all security groups are.
"""

import json
import sys
import time

import openstack

cloud = openstack.connect()
compute, network, volumes = cloud.compute, cloud.network, cloud.block_storage


def make(name, password):
    project = cloud.identity.create_project(name=name, domain_id="default")
    user = cloud.identity.create_user(name=name, password=password, domain_id="default")
    cloud.identity.assign_project_role_to_user(project, user, cloud.identity.find_role("member"))


def allow(name, servers):
    project = cloud.identity.find_project(name, ignore_missing=False)
    cloud.set_compute_quotas(project.id, instances=int(servers))


def show():
    names = {group.id: group.name for group in network.security_groups()}
    networks = {one.id: one.name for one in network.networks()}
    ports = {port.id: port for port in network.ports()}
    shown = {
        "servers": [
            {"id": server.id, "name": server.name, "status": server.status, "tags": server.metadata,
             "flavor": server.flavor.original_name or server.flavor.name,
             "groups": sorted(group["name"] for group in server.security_groups or [])}
            for server in compute.servers()
        ],
        "ports": [
            {"server": port.device_id, "network": networks[port.network_id],
             "groups": sorted(names[group] for group in port.security_group_ids)}
            for port in ports.values()
        ],
        "addresses": [
            {"address": address.floating_ip_address, "network": networks[address.floating_network_id],
             "server": address.port_id and ports[address.port_id].device_id, "description": address.description}
            for address in network.ips()
        ],
        "volumes": [volume.name for volume in volumes.volumes()],
        "groups": {
            group.name: sorted({f"{rule['protocol']} {rule['port_range_min']}-{rule['port_range_max']}"
                                for rule in group.security_group_rules if rule["direction"] == "ingress"})
            for group in network.security_groups() if group.name != "default"
        },
    }  # fmt: skip
    print(json.dumps(shown))


def stray(*tags):
    image = cloud.image.find_image("host", ignore_missing=False).id
    flavor = compute.find_flavor("m1.tiny", ignore_missing=False).id
    private = network.find_network("private", ignore_missing=False)
    server = compute.create_server(
        name="stray", image_id=image, flavor_id=flavor, networks=[{"uuid": private.id}], metadata=dict(tag.split("=") for tag in tags)
    )
    compute.wait_for_server(server)
    port = next(network.ports(device_id=server.id))
    public = network.find_network("public", ignore_missing=False)
    network.create_ip(floating_network_id=public.id, port_id=port.id, description="; ".join(tags))
    print(server.id)


def await_end(server):
    compute.wait_for_delete(openstack.compute.v2.server.Server(id=server), interval=0.2)


def await_no_groups():
    """No OpenStack tells of changes: asks again and again."""
    deadline = time.monotonic() + 60
    while any(group.name != "default" for group in network.security_groups()):
        assert time.monotonic() < deadline, "some are left"
        time.sleep(0.2)


command, *arguments = sys.argv[1:]
commands = {"make": make, "allow": allow, "show": show, "stray": stray, "await-end": await_end,
            "await-no-groups": await_no_groups}  # fmt: skip
commands[command](*arguments)
