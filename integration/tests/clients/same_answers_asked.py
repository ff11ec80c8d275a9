"""What `same_answers.py` asks, in this order. `<name>` stands for what a cloud calls a thing that was made before."""

import time

NEWEST = "compute 2.96"


def keep(name, *path):
    """Remembers something in the answer under a name."""

    def remember(cloud, answer):
        if answer.ok:
            value = answer.json()
            for key in path:
                value = value[key]
            cloud.known[name] = value

    return remember


def named(collection, wanted, name):
    """Remembers the id of the one with this name in a list, which may have several pages."""

    def remember(cloud, answer):
        page = answer.json()
        while name not in cloud.known:
            found = [one["id"] for one in page[collection] if one["name"] == wanted]
            if found:
                cloud.known[name] = found[0]
            else:
                page = cloud.follow(page[f"{collection}_links"])

    return remember


def until(service, path, thing, ready):
    """Waits until what was asked for has happened, in both clouds."""

    def remember(cloud, answer):
        for _ in range(600 if answer.ok else 0):
            answer = cloud.ask(service, "GET", path)
            if ready(answer.json().get(thing) if answer.status_code == 200 else None):
                return
            time.sleep(0.1)

    return remember


def both(*several):
    return lambda cloud, answer: [remember(cloud, answer) for remember in several]


def conversation():
    """Yields a title, a question and what to remember of the answer."""

    def ask(title, service, method, path, body=None, version=None, remember=None, **headers):
        question = {"service": service, "method": method, "path": path, "body": body, "version": version, **headers}
        return title, question, remember

    yield from begin(ask)
    yield from identity(ask)
    yield from images(ask)
    yield from networks(ask)
    yield from servers(ask)
    yield from volumes(ask)


def begin(ask):
    yield ask("images", "image", "GET", "/v2/images?name=host", remember=keep("image", "images", 0, "id"))
    yield ask("flavors", "compute", "GET", "/flavors", remember=named("flavors", "m1.tiny", "flavor"))
    yield ask("networks", "network", "GET", "/v2.0/networks?name=private",
              remember=keep("private", "networks", 0, "id"))  # fmt: skip
    yield ask("external networks", "network", "GET", "/v2.0/networks?router:external=True&name=public",
              remember=keep("public", "networks", 0, "id"))  # fmt: skip


