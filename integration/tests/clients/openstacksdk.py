"""A server's whole life through openstacksdk, and what of it can be seen from outside the API."""

import base64
import time
import urllib.request

import openstack

cloud = openstack.connect()
compute, network, volumes, images = cloud.compute, cloud.network, cloud.block_storage, cloud.image

PAGE = """#!/bin/sh
cd /root
echo $(hostname) $(cat /proc/sys/kernel/random/uuid) > index.html
exec python3 -m http.server 8080
"""
KEEP = "#!/bin/sh\necho kept by $(hostname) > /mnt/volumes/sdb/file\n"
READ = "#!/bin/sh\ncat /mnt/volumes/sdb/file\n"


def user_data(script):
    return base64.b64encode(script.encode()).decode()


def console(server, words):
    """The console log of a server, once the words are in it."""
    deadline = time.monotonic() + 30
    while words not in (text := compute.get_server_console_output(server)["output"]):
        assert time.monotonic() < deadline, text
    return text


def page(address):
    """What a server answers at an address, once it listens there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return urllib.request.urlopen(f"http://{address}:8080/", timeout=5).read().decode()
        except OSError as error:
            assert time.monotonic() < deadline, error


def answers(address):
    try:
        urllib.request.urlopen(f"http://{address}:8080/", timeout=5).close()
    except OSError:
        return False
    return True


def act(server, action, state, *arguments):
    getattr(compute, action)(server, *arguments)
    # The SDK believes what it last saw.
    compute.wait_for_server(compute.get_server(server), status=state, interval=0.1)


flavor = compute.find_flavor("m1.small", ignore_missing=False)
image = images.find_image("host", ignore_missing=False)

# A network of one's own, with a way out.
public = network.find_network("public", ignore_missing=False)
own = network.create_network(name="own")
subnet = network.create_subnet(
    name="own", network_id=own.id, ip_version=4, use_default_subnet_pool=True, prefix_length=28
)
router = network.create_router(name="out", external_gateway_info={"network_id": public.id})
network.add_interface_to_router(router, subnet_id=subnet.id)
group = network.create_security_group(name="web")
network.create_security_group_rule(
    security_group_id=group.id, direction="ingress", protocol="tcp",
    port_range_min=8080, port_range_max=8080,
)
key = compute.create_keypair(name="key")
assert "PRIVATE KEY" in key.private_key

web = compute.create_server(
    name="web", flavor_id=flavor.id, image_id=image.id, networks=[{"uuid": own.id}],
    key_name=key.name, security_groups=[{"name": group.name}], user_data=user_data(PAGE),
    metadata={"role": "web"},
)
web = compute.wait_for_server(web, interval=0.1)
[fixed] = [entry["addr"] for entry in web.addresses["own"]]
[port] = network.ports(device_id=web.id)
address = network.create_ip(floating_network_id=public.id, port_id=port.id).floating_ip_address
first = page(address)
assert first.startswith("web "), "the server answers where the API says that it does"
assert page(fixed) == first

# What is done to it is done.
act(web, "stop_server", "SHUTOFF")
assert not answers(address)
act(web, "start_server", "ACTIVE")
for action, state in [
    ("pause_server", "PAUSED"), ("unpause_server", "ACTIVE"),
    ("suspend_server", "SUSPENDED"), ("resume_server", "ACTIVE"),
]:
    act(web, action, state)
act(web, "resize_server", "VERIFY_RESIZE", compute.find_flavor("m1.medium").id)
act(web, "confirm_server_resize", "ACTIVE")
assert compute.get_server(web).flavor["original_name"] == "m1.medium"
act(web, "reboot_server", "ACTIVE", "HARD")
act(web, "rebuild_server", "ACTIVE", image.id)
second = page(address)
assert second.startswith("web ") and second != first, "user-data runs again on a new disk"

# What is on a volume outlives the server that wrote it.
volume = volumes.create_volume(size=1, name="kept")
volume = volumes.wait_for_status(volume, "available", interval=0.1)


def with_volume(name, script):
    made = compute.create_server(
        name=name, flavor_id=flavor.id, image_id=image.id, networks=[{"uuid": own.id}],
        user_data=user_data(script),
        block_device_mapping=[
            {"uuid": image.id, "source_type": "image", "destination_type": "local", "boot_index": 0},
            {"uuid": volume.id, "source_type": "volume", "destination_type": "volume"},
        ],
    )
    return compute.wait_for_server(made, interval=0.1)


writer = with_volume("writer", KEEP)
console(writer, "user-data f")
compute.delete_server(writer)
compute.wait_for_delete(writer, interval=0.1)
volumes.wait_for_status(volume, "available", interval=0.1)
reader = with_volume("reader", READ)
assert "kept by writer" in console(reader, "kept by"), "what one server wrote another one reads"
try:
    volumes.delete_volume(volume, ignore_missing=False)
    raise AssertionError("a volume in use was deleted")
except openstack.exceptions.BadRequestException as error:
    assert "Volume status must be available" in str(error), error

# And all of it goes.
for server in (web, reader):
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.1)
assert not answers(address) and not answers(fixed)
volumes.wait_for_status(volume, "available", interval=0.1)
volumes.delete_volume(volume)
volumes.wait_for_delete(volume, interval=0.1)
for ip in network.ips():
    network.delete_ip(ip)
network.remove_interface_from_router(router, subnet_id=subnet.id)
network.delete_router(router, ignore_missing=False)
network.delete_network(own, ignore_missing=False)
network.delete_security_group(group, ignore_missing=False)
compute.delete_keypair(key)
for left in (compute.servers(), volumes.volumes(), network.ips(), compute.keypairs()):
    assert not list(left)
print("done")
