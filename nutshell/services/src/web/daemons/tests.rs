//! Real daemons: a small one of the machine's own Python.

use std::net::TcpListener;

use tempfile::TempDir;

use super::*;

struct World {
    directory: TempDir,
    listen: SocketAddrV4,
}

impl World {
    fn new() -> Self {
        let [a, b, c]: [u8; 3] = rand::random();
        let address = std::net::Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        Self { directory: tempfile::tempdir().unwrap(), listen: SocketAddrV4::new(address, port) }
    }

    /// Listens, and has a child that outlives it.
    fn spec(&self, line: &str) -> Spec {
        let (address, port) = (self.listen.ip(), self.listen.port());
        let text = format!(
            "import os, socket, sys, time\n{line}\ns = socket.create_server((\"{address}\", {port}))\n\
             os.fork()\ntime.sleep(600)\n"
        );
        let command = vec!["/usr/bin/python3".to_owned(), "-c".to_owned(), text];
        Spec::new(command, self.listen, self.directory.path().join("log"))
    }

    fn adopt(&self) -> Daemons {
        Daemons::adopt(self.directory.path()).unwrap()
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect(self.listen).is_ok()
    }
}

/// Waits until a daemon was started again so often.
async fn restarted(daemons: &Daemons, times: u32) {
    let enough = || daemons.statuses()[0].restarts >= times && daemons.statuses()[0].running;
    let waiting = async {
        while !enough() {
            tokio::time::sleep(TRY_AGAIN).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is started again");
}

#[tokio::test]
async fn a_daemon_runs_until_it_is_stopped_with_all_it_started() {
    let world = World::new();
    let daemons = world.adopt();
    daemons.start("d", world.spec("")).await.unwrap();
    daemons.start("d", world.spec("")).await.unwrap();
    assert!(world.answers() && daemons.has("d"));
    daemons.stop("d", Duration::ZERO).await;
    assert!(!world.answers() && daemons.names().is_empty());
}

#[tokio::test]
async fn one_that_is_killed_is_started_again_and_counted() {
    let world = World::new();
    let daemons = world.adopt();
    daemons.start("d", world.spec("")).await.unwrap();
    let main = daemons.program("d").unwrap().main().unwrap();
    rustix::process::kill_process(main, Signal::KILL).unwrap();
    restarted(&daemons, 1).await;
    assert_eq!(daemons.statuses()[0].last_exit, Some(128 + 9));
    daemons.stop("d", Duration::ZERO).await;
    assert!(!world.answers());
}

#[tokio::test]
async fn what_a_killed_one_leaves_in_a_session_of_its_own_does_not_keep_the_port() {
    let world = World::new();
    let daemons = world.adopt();
    // As php-fpm does; nothing marks its workers, whose titles are where their environment was.
    let again = "if 'NUTSHELL_PROGRAM' in os.environ:\n  del os.environ['NUTSHELL_PROGRAM']\n  \
                 os.execve('/usr/bin/python3', open('/proc/self/cmdline').read().split('\\0')[:-1], \
                 os.environ)\nos.setsid()";
    daemons.start("d", world.spec(again)).await.unwrap();
    let main = daemons.program("d").unwrap().main().unwrap();
    rustix::process::kill_process(main, Signal::KILL).unwrap();
    restarted(&daemons, 1).await;
    daemons.stop("d", Duration::ZERO).await;
    assert!(!world.answers());
}

#[tokio::test]
async fn the_next_agent_takes_up_what_runs_and_starts_what_does_not() {
    let world = World::new();
    let earlier = || {
        // All that an agent does ends with its runtime.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let daemons = world.adopt();
            daemons.start("d", world.spec("")).await.unwrap();
            daemons.program("d").unwrap().main().unwrap()
        })
    };
    let main = std::thread::scope(|scope| scope.spawn(earlier).join().unwrap());
    let second = world.adopt();
    assert_eq!(second.program("d").unwrap().main(), Some(main), "it is the same still");
    // As after a restart of the machine, of which only the record is left.
    let other = World::new();
    let entry = Entry::new(other.spec(""));
    Record::open(&other.directory.path().join("daemons.json")).unwrap().set("d", entry).unwrap();
    let third = other.adopt();
    restarted(&third, 1).await;
    third.stop("d", Duration::ZERO).await;
    second.stop("d", Duration::ZERO).await;
}

#[tokio::test]
async fn one_that_does_not_come_up_says_why_and_leaves_nothing() {
    let world = World::new();
    let daemons = world.adopt();
    let spec = world.spec("sys.exit('no configuration')");
    let error = daemons.start("d", spec).await.unwrap_err();
    assert_eq!(ApiError::from(error).message, "d does not start: no configuration");
    assert!(daemons.names().is_empty());
}
