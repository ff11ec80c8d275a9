//! `cps shell`: into a VM, at a terminal and without one.

use std::os::unix::fs::PermissionsExt;

use integration::stack::Output;
use integration::{Stack, Terminal};

/// A service that runs, and the id of its node.
fn service(stack: &Stack) -> String {
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let nodes = stack.cps(&["generic", "list-nodes", "1"]).ok();
    nodes.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn a_shell_in_a_vm_is_a_terminal_like_any_other() {
    let stack = Stack::up();
    let node = service(&stack);
    let mut shell = Terminal::start(&stack.command(&["cps", "shell", "1", &node]));
    // What is typed shows, too: so the expected words are never the typed ones.
    shell.types("echo in $((6 * 7)) at $HOME\n");
    shell.shows("in 42 at /root");
    shell.resize(50, 132);
    shell.types("stty size\n");
    shell.shows("50 132");
    // It is what runs in the foreground that says so: only then Ctrl-C is for it.
    shell.types("sh -c 'echo be\"\"gun; exec sleep 1000'\n");
    shell.shows("begun");
    shell.types("\x03");
    shell.types("echo ended by $?\n");
    shell.shows("ended by 130");
    shell.types("exit 7\n");
    assert_eq!(shell.end(), Some(7));
}

#[test]
fn a_command_in_a_vm_needs_no_terminal() {
    let stack = Stack::up();
    let node = service(&stack);
    let script = "echo $0 $1; echo no >&2; exit 3";
    let ran = stack.cps(&["shell", "1", &node, "--", "sh", "-c", script, "two words", "one"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("two words one\n", "no\n"));
    assert_eq!(ran.code, Some(3));
    let unknown = stack.cps(&["shell", "1", "999"]).failed();
    assert!(unknown.contains("service 1 has no node 999"), "{unknown}");
}

#[test]
fn a_vm_of_another_machine_is_entered_by_ssh() {
    let stack = Stack::up();
    let node = service(&stack);
    let ssh = stack.directory().join("bin/ssh");
    std::fs::create_dir(ssh.parent().unwrap()).unwrap();
    std::fs::write(&ssh, "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 5\n").unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();

    let mut shell = stack.command(&["cps", "shell", "1", &node, "--", "echo", "a b"]);
    // A user elsewhere knows the director and has no stack.
    shell.envs(stack.environment()).env("NUTSHELL_STATE", stack.directory().join("none"));
    shell.env("PATH", ssh.parent().unwrap());
    let ran = Output::of(&mut shell);
    assert!(ran.stdout.starts_with("<-l><root><127."), "{ran:?}");
    assert!(ran.stdout.ends_with("><--><echo 'a b'>"), "{ran:?}");
    assert_eq!(ran.code, Some(5));
}
