//! Two regions of one fake-cloud as their users meet them: an option of the `openstack` command, a
//! word of clouds.yaml, an argument of boto3.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use integration::stack::Output;
use integration::{Stack, executable};

const REGIONS: &[u8] = br#"
[[region]]
name = "east"

[[region]]
name = "west"
latency = 0.3
flavors = [{ name = "w1", vcpus = 1, ram_mib = 64, disk_gib = 1, price_per_hour = 0.5 }]
"#;

const SCRIPT: &[u8] = br#"
import boto3
import openstack

east, west = (boto3.client("ec2", region_name=name) for name in ["east", "west"])
regions = {region["RegionName"]: region["Endpoint"] for region in east.describe_regions()["Regions"]}
assert list(regions) == ["east", "west"], regions
image = west.describe_images()["Images"][0]["ImageId"]
west.run_instances(ImageId=image, InstanceType="w1", MinCount=1, MaxCount=1)
assert east.describe_instances()["Reservations"] == []
there = boto3.client("ec2", region_name="west", endpoint_url=regions["west"])
reservations = there.describe_instances()["Reservations"]
places = [reservation["Instances"][0]["Placement"] for reservation in reservations]
assert [place["AvailabilityZone"] for place in places] == ["westa", "westa"], places
zones = west.describe_availability_zones()["AvailabilityZones"]
assert [zone["RegionName"] for zone in zones] == ["west"], zones

connection = openstack.connect(cloud="mine")
assert connection.config.region_name == "west"
assert [flavor.name for flavor in connection.compute.flavors()] == ["w1"]
names = sorted(server.name for server in connection.compute.servers())
assert "from-the-command" in names and len(names) == 2, names
print("fine")
"#;

/// A fake-cloud in the foreground; it ends when this is dropped.
struct Cloud {
    child: Child,
    /// What it told its users to export.
    environment: BTreeMap<String, String>,
}

impl Cloud {
    fn start(stack: &Stack) -> Self {
        let mut command = stack.program(executable::built("fake-cloud"));
        command.args(["--state", "cloud", "--listen", "127.0.0.1:0", "--backend", "inert"]);
        command.args(["--regions", &stack.file("regions.toml", REGIONS)]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut environment = BTreeMap::new();
        for line in lines.map_while(Result::ok) {
            if let Some((name, value)) =
                line.strip_prefix("export ").and_then(|line| line.split_once('='))
            {
                environment.insert(name.to_owned(), value.trim_matches('\'').to_owned());
                if name == "FAKE_CLOUD_STATE" {
                    break;
                }
            }
        }
        Self { child, environment }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn clients_choose_a_region_as_they_are_used_to() {
    let stack = Stack::prepared();
    let cloud = Cloud::start(&stack);
    let openstack = executable::openstack()
        .expect("the `openstack` command is needed: `integration/check` installs it");
    let command = |line: &str| {
        let mut command = stack.program(&openstack);
        command.args(line.split_whitespace()).envs(&cloud.environment);
        command
    };
    let run = |line: &str| Output::of(&mut command(line)).ok();
    let in_west = |line: &str| Output::of(command(line).env("OS_REGION_NAME", "west")).ok();
    assert_eq!(run("region list -f value -c Region"), "east\nwest\n");
    assert_eq!(in_west("flavor list -f value -c Name"), "w1\n");
    let create = "server create --image host --flavor w1 --network private --wait from-the-command";
    assert!(in_west(&format!("{create} -f value -c status")).contains("ACTIVE"));
    assert_eq!(run("server list -f value -c Name"), "");
    assert!(in_west("project list -f value -c Name").contains("admin"));
    // The option is not for who has the variable too.
    let mut option = command("--os-region-name west server list -f value -c Name");
    assert_eq!(Output::of(option.env_remove("OS_REGION_NAME")).ok(), "from-the-command\n");

    let told = |name: &str| &cloud.environment[name];
    let clouds = format!(
        "clouds:\n  mine:\n    region_name: west\n    auth:\n      auth_url: {}\n      username: {}\n      \
         password: {}\n      project_name: {}\n      user_domain_name: Default\n      \
         project_domain_name: Default\n",
        told("OS_AUTH_URL"),
        told("OS_USERNAME"),
        told("OS_PASSWORD"),
        told("OS_PROJECT_NAME"),
    );
    let _ = stack.file("clouds.yaml", clouds.as_bytes());
    let mut python = stack.program(executable::openstack_python());
    python.arg(stack.file("regions.py", SCRIPT));
    let amazon = cloud.environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
    assert_eq!(Output::of(python.envs(amazon)).ok(), "fine\n");

    let mut steer = stack.program(executable::built("fake-cloud"));
    steer.args(["time", "latency", "0", "--region", "west", "--state", "cloud"]);
    assert!(Output::of(&mut steer).ok().contains("\"seconds\": 0.0"));
}
