//! Neutron: networks that users make, their addresses, and the routers between them.

use fake_cloud::settings::BackendKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

const NETWORKS: &str = "/network/v2.0/networks";
const SUBNETS: &str = "/network/v2.0/subnets";
const ROUTERS: &str = "/network/v2.0/routers";
const PORTS: &str = "/network/v2.0/ports";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

impl Client {
    /// Makes a thing and gives it as it was answered.
    async fn make(&self, path: &str, name: &str, wanted: Value) -> Value {
        let (status, mut answer) = self.post(path, json!({name: wanted})).await;
        assert_eq!(status, 201, "{answer}");
        answer[name].take()
    }

    async fn make_network(&self, name: &str) -> Value {
        self.make(NETWORKS, "network", json!({"name": name})).await
    }

    async fn make_subnet(&self, network: &Value, cidr: &str) -> Value {
        let wanted = json!({"network_id": network["id"], "ip_version": 4, "cidr": cidr});
        self.make(SUBNETS, "subnet", wanted).await
    }

    /// A request that must be refused: its status, and which rule it breaks.
    async fn broken(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.send(method, path, body).await;
        (status, text(&answer["NeutronError"]["type"]).to_owned())
    }
}

#[tokio::test]
async fn a_network_has_a_life_of_its_own() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let network = ada.make_network("blue").await;
    assert_eq!(
        (&network["shared"], &network["subnets"], &network["revision_number"]),
        (&json!(false), &json!([]), &json!(1))
    );
    let path = format!("{NETWORKS}/{}", text(&network["id"]));
    let change = json!({"network": {"name": "red", "description": "of mine"}});
    let (status, answer) = ada.put(&path, change.clone()).await;
    assert_eq!((status, &answer["network"]["name"]), (200, &json!("red")));
    assert_eq!(answer["network"]["revision_number"], 2);

    let old = ada.request(Method::PUT, &path).header("If-Match", "revision_number=1");
    assert_eq!(old.json(&change).send().await.unwrap().status(), 412);

    let rule = ada.broken(Method::PUT, &path, json!({"network": {"shared": true}})).await;
    assert_eq!(rule, (403, "PolicyNotAuthorized".to_owned()), "for the administrator only");
    let unknown = json!({"network": {"colour": "red"}});
    let (status, answer) = ada.put(&path, unknown).await;
    let message = &answer["NeutronError"]["message"];
    assert_eq!((status, message), (400, &json!("Unrecognized attribute(s) 'colour'")));

    let other = stack.login("admin", "secret", "admin").await;
    assert_eq!(other.get(&path).await["network"]["name"], "red", "the administrator sees all");
    assert_eq!(admin.put(&path, json!({"network": {"shared": true}})).await.0, 200);
    assert_eq!(ada.delete(&path).await, 204);
    assert_eq!(ada.status(Method::GET, &path).await, 404);

    let private = format!("{NETWORKS}/{}", ada.network("private").await);
    let rule = ada.broken(Method::PUT, &private, change).await;
    assert_eq!(rule, (403, "PolicyNotAuthorized".to_owned()), "seen, and another's");
}