def identity(ask):
    yield ask("no token", "compute", "GET", "/servers", **{"X-Auth-Token": ""})
    yield ask("a wrong token, Nova", "compute", "GET", "/servers", **{"X-Auth-Token": "wrong"})
    yield ask("a wrong token, Neutron", "network", "GET", "/v2.0/networks", **{"X-Auth-Token": "wrong"})
    yield ask("a wrong token, Glance", "image", "GET", "/v2/images", **{"X-Auth-Token": "wrong"})
    yield ask("a wrong token, Cinder", "block-storage", "GET", "/volumes", **{"X-Auth-Token": "wrong"})
    yield ask("a wrong token, Keystone", "identity", "GET", "/projects", **{"X-Auth-Token": "wrong"})
    wrong = {"name": "nobody", "password": "x", "domain": {"id": "default"}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": wrong}}}}
    yield ask("log in as nobody", "identity", "POST", "/auth/tokens", login)
    yield ask("log in without a method", "identity", "POST", "/auth/tokens", {"auth": {"identity": {}}})
    yield ask("log in with nothing", "identity", "POST", "/auth/tokens", {})
    yield ask("a project that is not there", "identity", "GET", "/projects/<nothing>")
    yield ask("all users, as a member", "identity", "GET", "/users")
    yield ask("make a project, as a member", "identity", "POST", "/projects", {"project": {"name": "p"}})
    yield ask("own projects", "identity", "GET", "/auth/projects")
    yield ask("a path that is not there, Keystone", "identity", "GET", "/nowhere")
    yield ask("the catalog", "identity", "GET", "/auth/catalog")


def images(ask):
    yield ask("an image that is not there", "image", "GET", "/v2/images/<nothing>")
    yield ask("an image", "image", "GET", "/v2/images/<image>")
    yield ask("delete another's image", "image", "DELETE", "/v2/images/<image>")
    yield ask("make an image of a wrong kind", "image", "POST", "/v2/images", {"name": "x", "disk_format": "floppy"})
    yield ask("make an image", "image", "POST", "/v2/images",
              {"name": "x", "disk_format": "raw", "container_format": "bare"},
              remember=keep("mine", "id"))  # fmt: skip
    yield ask("read an image without data", "image", "GET", "/v2/images/<mine>/file")
    yield ask("delete an image", "image", "DELETE", "/v2/images/<mine>")
    yield ask("a wrong limit, Glance", "image", "GET", "/v2/images?limit=x")
    yield ask("a path that is not there, Glance", "image", "GET", "/v2/nowhere")


def networks(ask):
    n = "network"
    yield ask("a network that is not there", n, "GET", "/v2.0/networks/<nothing>")
    yield ask("make a network", n, "POST", "/v2.0/networks", {"network": {"name": "own"}},
              remember=keep("own", "network", "id"))  # fmt: skip
    yield ask("make an external network, as a member", n, "POST", "/v2.0/networks",
              {"network": {"name": "x", "router:external": True}})  # fmt: skip
    yield ask("make a network of an unknown attribute", n, "POST", "/v2.0/networks", {"network": {"nose": 1}})
    yield ask("make a network without one", n, "POST", "/v2.0/networks", {})
    subnet = {"name": "s", "network_id": "<own>", "ip_version": 4, "cidr": "<addresses>", "enable_dhcp": False}
    yield ask("make a subnet", n, "POST", "/v2.0/subnets", {"subnet": subnet},
              remember=keep("subnet", "subnet", "id"))  # fmt: skip
    yield ask("make a subnet that overlaps", n, "POST", "/v2.0/subnets", {"subnet": subnet})
    yield ask("make a subnet of no addresses", n, "POST", "/v2.0/subnets", {"subnet": {**subnet, "cidr": "nonsense"}})
    yield ask("make a subnet of nothing", n, "POST", "/v2.0/subnets", {"subnet": {"ip_version": 4}})
    yield ask("make a port", n, "POST", "/v2.0/ports", {"port": {"network_id": "<own>", "name": "p"}},
              remember=keep("port", "port", "id"))  # fmt: skip
    yield ask("make a port nowhere", n, "POST", "/v2.0/ports", {"port": {"network_id": "<nothing>"}})
    floating = {"floating_network_id": "<public>"}
    yield ask("a floating address for a port without a way out", n, "POST", "/v2.0/floatingips",
              {"floatingip": {**floating, "port_id": "<port>"}})  # fmt: skip
    yield ask("a floating address of an inner network", n, "POST", "/v2.0/floatingips",
              {"floatingip": {"floating_network_id": "<own>"}})  # fmt: skip
    yield ask("a floating address of nothing", n, "POST", "/v2.0/floatingips", {"floatingip": {}})
    yield ask("a floating address", n, "POST", "/v2.0/floatingips", {"floatingip": floating},
              remember=keep("floating", "floatingip", "id"))  # fmt: skip
    yield ask("a floating address for a port that is not there", n, "PUT", "/v2.0/floatingips/<floating>",
              {"floatingip": {"port_id": "<nothing>"}})  # fmt: skip
    yield ask("delete a network in use", n, "DELETE", "/v2.0/networks/<own>")
    yield ask("delete a subnet in use", n, "DELETE", "/v2.0/subnets/<subnet>")
    yield ask("delete another's network", n, "DELETE", "/v2.0/networks/<private>")
    yield ask("rename another's network", n, "PUT", "/v2.0/networks/<private>", {"network": {"name": "x"}})
    yield ask("a filter that is not known", n, "GET", "/v2.0/networks?nose=1")
    yield ask("fields", n, "GET", "/v2.0/networks?fields=id&fields=name")
    yield ask("a page of networks", n, "GET", "/v2.0/networks?limit=1")
    yield ask("a wrong limit, Neutron", n, "GET", "/v2.0/networks?limit=x")
    yield ask("a path that is not there, Neutron", n, "GET", "/v2.0/nowhere")
    yield ask("make a router", n, "POST", "/v2.0/routers",
              {"router": {"name": "r", "external_gateway_info": {"network_id": "<public>"}}},
              remember=keep("router", "router", "id"))  # fmt: skip
    yield ask("connect a router", n, "PUT", "/v2.0/routers/<router>/add_router_interface", {"subnet_id": "<subnet>"})
    yield ask("connect a router again", n, "PUT", "/v2.0/routers/<router>/add_router_interface",
              {"subnet_id": "<subnet>"})  # fmt: skip
    yield ask("delete a router in use", n, "DELETE", "/v2.0/routers/<router>")
    yield ask("give the address to the port", n, "PUT", "/v2.0/floatingips/<floating>",
              {"floatingip": {"port_id": "<port>"}})  # fmt: skip
    yield ask("the port with its address", n, "GET", "/v2.0/ports/<port>")
    yield ask("disconnect a router that an address needs", n, "PUT",
              "/v2.0/routers/<router>/remove_router_interface", {"subnet_id": "<subnet>"})  # fmt: skip
    yield ask("delete a floating address", n, "DELETE", "/v2.0/floatingips/<floating>")
    yield ask("delete a floating address again", n, "DELETE", "/v2.0/floatingips/<floating>")
    yield ask("disconnect a router", n, "PUT", "/v2.0/routers/<router>/remove_router_interface",
              {"subnet_id": "<subnet>"})  # fmt: skip
    yield ask("delete a router", n, "DELETE", "/v2.0/routers/<router>")
    yield from security_groups(ask)


def security_groups(ask):
    n = "network"
    yield ask("make a group", n, "POST", "/v2.0/security-groups", {"security_group": {"name": "g"}},
              remember=keep("group", "security_group", "id"))  # fmt: skip
    yield ask("make a second default group", n, "POST", "/v2.0/security-groups", {"security_group": {"name": "default"}})
    for title, rule in {
        "all ports": {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535},
        "all ports again": {"protocol": "tcp"},
        "port 0": {"protocol": "tcp", "port_range_min": 0, "port_range_max": 0},
        "ports of no protocol": {"port_range_min": 1, "port_range_max": 2},
        "one end of a range": {"protocol": "tcp", "port_range_min": 5},
        "a range upside down": {"protocol": "tcp", "port_range_min": 5, "port_range_max": 4},
        "a port too high": {"protocol": "tcp", "port_range_min": 5, "port_range_max": 70000},
        "a protocol that is not": {"protocol": "tic"},
        "a protocol without ports": {"protocol": "esp", "port_range_min": 1, "port_range_max": 1},
        "an ICMP type too high": {"protocol": "icmp", "port_range_min": 300},
        "a block that is none": {"protocol": "tcp", "remote_ip_prefix": "nowhere"},
        "a block of IPv6": {"protocol": "tcp", "remote_ip_prefix": "::/0"},
        "a group and a block": {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "<group>"},
        "a group that is not there": {"remote_group_id": "<nothing>"},
        "its own group": {"remote_group_id": "<group>"},
    }.items():
        body = {"security_group_rule": {"security_group_id": "<group>", "direction": "ingress", **rule}}
        yield ask(f"a rule: {title}", n, "POST", "/v2.0/security-group-rules", body)
    yield ask("a rule in no direction", n, "POST", "/v2.0/security-group-rules",
              {"security_group_rule": {"security_group_id": "<group>", "direction": "up"}})  # fmt: skip
    yield ask("a rule of a group that is not there", n, "POST", "/v2.0/security-group-rules",
              {"security_group_rule": {"security_group_id": "<nothing>", "direction": "ingress"}})  # fmt: skip
    yield ask("a group with its rules", n, "GET", "/v2.0/security-groups/<group>")
    yield ask("groups", n, "GET", "/v2.0/security-groups?fields=id&fields=name", remember=named(
        "security_groups", "default", "default"))  # fmt: skip
    yield ask("delete the default group", n, "DELETE", "/v2.0/security-groups/<default>")
    yield ask("rename the default group", n, "PUT", "/v2.0/security-groups/<default>",
              {"security_group": {"name": "x"}})  # fmt: skip


def servers(ask):
    c = "compute"
    server = {"name": "vm", "imageRef": "<image>", "flavorRef": "<flavor>", "networks": [{"uuid": "<private>"}],
              "security_groups": [{"name": "g"}]}  # fmt: skip
    for title, change in {
        "without a name": {"name": None},
        "with an empty name": {"name": ""},
        "of no image": {"imageRef": "<nothing>"},
        "of an image without an id": {"imageRef": "host"},
        "of no flavor": {"flavorRef": "<nothing>"},
        "on no network": {"networks": [{"uuid": "<nothing>"}]},
        "on a network without an id": {"networks": [{"uuid": "private"}]},
        "on an external network": {"networks": [{"uuid": "<public>"}]},
        "in no group": {"security_groups": [{"name": "nosuch"}]},
        "of no key": {"key_name": "nosuch"},
        "in no zone": {"availability_zone": "nosuch"},
        "with user data that is not base64": {"user_data": "§"},
        "with too much user data": {"user_data": "QUFB" * 16400},
        "with what nobody knows": {"nose": 1},
        "in too large a number": {"min_count": 100, "max_count": 100},
        "with metadata that is no text": {"metadata": {"a": 1}},
        "with a name too long": {"metadata": {"a" * 300: "b"}},
    }.items():
        body = {key: value for key, value in {**server, **change}.items() if value is not None}
        yield ask(f"a server {title}", c, "POST", "/servers", {"server": body})
    yield ask("a server on several networks", c, "POST", "/servers",
              {"server": {key: value for key, value in server.items() if key != "networks"}})  # fmt: skip
    yield ask("a server without networks, newest", c, "POST", "/servers",
              {"server": {key: value for key, value in server.items() if key != "networks"}}, NEWEST)  # fmt: skip
    yield ask("a version too new", c, "GET", "/servers", version="compute 2.999")
    yield ask("a version that is none", c, "GET", "/servers", version="compute x")
    yield ask("a version of another service", c, "GET", "/servers", version="volume 3.0")
    active = until(c, "/servers/<server>", "server", lambda server: server["status"] == "ACTIVE")
    yield ask("a server", c, "POST", "/servers", {"server": {**server, "metadata": {"a": "b"}}},
              remember=both(keep("server", "server", "id"), active))  # fmt: skip
    yield ask("the server, oldest", c, "GET", "/servers/<server>")
    yield ask("the server, newest", c, "GET", "/servers/<server>", version=NEWEST)
    yield ask("a server that is not there", c, "GET", "/servers/<nothing>")
    yield ask("a server that has no id", c, "GET", "/servers/vm")
    yield ask("servers of a name", c, "GET", "/servers/detail?name=vm")
    yield ask("servers in no state", c, "GET", "/servers?status=nosuch")
    yield ask("servers beyond the last", c, "GET", "/servers?marker=<nothing>")
    yield ask("servers, a wrong limit", c, "GET", "/servers?limit=-1")
    yield ask("servers of all, as a member", c, "GET", "/servers?all_tenants=1")
    yield ask("the server's groups", c, "GET", "/servers/<server>/os-security-groups")
    yield ask("delete a group in use", "network", "DELETE", "/v2.0/security-groups/<group>")
    yield ask("start a server that runs", c, "POST", "/servers/<server>/action", {"os-start": None})
    yield ask("unpause a server that runs", c, "POST", "/servers/<server>/action", {"unpause": None})
    yield ask("confirm what is not resized", c, "POST", "/servers/<server>/action", {"confirmResize": None})
    yield ask("resize to the same", c, "POST", "/servers/<server>/action", {"resize": {"flavorRef": "<flavor>"}})
    yield ask("resize to nothing", c, "POST", "/servers/<server>/action", {"resize": {"flavorRef": "<nothing>"}})
    yield ask("reboot in no way", c, "POST", "/servers/<server>/action", {"reboot": {"type": "NICELY"}})
    yield ask("do nothing", c, "POST", "/servers/<server>/action", {})
    yield ask("do what nobody knows", c, "POST", "/servers/<server>/action", {"dance": None})
    yield ask("reset a state, as a member", c, "POST", "/servers/<server>/action", {"os-resetState": {"state": "error"}})
    yield ask("rename to nothing", c, "PUT", "/servers/<server>", {"server": {"name": ""}})
    yield ask("metadata that is not there", c, "GET", "/servers/<server>/metadata/x")
    yield ask("the metadata", c, "GET", "/servers/<server>/metadata")
    yield ask("the addresses", c, "GET", "/servers/<server>/ips")
    yield ask("the ports", c, "GET", "/servers/<server>/os-interface")
    yield ask("what was done", c, "GET", "/servers/<server>/os-instance-actions")
    yield ask("the console", c, "POST", "/servers/<server>/action", {"os-getConsoleOutput": {"length": 5}})
    yield ask("a key that is none", c, "POST", "/os-keypairs", {"keypair": {"name": "k", "public_key": "x"}})
    yield ask("a key", c, "POST", "/os-keypairs", {"keypair": {"name": "k"}})
    yield ask("a key again", c, "POST", "/os-keypairs", {"keypair": {"name": "k"}})
    yield ask("a key without a name", c, "POST", "/os-keypairs", {"keypair": {}})
    yield ask("a key that is not there", c, "GET", "/os-keypairs/nosuch")
    yield ask("delete a key that is not there", c, "DELETE", "/os-keypairs/nosuch")
    yield ask("a flavor that is not there", c, "GET", "/flavors/nosuch")
    yield ask("make a flavor, as a member", c, "POST", "/flavors",
              {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}})  # fmt: skip
    yield ask("hypervisors, as a member", c, "GET", "/os-hypervisors")
    yield ask("services, as a member", c, "GET", "/os-services")
    yield ask("limits", c, "GET", "/limits")
    yield ask("quotas", c, "GET", "/os-quota-sets/<project>")
    yield ask("set a quota, as a member", c, "PUT", "/os-quota-sets/<project>", {"quota_set": {"cores": 1}})
    yield ask("a path that is not there, Nova", c, "GET", "/nowhere")
    yield ask("a method that is not there, Nova", c, "PATCH", "/servers/<server>", {})


