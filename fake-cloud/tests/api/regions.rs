//! Several regions in one cloud.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fake_cloud::clock::{Clock, ManualClock};
use fake_cloud::control::{Effect, NewFault};
use fake_cloud::settings::{FlavorSettings, Listen};
use fake_cloud::{FakeCloud, Settings, StartError, snapshot};
use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use crate::client::{Client, Stack, http, settings};
use crate::ec2::{Ec2, every, one};

const SERVERS: &str = "/compute/v2.1/servers";

/// Adds the region `west`, which has a price and a flavor of its own.
fn add_west(settings: &mut Settings) {
    let mut west = settings.region_beside("west", None);
    west.flavors.truncate(1);
    west.flavors[0].price_per_hour = 0.5;
    west.flavors.push(FlavorSettings {
        name: "w1.huge".to_owned(),
        vcpus: 64,
        ram_mib: 65_536,
        disk_gib: 1,
        price_per_hour: 2.0,
    });
    settings.regions.push(west);
}

async fn stack() -> Stack {
    Stack::start_with(add_west).await
}

/// A caller at the address of `west`.
fn in_west(stack: &Stack, client: &Client) -> Client {
    client.at(stack.cloud.region("west").unwrap().api_url())
}

async fn names(client: &Client, path: &str, collection: &str) -> Vec<String> {
    let list = client.get(path).await;
    let items = list[collection].as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_catalogue_tells_where_each_region_is() {
    let stack = stack().await;
    let ada = stack.ada().await;
    let catalog = ada.get("/v3/auth/catalog").await;
    let public = |kind: &str| -> BTreeMap<String, String> {
        let services = catalog["catalog"].as_array().unwrap().iter();
        let endpoints = services.filter(|service| service["type"] == kind);
        let endpoints = endpoints.flat_map(|service| service["endpoints"].as_array().unwrap());
        let public = endpoints.filter(|endpoint| endpoint["interface"] == "public");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        public.map(|endpoint| (text(&endpoint["region"]), text(&endpoint["url"]))).collect()
    };
    let (home, west) = (stack.cloud.api_url(), stack.cloud.region("west").unwrap());
    let at = |home: String, west: String| {
        BTreeMap::from([("RegionOne".to_owned(), home), ("west".to_owned(), west)])
    };
    let nova = |url: &str| format!("{url}/compute/v2.1");
    assert_eq!(public("compute"), at(nova(home), nova(west.api_url())));
    let keystone = format!("{home}/v3");
    assert_eq!(public("identity"), at(keystone.clone(), keystone));

    let regions = ada.get("/v3/regions").await;
    let ids: Vec<_> = regions["regions"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["RegionOne", "west"]);
    assert_eq!(ada.get("/v3/regions/west").await["region"]["id"], "west");
    assert_eq!(ada.status(Method::GET, "/v3/regions/east").await, 404);
    let admin = stack.admin().await;
    let there = admin.get("/v3/endpoints?region_id=west&interface=public").await;
    let endpoints = there["endpoints"].as_array().unwrap();
    assert!(endpoints.iter().all(|endpoint| endpoint["region"] == "west"));
    assert_eq!(endpoints.len(), catalog["catalog"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_region_has_servers_flavors_and_prices_of_its_own_and_everyones_tokens() {
    let stack = stack().await;
    let ada = stack.ada().await;
    let there = in_west(&stack, &ada);
    assert_eq!(names(&there, "/compute/v2.1/flavors", "flavors").await, ["m1.tiny", "w1.huge"]);
    for (client, price) in [(&ada, "0.01"), (&there, "0.5")] {
        let flavors = client.get("/compute/v2.1/flavors/detail").await;
        assert_eq!(flavors["flavors"][0]["extra_specs"]["price:per_hour"], price);
    }

    let huge = json!({"flavorRef": there.flavor("w1.huge").await});
    let server = there.create_server_with("over-there", huge).await;
    let shown = there.server(&server).await;
    assert_eq!(shown["status"], "ACTIVE");
    assert_eq!(shown["addresses"]["private"][0]["addr"], "127.1.16.2");
    assert_eq!(ada.status(Method::GET, &format!("{SERVERS}/{server}")).await, 404);
    assert_eq!(names(&ada, SERVERS, "servers").await, [""; 0]);
    let key = json!({"keypair": {"name": "here"}});
    let mut older = ada.clone();
    older.microversion = "2.1";
    assert_eq!(older.post("/compute/v2.1/os-keypairs", key).await.0, 200);
    assert_eq!(there.status(Method::GET, "/compute/v2.1/os-keypairs/here").await, 404);

    // Keystone answers at every region's address, and is one.
    let subject = there.request(Method::DELETE, "/v3/auth/tokens");
    let subject = subject.header("X-Subject-Token", &ada.token);
    assert_eq!(subject.send().await.unwrap().status(), 204);
    for client in [&ada, &there] {
        assert_eq!(client.status(Method::GET, SERVERS).await, 401);
    }
}

#[tokio::test]
async fn a_project_finds_its_default_group_and_quotas_in_every_region() {
    let stack = stack().await;
    let admin = stack.admin().await;
    let project = json!({"project": {"name": "late"}});
    let (_, project) = admin.post("/v3/projects", project).await;
    let project = project["project"]["id"].as_str().unwrap();
    let users = admin.get("/v3/users?name=ada").await;
    let ada = users["users"][0]["id"].as_str().unwrap();
    let roles = admin.get("/v3/roles?name=member").await;
    let role = roles["roles"][0]["id"].as_str().unwrap();
    let grant = format!("/v3/projects/{project}/users/{ada}/roles/{role}");
    assert_eq!(admin.status(Method::PUT, &grant).await, 204);

    let quotas = format!("/compute/v2.1/os-quota-sets/{project}");
    let none = json!({"quota_set": {"instances": 0}});
    assert_eq!(in_west(&stack, &admin).put(&quotas, none).await.0, 200);
    let late = stack.login("ada", "lovelace", "late").await;
    let there = in_west(&stack, &late);
    for client in [&late, &there] {
        let groups = names(client, "/network/v2.0/security-groups", "security_groups").await;
        assert_eq!(groups, ["default"]);
    }
    let wanted = there.wanted("too-many", json!({})).await;
    assert_eq!(there.post(SERVERS, wanted).await.0, 403);
    late.create_server("fine").await;
}

#[tokio::test]
async fn ec2_goes_to_the_region_that_a_request_is_signed_for() {
    let stack = stack().await;
    let west = stack.cloud.region("west").unwrap();
    let mut ec2 = Ec2::of(&stack, "ada");
    let regions = ec2.ok("DescribeRegions", &[]).await;
    assert_eq!(every(&regions, "regionName"), ["RegionOne", "west"]);
    assert_eq!(every(&regions, "regionEndpoint"), [stack.cloud.api_url(), west.api_url()]);
    let refused = ec2.refusal("DescribeRegions", &[("RegionName.1", "east")]).await;
    assert_eq!(refused, "InvalidParameterValue");

    ec2.region = "west";
    let instance = ec2.run(&[]).await;
    let seen = ec2.ok("DescribeInstances", &[]).await;
    assert_eq!((one(&seen, "instanceId"), one(&seen, "availabilityZone")), (&*instance, "westa"));
    for (url, region, count) in [
        (stack.cloud.ec2_url(), "RegionOne", 0),
        (stack.cloud.ec2_url(), "us-east-1", 0),
        (west.ec2_url(), "us-east-1", 1),
        (west.ec2_url(), "west", 1),
        (west.ec2_url(), "RegionOne", 0),
    ] {
        (ec2.url, ec2.region) = (url, region);
        let seen = ec2.ok("DescribeInstances", &[]).await;
        assert_eq!(every(&seen, "instanceId").len(), count, "{} {region}", ec2.url);
    }
    let credentials = west.credentials("ada").unwrap();
    let variables: BTreeMap<_, _> = credentials.environment().into_iter().collect();
    assert_eq!((variables["OS_REGION_NAME"], variables["AWS_DEFAULT_REGION"]), ("west", "west"));
    assert_eq!(variables["AWS_ENDPOINT_URL_EC2"], west.ec2_url());
    assert_eq!(variables["OS_AUTH_URL"], stack.cloud.auth_url());
}

/// A clock that tells who waits for which time.
#[derive(Debug)]
struct Observed(ManualClock, mpsc::UnboundedSender<OffsetDateTime>);

impl Clock for Observed {
    fn now(&self) -> OffsetDateTime {
        self.0.now()
    }

    fn until(&self, when: OffsetDateTime) -> BoxFuture<'_, ()> {
        self.1.send(when).unwrap();
        self.0.until(when)
    }

    fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

#[tokio::test]
async fn the_way_to_a_region_takes_time_by_the_clock() {
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let clock = Arc::new(Observed(ManualClock::new(OffsetDateTime::now_utc()), waits));
    let stack = Stack::start_with(|settings| {
        settings.clock = Arc::clone(&clock) as _;
        add_west(settings);
        settings.regions[0].latency = Duration::from_secs(2);
    })
    .await;
    let ada = stack.ada().await;
    ada.get(SERVERS).await;
    let there = in_west(&stack, &ada);
    let answer = tokio::spawn(async move { there.get(SERVERS).await });
    let due = waiting.recv().await.unwrap();
    assert_eq!(due - clock.now(), Duration::from_secs(2));
    assert!(!answer.is_finished());
    clock.advance(Duration::from_secs(2));
    answer.await.unwrap();

    let mut ec2 = Ec2::of(&stack, "ada");
    ec2.region = "west";
    tokio::join!(ec2.ok("DescribeInstances", &[]), async {
        waiting.recv().await.unwrap();
        clock.advance(Duration::from_secs(2));
    });
    let access = stack.cloud.control_access();
    let ask = |method, path: &str, body: Value| {
        let request = http().request(method, format!("{}{path}", access.url));
        request.bearer_auth(&access.token).json(&body).send()
    };
    let faster = json!({"seconds": 0});
    let nearer = ask(Method::PUT, "/latency?region=west", faster.clone()).await.unwrap();
    assert_eq!(nearer.status(), 200);
    in_west(&stack, &ada).get(SERVERS).await;
    assert!(waiting.try_recv().is_err(), "nobody has waited");
    assert_eq!(ask(Method::PUT, "/latency?region=east", faster).await.unwrap().status(), 404);
    let wrong = json!({"seconds": -1});
    assert_eq!(ask(Method::PUT, "/latency", wrong).await.unwrap().status(), 400);
    let overview = ask(Method::GET, "?region=west", Value::Null).await.unwrap();
    let overview: Value = overview.json().await.unwrap();
    assert_eq!((&overview["region"], &overview["latency"]), (&json!("west"), &json!(0.0)));
}

#[tokio::test]
async fn what_goes_wrong_in_a_region_goes_wrong_there_only() {
    let stack = stack().await;
    let ada = stack.ada().await;
    let control = stack.cloud.region("west").unwrap().control();
    control.inject(NewFault::new("compute:*", Effect::error(503))).unwrap();
    assert_eq!(in_west(&stack, &ada).status(Method::GET, SERVERS).await, 503);
    assert_eq!(ada.status(Method::GET, SERVERS).await, 200);
    assert!(stack.cloud.control().overview().faults.is_empty());
    let (before, hour) = (control.overview().now, Duration::from_secs(3600));
    stack.cloud.control().advance_clock(hour);
    assert_eq!(control.overview().now - before, hour, "there is one time");
}

#[tokio::test]
async fn regions_come_back_with_their_cloud_and_wait_while_it_runs_without_them() {
    let stack = stack().await;
    let ada = stack.ada().await;
    let server = in_west(&stack, &ada).create_server("kept").await;
    assert!(stack.dir.path().join("regions/west/fake-cloud.db").exists());

    let stack = stack.restart().await;
    assert!(stack.cloud.region("west").is_none());
    let Stack { cloud, clock, dir, .. } = stack;
    cloud.shutdown().await;
    let mut again = settings(dir.path(), &clock);
    add_west(&mut again);
    let stack = Stack::of(FakeCloud::start(again).await.unwrap(), clock, dir);
    let there = in_west(&stack, &stack.with_token(&ada.token));
    assert_eq!(there.server(&server).await["status"], "ACTIVE");
}

#[tokio::test]
async fn all_regions_are_in_the_file_of_a_cloud() {
    let stack = stack().await;
    let ada = stack.ada().await;
    let here = ada.create_server("here").await;
    let there = in_west(&stack, &ada).create_server("there").await;
    let file = stack.dir.path().join("cloud.tar.gz");
    stack.cloud.control().snapshot(&file).await.unwrap();

    let state = stack.dir.path().join("fork");
    snapshot::restore(&file, &state).await.unwrap();
    let private = settings(&state, &stack.clock);
    let listen = Listen::Address("127.41.0.1:0".parse().unwrap());
    let mut forked = Settings {
        users: private.users,
        patience: private.patience,
        clock: private.clock,
        ..Settings::loopback(state, listen, "secret")
    };
    add_west(&mut forked);
    let cloud = FakeCloud::start(forked).await.unwrap();
    let fork = Stack::of(cloud, stack.clock.clone(), tempfile::tempdir().unwrap());
    let ada = fork.ada().await;
    for (client, server, address) in
        [(in_west(&fork, &ada), there, "127.42.16.2"), (ada, here, "127.41.16.2")]
    {
        let server = client.server(&server).await;
        assert_eq!(server["status"], "ACTIVE");
        assert_eq!(server["addresses"]["private"][0]["addr"], address);
    }
}

#[tokio::test]
async fn a_builder_makes_regions_that_are_as_private_as_their_cloud() {
    let cloud = FakeCloud::builder().region("west", |west| west.quotas.instances = 2);
    let cloud = cloud.region("east", |_| {}).start().await.unwrap();
    let names: Vec<String> = cloud.regions().map(|region| region.name().to_owned()).collect();
    assert_eq!(names, ["RegionOne", "west", "east"]);
    let addresses: std::collections::BTreeSet<_> =
        cloud.regions().map(|region| region.address().ip()).collect();
    assert_eq!(addresses.len(), 3);
    let state = cloud.state_dir().to_owned();
    cloud.shutdown().await;
    assert!(!state.exists());

    let twins = FakeCloud::builder().region("west", |_| {}).region("west", |_| {});
    let refused = twins.start().await.unwrap_err();
    assert!(matches!(refused, StartError::Region(_)), "{refused}");
}
