//! The executable, as people and CI jobs call it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output};

/// The executable in an environment that says nothing of a cloud.
fn fake_cloud(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-cloud"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("FAKE_CLOUD_")) {
        command.env_remove(name);
    }
    command
        .args(words)
        .env("FAKE_CLOUD_IMAGES", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-images"));
    command
}

fn run(words: &[&str]) -> Output {
    fake_cloud(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What `export` lines say of a variable.
fn variable(exports: &str, name: &str) -> String {
    let prefix = format!("export {name}='");
    let line = exports.lines().find_map(|line| line.strip_prefix(&prefix));
    line.and_then(|rest| rest.strip_suffix('\'')).expect(exports).to_owned()
}

#[test]
fn a_command_has_a_cloud_for_as_long_as_it_runs() {
    let script = r#"echo "$OS_AUTH_URL"; echo "$FAKE_CLOUD_STATE"; "$0" env; exit 3"#;
    let it = env!("CARGO_BIN_EXE_fake-cloud");
    // Whatever cloud there is besides.
    let output = fake_cloud(&["exec", "--backend", "inert", "--", "sh", "-c", script, it])
        .env("FAKE_CLOUD_STATE", "/proc/no-place-for-a-cloud")
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "its status is passed on: {output:?}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(variable(&said, "OS_AUTH_URL"), lines[0], "the running cloud says the same");
    assert!(!Path::new(lines[1]).exists(), "nothing of a temporary cloud is left");
}

#[test]
fn a_command_that_cannot_run_is_named() {
    let output = run(&["exec", "--backend", "inert", "--", "/nonexistent/command"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: failed to run /nonexistent/command: "), "{said}");
}

#[test]
fn a_cloud_in_the_background_is_found_and_ended() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("cloud");
    let state = state.to_str().unwrap();
    let listen = ["--listen", "127.0.0.1:0", "--backend", "inert"];
    let begin = [&["start", "--state", state], &listen[..]].concat();

    let started = run(&begin);
    assert!(started.status.success(), "{started:?}");
    let said = text(&started.stdout);
    let url = variable(&said, "OS_AUTH_URL");
    let again = run(&begin);
    assert!(!again.status.success() && again.stdout.is_empty(), "{again:?}");
    assert!(text(&again.stderr).contains("is in use by another fake-cloud"), "{again:?}");

    let found = run(&["env", "--state", state]);
    assert_eq!(variable(&text(&found.stdout), "OS_AUTH_URL"), url);
    let nobody = run(&["env", "--state", state, "--user", "nobody"]);
    assert_eq!(text(&nobody.stderr), "error: there is no user of the settings 'nobody'\n");

    let stopped = run(&["stop", "--state", state]);
    assert!(stopped.status.success(), "{stopped:?}");
    let lock = File::open(directory.path().join("cloud").join(fake_cloud::LOCK)).unwrap();
    lock.try_lock().expect("when `stop` comes back the cloud is gone");
    let stopped = run(&["stop", "--state", state]);
    assert!(text(&stopped.stderr).starts_with("error: no cloud answers at http://127.0.0.1:"));
}

#[test]
fn a_cloud_in_the_background_has_a_place() {
    let output = run(&["start", "--backend", "inert"]);
    assert!(!output.status.success() && text(&output.stderr).contains("give --state DIR"));
}

#[test]
fn what_a_killed_cloud_of_several_regions_leaves_is_found_and_removed_in_all() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().canonicalize().unwrap().join("cloud");
    let words = ["--listen", "127.0.0.1:0", "--region", "east", "--region", "west"];
    let named = ["--state", state.to_str().unwrap()];
    let mut cloud = fake_cloud(&[&words[..], &named].concat())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(cloud.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("OS_AUTH_URL")), "it answers");
    let clean = |more: &[&str]| run(&[&["clean"], &named[..], more].concat());
    let refused = clean(&[]);
    assert!(text(&refused.stderr).contains("is in use by another fake-cloud"), "{refused:?}");
    cloud.kill().unwrap();
    cloud.wait().unwrap();

    // The directories in which each region has what it is removing.
    let expected = ["trash", "regions/west/trash"].map(|it| state.join(it).display().to_string());
    let listed = text(&clean(&["--dry-run"]).stdout);
    for trash in &expected {
        assert!(listed.lines().any(|line| line.contains(trash)), "{trash} in\n{listed}");
        assert!(Path::new(trash).exists());
    }
    assert_eq!(text(&clean(&[]).stdout), listed);
    assert_eq!(clean(&[]).stdout, b"");
    assert!(expected.iter().all(|trash| !Path::new(trash).exists()));
    assert!(state.join("regions/west").exists(), "what was kept stays");
}
