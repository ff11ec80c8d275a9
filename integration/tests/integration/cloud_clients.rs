//! Other people's programs on fake-cloud alone, each with a cloud of its own for as long as it runs:
//! scripts that lead a server through its whole life and look at it from outside the API.

use std::path::Path;
use std::process::Command;

use integration::executable;
use integration::stack::Output;

/// Runs a script of `tests/clients` with a cloud whose servers are processes.
fn with_a_cloud(interpreter: &Path, script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(executable::built("fake-cloud"));
    command.args(["exec", "--"]).arg(interpreter).arg(script);
    let clients = executable::openstack_python();
    let clients = clients.parent().expect("a program is in a directory").as_os_str();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [clients, &path].join(std::ffi::OsStr::new(":"));
    let images = tempfile::tempdir().unwrap();
    command.env("PATH", path).env("FAKE_CLOUD_IMAGES", images.path());
    command.env_remove("FAKE_CLOUD_STATE");
    assert!(Output::of(&mut command).ok().ends_with("done\n"));
}

#[test]
fn a_server_lives_through_the_openstack_command() {
    with_a_cloud(Path::new("sh"), "openstack.sh");
}

#[test]
fn a_server_lives_through_openstacksdk() {
    with_a_cloud(&executable::openstack_python(), "openstacksdk.py");
}

#[test]
fn a_vpc_lives_through_boto3() {
    with_a_cloud(&executable::openstack_python(), "boto3_vpc.py");
}
