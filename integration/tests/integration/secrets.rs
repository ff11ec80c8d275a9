//! Secrets stay where they belong: in no log, on no command line, in no file that others may read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use integration::Stack;
use integration::stack::Output;
use serde_json::Value;

/// Files whose text has one of the secrets in it. All of an installation is more than a test without
/// optimisation reads in a moment.
fn files_with(stack: &Stack, directory: &Path, secrets: &[String]) -> Vec<String> {
    let secrets = stack.file("secrets", secrets.join("\n").as_bytes());
    let mut grep = Command::new("grep");
    grep.args([
        "--recursive",
        "--files-with-matches",
        "--text",
        "--fixed-strings",
        "--no-messages",
    ]);
    let found = Output::of(grep.args(["--file", &secrets]).arg(directory).env("LC_ALL", "C"));
    found.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn no_secret_is_logged_or_shown_to_others() {
    let stack = Stack::prepared();
    let mut up = stack.command(&["up", "--detach"]);
    up.env("NUTSHELL_LOG", "trace").env("NUTSHELL_PASSWORD", "the first password");
    let _ = Output::of(&mut up).ok();

    let _ = stack.nutshell(&["user", "add", "ada", "--password", "ada's password"]).ok();
    let made: Value =
        serde_json::from_str(&stack.nutshell(&["--format", "json", "user", "add", "bob"]).ok())
            .unwrap();
    let wrong = ["login", "-u", "ada", "-p", "a wrong password"];
    let _ = stack.cps(&wrong).failed();
    let _ = stack.cps(&["login", "-u", "ada", "-p", "ada's password"]).ok();
    let mut change = stack.command(&["cps", "user", "change-password"]);
    change.env("CPS_OLD_PASSWORD", "ada's password").env("CPS_NEW_PASSWORD", "ada's second");
    let _ = Output::of(&mut change).ok();
    let token = stack.cps(&["token", "create", "nightly"]).ok().trim().to_owned();
    let mut script = stack.command(&["cps", "service", "create", "helloworld"]);
    script.env("CPS_TOKEN", &token);
    let _ = Output::of(&mut script).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();

    let session = std::fs::read_to_string(stack.directory().join(".config/nutshell/session.json"));
    let session: Value = serde_json::from_str(&session.unwrap()).unwrap();
    let ours = std::fs::read_to_string(stack.state().join("secrets.toml")).unwrap();
    let ours = ours.lines().filter_map(|line| Some(line.split_once(" = ")?.1.trim_matches('"')));
    let mut secrets: Vec<String> = ours.map(str::to_owned).collect();
    // Half of a pair; the other half is the secret one, and it is here too.
    secrets.retain(|secret| !secret.starts_with("NUTSHELL"));
    assert!(secrets.contains(&"the first password".to_owned()), "{}", secrets.len());
    secrets.extend(["ada's password", "a wrong password", "ada's second"].map(str::to_owned));
    secrets.push(token);
    secrets.push(made["password"].as_str().unwrap().to_owned());
    secrets.push(session["token"].as_str().unwrap().to_owned());

    let logs = stack.state().join("logs");
    let text = std::fs::read_to_string(logs.join("director.log")).unwrap();
    assert!(text.contains("username=\"bob\""), "something is logged: {text}");
    assert_eq!(files_with(&stack, &logs, &secrets), Vec::<String>::new());
    for pid in stack.processes() {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "on a command line: {line}");
    }
    let known = files_with(&stack, &stack.state(), &secrets);
    assert!(known.iter().any(|path| path.ends_with("/secrets.toml")), "{known:?}");
    for path in known {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path} is {mode:o}");
    }
}
