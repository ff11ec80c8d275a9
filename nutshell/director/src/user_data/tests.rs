use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use protocol::ids::{ApplicationId, NodeId, ServiceId};

use super::*;

const SHA256: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const CA: &str = "-----BEGIN CERTIFICATE-----\nMII$(x)`y`\n-----END CERTIFICATE-----\n";

fn boot(role: BootRole) -> BootConfig {
    BootConfig {
        installation: "home".to_owned(),
        director_url: "https://127.0.0.1:5555".to_owned(),
        ca_certificate: CA.to_owned(),
        token: "it's $HOME `secret` \\n\nNUTSHELL_BOOT".to_owned(),
        node: NodeId(9),
        cloud: "default".to_owned(),
        application: ApplicationId(1),
        role,
        memory_mib: None,
        autoscaling_minute: None,
    }
}

fn agent() -> BootConfig {
    boot(BootRole::Agent { service: ServiceId(3), service_type: "generic".to_owned() })
}

/// Runs the script in a server whose root is a directory.
fn run(script: &str, root: &Path) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("SERVER_ROOT", root)
        .output()
        .unwrap()
}

/// A program that ends the loop which would start it again, then tells its arguments to whoever
/// reads the pipe `arguments` of its server: once they are read, nothing is left running.
pub(crate) const PROGRAM: &str =
    "#!/bin/sh\nkill $PPID\necho \"$@\" > \"$SERVER_ROOT/arguments\"\n";

/// Makes the pipe.
pub(crate) fn arguments_pipe(root: &Path) -> PathBuf {
    let pipe = root.join("arguments");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

/// A server that has the executable already.
fn server() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("opt/nutshell/0123456789abcdef");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    let program = folder.join("nutshell");
    std::fs::write(&program, PROGRAM).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    root
}

#[test]
fn the_script_is_as_reviewed() {
    let expected = include_str!("agent.sh");
    assert!(
        script(&agent(), SHA256, None) == expected,
        "the user-data changed; when that is meant, copy this to src/user_data/agent.sh:\n{}",
        script(&agent(), SHA256, None)
    );
}

#[test]
fn the_boot_file_arrives_whole_whatever_is_in_it_and_is_secret() {
    let root = server();
    let arguments = arguments_pipe(root.path());
    let output = run(&script(&agent(), SHA256, None), root.path());
    assert!(output.status.success(), "{output:?}");
    let arguments = std::fs::read_to_string(arguments).unwrap();
    assert!(arguments.starts_with("agent --boot "), "{arguments}");
    let file = root.path().join("etc/nutshell/boot.json");
    let read: BootConfig = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(read.token, agent().token);
    assert_eq!(read.role, agent().role);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(std::fs::read_to_string(root.path().join("etc/nutshell/ca.pem")).unwrap(), CA);
    assert_eq!(mode(&root.path().join("etc/rc.local")), 0o755);
    let console = String::from_utf8(output.stdout).unwrap();
    assert!(console.starts_with("nutshell: the agent is starting"), "{console}");
}

#[test]
fn every_boot_starts_the_member_with_its_own_root() {
    let root = server();
    let arguments = arguments_pipe(root.path());
    let shown = root.path().display();
    let expected = format!("manager --boot {shown}/etc/nutshell/boot.json --root {shown}/\n");
    let first = run(&script(&boot(BootRole::Manager), SHA256, None), root.path());
    assert!(first.status.success(), "{first:?}");
    assert_eq!(std::fs::read_to_string(&arguments).unwrap(), expected);
    let again = run("\"$SERVER_ROOT/etc/rc.local\"", root.path());
    assert!(again.status.success(), "{again:?}");
    assert_eq!(std::fs::read_to_string(&arguments).unwrap(), expected);
    assert!(root.path().join("var/log/cpsmanager.out").exists());
}

#[test]
fn an_image_that_cannot_fetch_says_so_on_the_console() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    // Nobody listens at port 1: whichever program fetches, it fails.
    let boot = BootConfig { director_url: "https://127.0.0.1:1".to_owned(), ..agent() };
    let output = run(&script(&boot, SHA256, None), root.path());
    assert!(!output.status.success());
    let console = String::from_utf8(output.stderr).unwrap();
    assert!(console.contains("nutshell: cannot fetch https://127.0.0.1:1/download/nutshell"));
}

#[test]
fn words_of_the_shell_are_safe() {
    for text in ["plain", "it's", "$(rm)", "a b", "`x`", "\"", "\\"] {
        let print = format!("printf %s {}", quoted(text));
        let output = Command::new("sh").arg("-c").arg(print).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
    }
}

#[test]
fn a_startup_script_runs_before_the_agent_and_may_hold_anything() {
    let root = server();
    let pipe = arguments_pipe(root.path());
    let text = "#!/bin/sh\necho \"it's $((1 + 1)) @BOOT@ `echo three`\"\nls \"$0\"\nexit 3";
    let shell = script(&agent(), SHA256, Some(text));
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    let output = run(&shell, root.path());
    assert!(output.status.success(), "{output:?}");
    assert!(reader.join().unwrap().starts_with("agent "), "its failure does not keep the agent");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the startup script failed with 3"), "{told}");
    let log = std::fs::read_to_string(root.path().join("var/log/startup.log")).unwrap();
    assert!(log.starts_with("it's 2 @BOOT@ three\n"), "{log}");
}