#[tokio::test]
async fn a_subnet_gives_out_what_its_owner_says() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let network = ada.make_network("blue").await;
    let subnet = ada.make_subnet(&network, "10.0.0.7/24").await;
    assert_eq!(
        (&subnet["cidr"], &subnet["gateway_ip"], &subnet["allocation_pools"]),
        (
            &json!("10.0.0.0/24"),
            &json!("10.0.0.1"),
            &json!([{"start": "10.0.0.2", "end": "10.0.0.254"}])
        )
    );
    let with = |more: Value| {
        let mut subnet = json!({"network_id": network["id"], "ip_version": 4});
        subnet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"subnet": subnet})
    };
    for (wanted, rule) in [
        (json!({"cidr": "10.0.0.128/25"}), (400, "InvalidInput")),
        (json!({"cidr": "10.0.0.0"}), (400, "HTTPBadRequest")),
        (json!({"cidr": "127.0.0.0/24"}), (400, "InvalidInput")),
        (json!({"cidr": "10.1.0.0/31"}), (400, "InvalidInput")),
        (json!({"cidr": "10.1.0.0/24", "gateway_ip": "10.1.0.255"}), (400, "InvalidInput")),
        (
            json!({"cidr": "10.1.0.0/24", "allocation_pools": [
                {"start": "10.1.0.9", "end": "10.2.0.9"}
            ]}),
            (400, "OutOfBoundsAllocationPool"),
        ),
        (
            json!({"cidr": "10.1.0.0/24", "allocation_pools": [
                {"start": "10.1.0.1", "end": "10.1.0.9"}
            ]}),
            (409, "GatewayConflictWithAllocationPools"),
        ),
        (json!({"cidr": "fd00::/64", "ip_version": 6}), (400, "HTTPBadRequest")),
    ] {
        let broken = ada.broken(Method::POST, SUBNETS, with(wanted.clone())).await;
        assert_eq!((broken.0, broken.1.as_str()), rule, "{wanted}");
    }
    let small = json!({
        "cidr": "10.9.0.0/24", "gateway_ip": null, "dns_nameservers": ["10.9.0.53"],
        "allocation_pools": [{"start": "10.9.0.5", "end": "10.9.0.5"}],
        "host_routes": [{"destination": "10.8.0.0/16", "nexthop": "10.9.0.9"}],
    });
    let other = ada.make_network("green").await;
    let mut small = with(small);
    small["subnet"]["network_id"] = other["id"].clone();
    let (status, answer) = ada.post(SUBNETS, small).await;
    assert_eq!((status, &answer["subnet"]["gateway_ip"]), (201, &Value::Null), "{answer}");
    let port = json!({"port": {"network_id": other["id"]}});
    let (status, made) = ada.post(PORTS, port.clone()).await;
    assert_eq!((status, &made["port"]["fixed_ips"][0]["ip_address"]), (201, &json!("10.9.0.5")));
    let broken = ada.broken(Method::POST, PORTS, port).await;
    assert_eq!(broken, (409, "IpAddressGenerationFailure".to_owned()));

    let path = format!("{SUBNETS}/{}", text(&answer["subnet"]["id"]));
    let broken = ada.broken(Method::DELETE, &path, json!({})).await;
    assert_eq!(broken, (409, "SubnetInUse".to_owned()));
    let network = format!("{NETWORKS}/{}", text(&other["id"]));
    let broken = ada.broken(Method::DELETE, &network, json!({})).await;
    assert_eq!(broken, (409, "NetworkInUse".to_owned()));
    assert_eq!(ada.delete(&format!("{PORTS}/{}", text(&made["port"]["id"]))).await, 204);
    assert_eq!(ada.delete(&network).await, 204);
    assert_eq!(ada.status(Method::GET, &path).await, 404, "gone with its network");
}

#[tokio::test]
async fn a_subnet_without_a_block_gets_one_from_the_pool() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let mut blocks = Vec::new();
    for more in [json!({}), json!({"use_default_subnetpool": true, "prefixlen": 26})] {
        let network = ada.make_network("blue").await;
        let mut wanted = json!({"network_id": network["id"], "ip_version": 4});
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let subnet = ada.make(SUBNETS, "subnet", wanted).await;
        assert!(subnet["subnetpool_id"].is_string());
        blocks.push(text(&subnet["cidr"]).to_owned());
    }
    assert_eq!(blocks, ["10.0.0.0/24", "10.0.1.0/26"]);
    let pools = ada.get("/network/v2.0/subnetpools?is_default=True").await;
    assert_eq!(pools["subnetpools"][0]["prefixes"], json!(["10.0.0.0/8"]));
}