def volumes(ask):
    v, c = "block-storage", "compute"
    yield ask("a volume of no size", v, "POST", "/volumes", {"volume": {"name": "v"}})
    yield ask("a volume of size 0", v, "POST", "/volumes", {"volume": {"size": 0}})
    yield ask("a volume of size x", v, "POST", "/volumes", {"volume": {"size": "x"}})
    yield ask("a volume too large", v, "POST", "/volumes", {"volume": {"size": 100000}})
    yield ask("a volume of no type", v, "POST", "/volumes", {"volume": {"size": 1, "volume_type": "nosuch"}})
    yield ask("a volume of no snapshot", v, "POST", "/volumes", {"volume": {"size": 1, "snapshot_id": "<nothing>"}})
    yield ask("a volume of no image", v, "POST", "/volumes", {"volume": {"size": 1, "imageRef": "<nothing>"}})
    yield ask("a volume with what nobody knows", v, "POST", "/volumes", {"volume": {"size": 1, "nose": 1}})
    free = until(v, "/volumes/<volume>", "volume", lambda volume: volume["status"] == "available")
    yield ask("a volume", v, "POST", "/volumes", {"volume": {"size": 1, "name": "v", "metadata": {"a": "b"}}},
              remember=both(keep("volume", "volume", "id"), free))  # fmt: skip
    yield ask("the volume", v, "GET", "/volumes/<volume>")
    yield ask("volumes", v, "GET", "/volumes/detail?name=v")
    yield ask("a volume that is not there", v, "GET", "/volumes/<nothing>")
    yield ask("delete a volume that is not there", v, "DELETE", "/volumes/<nothing>")
    yield ask("a version too new, Cinder", v, "GET", "/volumes", version="volume 3.999")
    yield ask("volumes, a wrong limit", v, "GET", "/volumes?limit=x")
    yield ask("make it smaller", v, "POST", "/volumes/<volume>/action", {"os-extend": {"new_size": 1}})
    attach = {"volumeAttachment": {"volumeId": "<volume>"}}
    used = until(v, "/volumes/<volume>", "volume", lambda volume: volume["status"] == "in-use")
    yield ask("attach what is not there", c, "POST", "/servers/<server>/os-volume_attachments",
              {"volumeAttachment": {"volumeId": "<nothing>"}})  # fmt: skip
    yield ask("attach to a server that is not there", c, "POST", "/servers/<nothing>/os-volume_attachments", attach)
    yield ask("detach what is not attached", c, "DELETE", "/servers/<server>/os-volume_attachments/<volume>")
    yield ask("attach a volume", c, "POST", "/servers/<server>/os-volume_attachments", attach, remember=used)
    yield ask("attach a volume again", c, "POST", "/servers/<server>/os-volume_attachments", attach)
    yield ask("a volume in use", v, "GET", "/volumes/<volume>")
    yield ask("delete a volume in use", v, "DELETE", "/volumes/<volume>")
    yield ask("make a volume in use larger", v, "POST", "/volumes/<volume>/action", {"os-extend": {"new_size": 2}})
    yield ask("a snapshot of a volume in use", v, "POST", "/snapshots", {"snapshot": {"volume_id": "<volume>"}})
    yield ask("detach a volume", c, "DELETE", "/servers/<server>/os-volume_attachments/<volume>", remember=free)
    yield ask("delete a volume", v, "DELETE", "/volumes/<volume>")
    yield ask("a path that is not there, Cinder", v, "GET", "/nowhere")
    yield ask("limits of volumes", v, "GET", "/limits")
    yield ask("types of volumes", v, "GET", "/types")
    gone = until(c, "/servers/<server>", "server", lambda server: server is None)
    yield ask("delete a server", c, "DELETE", "/servers/<server>", remember=gone)
    yield ask("delete a server again", c, "DELETE", "/servers/<server>")
