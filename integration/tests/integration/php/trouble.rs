//! What goes wrong inside the VMs of the PHP service: programs end or are missing, ports are taken,
//! disks are full.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use integration::load::Connection::{Kept, New};
use integration::load::Load;
use integration::{Stack, http, wait_for};

use super::{application, roles, running, without_failure};

/// Far longer than a program takes to be started again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The ids of the nodes, oldest first.
fn nodes(stack: &Stack) -> Vec<String> {
    let text = stack.cps(&["php", "get-daemon-status", "1"]).ok();
    let lines = text.lines().filter_map(|line| line.strip_prefix("node "));
    lines.map(|line| line.split_once(':').expect("an id").0.to_owned()).collect()
}

/// Runs a script in a VM as its root.
fn inside(stack: &Stack, node: &str, script: &str) -> String {
    stack.cps(&["shell", "1", node, "--", "sh", "-c", script]).ok()
}

/// Waits until a line of the status says this of a program.
fn reported(stack: &Stack, program: &str, what: &str) {
    wait_for(what, PATIENCE, || {
        let text = stack.cps(&["php", "get-daemon-status", "1"]).ok();
        let says = |line: &str| line.trim_start().starts_with(program) && line.contains(what);
        if text.lines().any(says) { Ok(()) } else { Err(text) }
    });
}

fn answers(address: SocketAddrV4, path: &str, expected: &str) {
    wait_for("the answer", PATIENCE, || match http::get(address, path) {
        Ok(body) if body == expected => Ok(()),
        other => Err(other),
    });
}

#[test]
fn programs_that_are_killed_are_started_again_counted_and_reported() {
    let stack = Stack::up();
    let address = running(&stack);
    let node = nodes(&stack).remove(0);
    for (program, first) in [
        ("proxy", "nginx: master.*/proxy.conf"),
        ("web", "nginx: master.*/web.conf"),
        ("php-fpm-", "php-fpm: master"),
        ("sessions", "^/usr/bin/redis-server"),
    ] {
        inside(&stack, &node, &format!("kill -9 $(pgrep -o -f '{first}')"));
        reported(&stack, program, "restarted 1 times, last after exit 137");
        reported(&stack, program, "running,");
        answers(address, "/", "one one");
        answers(address, "/a.css", "one");
    }
    // The master has others in the place of its workers: none of our business.
    inside(&stack, &node, "kill -9 $(pgrep -f 'php-fpm: [p]ool|nginx: [w]orker')");
    answers(address, "/", "one one");
    reported(&stack, "proxy", "restarted 1 times");
    reported(&stack, "php-fpm-", "restarted 1 times");
}

#[test]
fn a_program_that_keeps_ending_is_reported_and_comes_back_when_it_can() {
    let stack = Stack::up();
    let address = running(&stack);
    let node = nodes(&stack).remove(0);
    let conf = "conf=$(pgrep -a -o -f 'nginx: master.*/proxy.conf' | sed 's/.* -c //')";
    let breaking = "cp $conf /tmp/kept; echo oops >$conf; echo $conf; ";
    let master = "kill -9 $(pgrep -o -f 'nginx: master.*/proxy.conf')";
    let conf = inside(&stack, &node, &format!("{conf}; {breaking}{master}"));
    reported(&stack, "proxy", "not running, restarted 3 times, last after exit 1");
    let log = stack.cps(&["php", "get-agent-log", "1", &node, "-f", "proxy.error.log"]).ok();
    assert!(log.contains("oops") || log.contains("unexpected end of file"), "{log}");
    inside(&stack, &node, &format!("cp /tmp/kept {}", conf.trim()));
    answers(address, "/", "one one");
}

/// A startup script: another program has these ports before the service's own come.
fn taking(ports: &str) -> String {
    format!(
        "#!/bin/sh\npython3 -c '\n\
         import os, signal, socket, sys\n\
         held = [socket.create_server((\"\", int(port))) for port in sys.argv[1:]]\n\
         if os.fork(): os._exit(0)\n\
         os.setsid()\n\
         signal.pause()\n\
         ' {ports} </dev/null >/dev/null 2>&1\n"
    )
}

