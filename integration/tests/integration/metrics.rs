//! Metrics of a service, read by Prometheus' own library.

use std::process::Command;

use integration::stack::Output;
use integration::{Stack, executable};

/// Says the media type, then a line for each family: its type, its name and how many VMs tell it.
const READ: &str = r#"
import os, ssl, urllib.request
from prometheus_client.parser import text_string_to_metric_families

url = os.environ["CPS_DIRECTOR_URL"] + "/v1/services/1/methods/get_metrics"
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["TOKEN"]})
context = ssl.create_default_context(cafile=os.environ["CPS_CA_CERTIFICATE"])
answer = urllib.request.urlopen(request, context=context)
print(answer.headers["content-type"])
for family in text_string_to_metric_families(answer.read().decode()):
    print(family.type, family.name, len(family.samples))
"#;

#[test]
fn prometheus_reads_the_metrics_of_every_vm() {
    let python = executable::schemathesis().with_file_name("python");
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let token = stack.cps(&["token", "create", "prometheus"]).ok();
    let mut command = Command::new(python);
    command.args(["-c", READ]).envs(stack.environment()).env("TOKEN", token.trim());
    let read = Output::of(&mut command).ok();
    let lines: Vec<&str> = read.lines().collect();
    assert_eq!(lines[0], "text/plain; version=0.0.4");
    assert!(lines.contains(&"gauge nutshell_memory_used_bytes 2"), "{read}");
    assert!(lines.contains(&"counter nutshell_network_sent_bytes 2"), "{read}");
}