/// On one machine's loopback interface, an address is there once, and only of one block.
#[tokio::test]
async fn addresses_that_cannot_answer_are_refused() {
    let stack = Stack::start_with(|settings| {
        settings.backend = BackendKind::Process;
        settings.images.clear();
    })
    .await;
    let ada = stack.ada().await;
    let network = ada.make_network("blue").await;
    for (cidr, why) in [
        ("10.0.0.0/24", "every address of this cloud is from 127.0.0.0/16"),
        ("127.0.0.0/25", "without its first 256"),
        ("127.0.16.0/24", "overlaps with 127.0.16.0/20"),
        ("127.1.32.0/24", "cannot answer on this machine"),
    ] {
        let wanted = json!({"subnet": {"network_id": network["id"], "cidr": cidr}});
        let (status, answer) = ada.post(SUBNETS, wanted).await;
        let message = text(&answer["NeutronError"]["message"]);
        assert!(status == 400 && message.contains(why), "{cidr}: {message}");
    }
    ada.make_subnet(&network, "127.0.77.0/24").await;
    let wanted = json!({"network_id": network["id"]});
    let subnet = ada.make(SUBNETS, "subnet", wanted).await;
    assert_eq!(subnet["cidr"], "127.0.32.0/24");
}

#[tokio::test]
async fn a_floating_ip_needs_a_router_to_get_there() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let network = ada.make_network("blue").await;
    let subnet = ada.make_subnet(&network, "10.0.0.0/24").await;
    let wanted = json!({"networks": [{"uuid": network["id"]}]});
    let server = ada.create_server_with("vm", wanted).await;
    let port = ada.port_of(&server).await;
    let floating = ada.create_floating_ip().await;
    let floating = format!("/network/v2.0/floatingips/{}", text(&floating["id"]));
    let to_port = json!({"floatingip": {"port_id": port}});
    let (status, answer) = ada.put(&floating, to_port.clone()).await;
    let public = ada.network("public").await;
    let message = format!(
        "External network {public} is not reachable from subnet {}.  Therefore, cannot associate \
         Port {port} with a Floating IP.",
        text(&subnet["id"])
    );
    assert_eq!((status, &answer["NeutronError"]["message"]), (404, &json!(message)));

    let gateway = json!({"name": "out", "external_gateway_info": {"network_id": public}});
    let router = ada.make(ROUTERS, "router", gateway).await;
    let info = &router["external_gateway_info"];
    assert_eq!((&info["network_id"], &info["enable_snat"]), (&json!(public), &json!(true)));
    let router = format!("{ROUTERS}/{}", text(&router["id"]));
    let interface = json!({"subnet_id": subnet["id"]});
    let (status, added) =
        ada.put(&format!("{router}/add_router_interface"), interface.clone()).await;
    assert_eq!((status, &added["subnet_ids"]), (200, &json!([subnet["id"]])));
    let (status, again) =
        ada.put(&format!("{router}/add_router_interface"), interface.clone()).await;
    assert_eq!(status, 400, "{again}");
    let at = ada.get(&format!("{PORTS}/{}", text(&added["port_id"]))).await;
    assert_eq!(at["port"]["fixed_ips"][0]["ip_address"], "10.0.0.1");
    assert_eq!(at["port"]["device_owner"], "network:router_interface");

    let (status, led) = ada.put(&floating, to_port).await;
    assert_eq!((status, &led["floatingip"]["fixed_ip_address"]), (200, &json!("10.0.0.2")));
    assert!(router.ends_with(text(&led["floatingip"]["router_id"])));
    let addresses = ada.server(&server).await["addresses"]["blue"].take();
    assert_eq!(addresses[1]["OS-EXT-IPS:type"], "floating");

    let removal = format!("{router}/remove_router_interface");
    let broken = ada.broken(Method::PUT, &removal, interface.clone()).await;
    assert_eq!(broken, (409, "RouterInterfaceInUseByFloatingIP".to_owned()));
    let cut = json!({"router": {"external_gateway_info": {}}});
    let broken = ada.broken(Method::PUT, &router, cut.clone()).await;
    assert_eq!(broken, (409, "RouterExternalGatewayInUseByFloatingIp".to_owned()));
    let broken = ada.broken(Method::DELETE, &router, json!({})).await;
    assert_eq!(broken, (409, "RouterInUse".to_owned()));
    assert_eq!(ada.delete(&floating).await, 204);
    assert_eq!(ada.put(&removal, interface).await.0, 200);
    let (status, answer) = ada.put(&router, cut).await;
    assert_eq!((status, &answer["router"]["external_gateway_info"]), (200, &Value::Null));
    assert_eq!(ada.delete(&router).await, 204);
}

