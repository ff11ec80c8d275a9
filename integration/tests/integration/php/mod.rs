//! The PHP service, with real nginx, php-fpm and Redis, while visitors ask all the time.

mod loss;
mod trouble;
mod wordpress;

use std::io::{self, Read};
use std::net::{SocketAddrV4, TcpStream};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use integration::archive::tar_gz;
use integration::load::Connection::{Kept, New};
use integration::load::{Answers, Load};
use integration::{Stack, http, processes, wait_for};

use crate::visitor::Visitor;

/// The page that counts in a session.
const COUNT: &str = "/count.php";

/// A page of two files: an answer of two versions would show.
fn application(stack: &Stack, word: &str) -> String {
    let index = format!("<?php $index = '{word}'; usleep(2000); include 'part.php';\n");
    let part = format!("<?php echo \"$index {word}\";\n");
    let count = "<?php session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;\n";
    let files =
        [("index.php", index.as_str()), ("part.php", &part), ("a.css", word), ("count.php", count)];
    stack.file(&format!("{word}.tar.gz"), &tar_gz(&files))
}

/// A PHP service at work with an application.
fn running(stack: &Stack) -> SocketAddrV4 {
    let _ = stack.cps(&["login"]).ok();
    let _ = stack.cps(&["service", "create", "php"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let [address] = stack.addresses("php", "1")[..] else { panic!("one proxy") };
    assert!(http::get(address, "/").unwrap().contains("It works"));
    stack.activate_code("php", "1", &application(stack, "one"));
    address
}

/// The roles of the nodes, those they have for want of others too, in the order of their ids.
fn roles(stack: &Stack) -> Vec<String> {
    let text = stack.cps(&["php", "get-daemon-status", "1"]).ok();
    let nodes = text.lines().filter(|line| line.starts_with("node "));
    nodes.map(|line| line.split_once(": ").expect("roles").1.to_owned()).collect()
}

fn without_failure(answers: &Answers, possible: &[&str]) {
    assert!(answers.failed.is_empty(), "{answers:?}");
    assert!(answers.good.keys().all(|body| possible.contains(&body.as_str())), "{answers:?}");
    assert!(answers.served() > 0);
}

#[test]
fn no_request_is_lost_while_everything_changes() {
    let stack = Stack::up();
    let address = running(&stack);
    let spare = spare_connection(address);
    assert_eq!(roles(&stack), ["proxy, web, backend"]);
    let pages = Load::start(address, "/", &[Kept, Kept, Kept, New]);
    let files = Load::start(address, "/a.css", &[Kept, New]);
    let cps = |line: &str| stack.cps(&line.split(' ').collect::<Vec<_>>()).ok();

    cps("php add-nodes 1 1 0 0");
    assert_eq!(roles(&stack), ["proxy, web", "backend"]);
    cps("php add-nodes 1 1 1 0");
    cps("php set-php-config 1 memory_limit=64M");
    cps("php add-nodes 1 0 0 1");
    assert_eq!(roles(&stack), ["proxy", "backend", "backend", "web", "proxy"]);
    let proxies = stack.addresses("php", "1");
    assert_eq!((proxies.len(), proxies[0]), (2, address));
    assert_eq!(http::get(proxies[1], "/").unwrap(), "one one");
    assert_eq!(http::get(proxies[1], "/a.css").unwrap(), "one");

    stack.activate_code("php", "1", &application(&stack, "two"));
    for proxy in &proxies {
        assert_eq!(http::get(*proxy, "/").unwrap(), "two two");
    }
    // The manager is killed, and takes the service up again.
    let managers = processes::running(stack.pid(), "manager");
    for manager in managers {
        assert!(
            Command::new("kill").args(["-9", &manager.to_string()]).status().unwrap().success()
        );
    }
    wait_for("the manager's answer", Duration::from_secs(30), || {
        let answer = stack.cps(&["php", "toggle-debug", "1"]);
        if answer.code == Some(0) { Ok(()) } else { Err(answer) }
    });
    cps("php remove-nodes 1 0 0 1");
    let refused = stack.cps(&["php", "remove-nodes", "1", "0", "0", "1"]).failed();
    assert!(refused.contains("Not enough 'proxy' nodes will be left"), "{refused}");
    cps("php remove-nodes 1 2 1 0");
    assert_eq!(roles(&stack), ["proxy, web, backend"]);
    assert_eq!(stack.addresses("php", "1"), [address], "the address stays");

    without_failure(&pages.end(), &["one one", "two two"]);
    without_failure(&files.end(), &["one", "two"]);
    assert_eq!(spare.join().unwrap().unwrap(), 0, "nothing was asked");
}

/// A connection on which nothing is asked, as browsers have them to spare: for it a proxy's old workers wait
/// when something changes. What is read from it when it is closed.
fn spare_connection(address: SocketAddrV4) -> JoinHandle<io::Result<usize>> {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    thread::spawn(move || connection.read(&mut [0]))
}

#[test]
fn a_session_is_found_by_every_backend_and_survives_changes() {
    let stack = Stack::up();
    let address = running(&stack);
    let mut visitor = Visitor::new(COUNT);
    assert_eq!([1, 2].map(|_| visitor.count(address)), [1, 2]);
    let _ = stack.cps(&["php", "add-nodes", "1", "2", "1", "1"]).ok();
    let answers = [3, 4, 5, 6].map(|_| visitor.count(address));
    assert_eq!(answers, [3, 4, 5, 6], "by both backends");
    let other = stack.addresses("php", "1")[1];
    assert_eq!(visitor.count(other), 7);
    let _ = stack.cps(&["php", "remove-nodes", "1", "1", "0", "1"]).ok();
    assert_eq!(visitor.count(address), 8);
}

#[test]
fn what_users_get_wrong_is_said_and_nothing_changes() {
    let stack = Stack::up();
    let address = running(&stack);
    let cps = |line: &str| stack.cps(&line.split(' ').collect::<Vec<_>>());
    // An enclosing directory.
    let wrapped = stack.file("blog.tar.gz", &tar_gz(&[("blog/index.php", "<?php echo 'blog';")]));
    let uploaded = cps(&format!("php upload-code 1 {wrapped}"));
    assert!(uploaded.stderr.contains("--strip"), "{uploaded:?}");
    let uploaded = cps(&format!("php upload-code 1 {wrapped} --strip"));
    assert!(!uploaded.stderr.contains("warning"), "{uploaded:?}");
    let version = uploaded.ok().split_whitespace().nth(2).unwrap().to_owned();
    let _ = cps(&format!("php enable-code 1 {version}")).ok();
    assert_eq!(http::get(address, "/").unwrap(), "blog");
    let refused = cps(&format!("php delete-code 1 {version}")).failed();
    assert!(refused.contains("active"), "{refused}");
    // Code that PHP does not understand.
    let broken = stack.file("bad.tar.gz", &tar_gz(&[("index.php", "<?php oops(")]));
    stack.activate_code("php", "1", &broken);
    assert!(http::get(address, "/").unwrap_err().to_string().contains("500"));
    let nodes = stack.cps(&["php", "list-nodes", "1"]).ok();
    let node = nodes.split_whitespace().nth(2).unwrap();
    let log = cps(&format!("php get-agent-log 1 {node} -f php.log")).ok();
    assert!(log.contains("PHP Parse error"), "{log}");
    assert_eq!(cps("php toggle-debug 1").ok().trim(), "Debug mode is now On");
    assert!(http::get(address, "/").unwrap().contains("Parse error"));
    // Settings and nodes that cannot be.
    let refused = cps("php set-php-config 1 safe_mode=On").failed();
    assert!(refused.contains("Unexpected arguments phpconf attribute"), "{refused}");
    let refused = cps("php set-php-config 1 memory_limit=lots").failed();
    assert!(refused.contains("expected a number with K, M or G"), "{refused}");
    let refused = cps("php add-nodes 1 0 0 1").failed();
    assert!(refused.contains("Cannot add more proxy servers"), "{refused}");
    let refused = cps("php add-nodes 1 1 1").failed();
    assert!(refused.contains("one for each of backend, web, proxy"), "{refused}");
    assert_eq!(roles(&stack), ["proxy, web, backend"]);
}