#[test]
fn what_a_vm_lacks_or_has_taken_is_said_and_nothing_is_half_made() {
    let stack = Stack::up();
    let _ = stack.cps(&["login"]).ok();
    let _ = stack.cps(&["service", "create", "php"]).ok();
    let set_script = |script: &str| {
        let path = stack.file("startup.sh", script.as_bytes());
        let _ = stack.cps(&["service", "set-script", "1", &path]).ok();
    };
    let start = || stack.cps(&["service", "start", "1"]);
    let taken = "port 8888 is taken by another program in this VM; end it, or give it another port";
    for (script, why) in [
        (taking("8888").as_str(), taken),
        (
            "#!/bin/sh\nrm /usr/sbin/nginx\n",
            "there is no nginx in the image of this VM; use an image",
        ),
    ] {
        set_script(script);
        let refused = start().failed();
        assert!(refused.contains("node ") && refused.contains(why), "{refused}");
        assert_eq!(stack.cps(&["php", "list-nodes", "1"]).ok(), "No existing nodes.\n");
    }
    // There are others in the place of these.
    set_script(&taking("80 9000"));
    let _ = start().ok();
    let [address] = stack.addresses("php", "1")[..] else { panic!("one proxy") };
    assert_eq!(address.port(), 8080);
    assert!(http::get(address, "/").unwrap().contains("It works"));

    set_script(&taking("8888"));
    let refused = stack.cps(&["php", "add-nodes", "1", "0", "1", "0"]).failed();
    assert!(refused.contains("no nodes were added") && refused.contains(taken), "{refused}");
    assert_eq!(roles(&stack), ["proxy, web, backend"]);
    assert!(http::get(address, "/").unwrap().contains("It works"));
}

#[test]
fn code_that_one_node_has_no_room_for_is_refused_everywhere() {
    let stack = Stack::up();
    let address = running(&stack);
    let _ = stack.cps(&["php", "add-nodes", "1", "1", "0", "0"]).ok();
    let node = nodes(&stack).remove(1);
    // A small disk below the versions, with those that are there.
    let small = "set -e; cd /var/cache/cpsagent; cp -a versions /tmp/versions; \
                 mount -t tmpfs -o size=512k,mode=755 tmpfs versions; \
                 cp -a /tmp/versions/. versions";
    inside(&stack, &node, small);
    let pages = Load::start(address, "/", &[Kept, New]);
    // Noise: it cannot be packed.
    let noise: String =
        (0..2_000_000).map(|_| char::from(rand::random_range(b'0'..b'z'))).collect();
    let files = [("index.php", "<?php echo 'two two';"), ("noise.txt", &noise)];
    let large = stack.file("large.tar.gz", &integration::archive::tar_gz(&files));
    let version = stack.upload_code("php", "1", &large);
    let refused = stack.cps(&["php", "enable-code", "1", &version]).failed();
    assert!(refused.contains("no room on the disk") && refused.contains(&version), "{refused}");
    let active = stack.cps(&["php", "get-php-config", "1"]).ok();
    assert!(!active.contains(&version), "{active}");
    without_failure(&pages.end(), &["one one"]);
    // Nothing is left of it where it did not fit, and smaller code fits.
    let left = inside(&stack, &node, "ls -A /var/cache/cpsagent/versions");
    assert!(!left.contains(&version) && !left.lines().any(|name| name.starts_with('.')), "{left}");
    stack.activate_code("php", "1", &application(&stack, "three"));
    assert_eq!(http::get(address, "/").unwrap(), "three three");
}

#[test]
fn a_body_that_is_too_large_is_refused_as_such() {
    let stack = Stack::up();
    let address = running(&stack);
    let _ = stack.cps(&["php", "set-php-config", "1", "post_max_size=1M"]).ok();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = 2 << 20;
    write!(stream, "POST / HTTP/1.0\r\nHost: test\r\nContent-Length: {length}\r\n\r\n").unwrap();
    let mut answer = String::new();
    // The connection may be cut while nobody reads the body.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(stack.addresses("php", "1"), [address]);
}