#[tokio::test]
async fn a_server_is_plugged_in_wherever_it_is_asked_to_be() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let network = ada.make_network("blue").await;
    ada.make_subnet(&network, "10.0.0.0/24").await;
    let (status, answer) =
        ada.post("/compute/v2.1/servers", ada.wanted("vm", json!({})).await).await;
    assert_eq!(status, 409, "which network? {answer}");

    let own = ada.make(PORTS, "port", json!({"network_id": network["id"], "name": "own"})).await;
    let private = ada.network("private").await;
    let networks = json!({"networks": [
        {"uuid": private}, {"port": own["id"]}, {"uuid": network["id"], "fixed_ip": "10.0.0.9"}
    ]});
    let server = ada.create_server_with("vm", networks).await;
    let addresses = &ada.server(&server).await["addresses"];
    let of = |network: &str| -> Vec<String> {
        let list = addresses[network].as_array().unwrap();
        list.iter().map(|address| text(&address["addr"]).to_owned()).collect()
    };
    assert_eq!(of("private"), ["127.0.16.2"]);
    assert_eq!(of("blue"), ["10.0.0.2", "10.0.0.9"]);
    let interfaces = ada.get(&format!("/compute/v2.1/servers/{server}/os-interface")).await;
    assert_eq!(interfaces["interfaceAttachments"].as_array().unwrap().len(), 3);

    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);
    let ports = ada.get(PORTS).await;
    let left = ports["ports"].as_array().unwrap();
    assert_eq!(left.len(), 1, "what the server was given for its life goes with it: {left:?}");
    assert_eq!((&left[0]["id"], &left[0]["device_id"]), (&own["id"], &json!("")));
}

#[tokio::test]
async fn everything_is_found_by_its_tags() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let blue = ada.make_network("blue").await;
    ada.make_network("green").await;
    let tags = format!("{NETWORKS}/{}/tags", text(&blue["id"]));
    assert_eq!(ada.put(&tags, json!({"tags": ["ci", "web"]})).await.0, 200);
    assert_eq!(ada.status(Method::PUT, &format!("{tags}/db")).await, 201);
    assert_eq!(ada.delete(&format!("{tags}/web")).await, 204);
    assert_eq!(ada.delete(&format!("{tags}/web")).await, 404);
    assert_eq!(ada.get(&tags).await["tags"], json!(["ci", "db"]));
    assert_eq!(ada.status(Method::GET, &format!("{tags}/db")).await, 204);
    for (query, found) in [
        ("tags=ci,db", vec!["blue"]),
        ("tags=ci,web", vec![]),
        ("tags-any=ci,web", vec!["blue"]),
        ("not-tags-any=ci&shared=False", vec!["green"]),
        ("not-tags=ci,db&shared=False", vec!["green"]),
    ] {
        let list = ada.get(&format!("{NETWORKS}?{query}")).await;
        let list = list["networks"].as_array().unwrap();
        let names: Vec<&str> = list.iter().map(|it| text(&it["name"])).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| *name != "public").collect();
        assert_eq!(names, found, "{query}");
    }
    assert_eq!(ada.delete(&tags).await, 204);
    assert_eq!(ada.get(&tags).await["tags"], json!([]));
    for collection in ["subnets", "ports", "routers", "floatingips", "security-groups"] {
        let nil = uuid::Uuid::nil();
        let path = format!("/network/v2.0/{collection}/{nil}/tags");
        let (status, answer) = ada.refusal(Method::GET, &path).await;
        assert_eq!(status, 404);
        assert_ne!(answer["NeutronError"]["type"], "HTTPNotFound", "{collection} have tags");
    }
}
