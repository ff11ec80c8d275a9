//! Every mistake of a user: one clear line, a non-zero exit, and nothing lost.

use std::net::TcpListener;

use integration::Stack;
use integration::archive::tar_gz;

use crate::story::nodes;

/// The first line is the error, the second the hint, and there is no more.
fn one_line(stderr: &str) -> &str {
    let lines: Vec<&str> = stderr.trim().lines().collect();
    assert!(lines.len() <= 2, "{stderr}");
    assert!(lines.iter().skip(1).all(|line| line.starts_with("hint: ")), "{stderr}");
    lines[0]
}

#[test]
fn mistakes_without_a_running_director() {
    let stack = Stack::prepared();
    let refused = stack.cps(&["service", "list"]).failed();
    assert!(refused.contains("nutshell up"), "{refused}");
    let down = stack.nutshell(&["down"]);
    assert!(down.code == Some(0) && down.stderr.contains("Nothing runs"), "{down:?}");
    std::fs::create_dir_all(stack.state()).unwrap();
    std::fs::write(stack.state().join("nutshell.toml"), "version = 999\n").unwrap();
    let newer = stack.nutshell(&["up", "--detach"]).failed();
    assert!(newer.contains("newer version"), "{newer}");
    let kept = std::fs::read_to_string(stack.state().join("nutshell.toml")).unwrap();
    assert_eq!(kept, "version = 999\n", "nothing was touched");
}

#[test]
fn a_second_up_names_the_first() {
    let stack = Stack::up();
    let refused = stack.nutshell(&["up", "--detach"]).failed();
    assert!(refused.contains(&stack.pid().to_string()), "{refused}");
}

#[test]
fn a_port_in_use_names_its_holder() {
    let stack = Stack::up();
    let url = stack.environment()["CPS_DIRECTOR_URL"].clone();
    let _ = stack.nutshell(&["down"]).ok();
    let holder = TcpListener::bind(url.trim_start_matches("https://")).unwrap();
    let refused = stack.nutshell(&["up", "--detach"]).failed();
    assert!(refused.contains("in use"), "{refused}");
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    drop(holder);
    let _ = stack.nutshell(&["up", "--detach"]).ok();
}

#[test]
fn mistakes_in_names_and_archives() {
    let stack = Stack::up();
    let wrong = stack.cps(&["login", "-u", "test", "-p", "wrong"]).failed();
    assert!(one_line(&wrong).contains("wrong user name or password"), "{wrong}");
    let unknown = stack.cps(&["service", "create", "cobol"]).failed();
    assert!(one_line(&unknown).contains("cobol"), "{unknown}");
    let unknown = stack.cps(&["service", "start", "99"]).failed();
    assert!(one_line(&unknown).contains("99"), "{unknown}");

    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let early = stack.cps(&["generic", "add-nodes", "1", "1"]).failed();
    assert!(one_line(&early).contains("INIT"), "{early}");
    let truncated = tar_gz(&[("run.sh", "echo hello, this is long enough to be cut")]);
    for (name, content, word) in [
        ("text.tar.gz", b"this is no archive".to_vec(), "not a"),
        ("empty.tar.gz", tar_gz(&[]), "empty"),
        ("nothing.tar.gz", Vec::new(), "empty"),
        ("cut.tar.gz", truncated[..truncated.len() - 12].to_vec(), "damaged"),
        ("outside.tar.gz", tar_gz(&[("../../etc/passwd", "x")]), "../../etc/passwd"),
        ("absolute.tar.gz", tar_gz(&[("/etc/passwd", "x")]), "/etc/passwd"),
    ] {
        let path = stack.file(name, &content);
        let refused = stack.cps(&["generic", "upload-code", "1", &path]).failed();
        assert!(one_line(&refused).contains(word), "{name}: {refused}");
    }
    let missing = stack.cps(&["generic", "upload-code", "1", "no-such-file"]).failed();
    assert!(one_line(&missing).contains("no-such-file"), "{missing}");
    let uploads = stack.cps(&["generic", "list-uploads", "1"]).ok();
    assert_eq!(uploads.matches("code-").count(), uploads.matches("code-default").count());
    let unknown = stack.cps(&["generic", "enable-code", "1", "code-nosuch"]).failed();
    assert!(one_line(&unknown).contains("code-nosuch"), "{unknown}");
}

#[test]
fn a_failing_script_shows_its_return_code() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let archive = stack.file("app.tar.gz", &tar_gz(&[("run.sh", "exit 7\n")]));
    stack.activate_code("generic", "1", &archive);
    let _ = stack.cps(&["generic", "run", "1"]).ok();
    integration::wait_for("the return code", std::time::Duration::from_secs(10), || {
        let status = stack.cps(&["generic", "get-script-status", "1"]).ok();
        if status.contains("STOPPED (return code 7)") { Ok(()) } else { Err(status) }
    });
}

#[test]
fn an_exhausted_pool_leaves_nothing_half_made() {
    let stack = Stack::up();
    let _ = stack.nutshell(&["down"]).ok();
    let _ = stack.nutshell(&["up", "--detach", "--floating-addresses", "4"]).ok();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let refused = stack.cps(&["generic", "add-nodes", "1", "3"]).failed();
    assert!(refused.contains("address"), "{refused}");
    assert_eq!(nodes(&stack, "1").len(), 1);
    let list = stack.cps(&["service", "list"]).ok();
    assert!(list.contains("RUNNING"), "{list}");
    // Two of the four addresses are free again.
    let _ = stack.cps(&["generic", "add-nodes", "1", "2"]).ok();
    assert_eq!(nodes(&stack, "1").len(), 3);
}
