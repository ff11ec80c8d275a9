//! Real programs: their ends, their killing, and finding them again.

use std::fs;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::guard::Guard;
use super::*;
use crate::code::random_name;

struct World {
    directory: TempDir,
    _guard: Guard,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { _guard: Guard::of(directory.path()), directory }
    }

    fn launch(&self, script: &str) -> Program {
        let directory = self.directory.path();
        fs::write(directory.join("script"), script).unwrap();
        let launch = Launch {
            script: "script",
            arguments: &["one".to_owned(), "two words".to_owned()],
            directory,
            environment: &[("PATH", "/usr/bin:/bin".to_owned()), ("WHO", "me".to_owned())],
            output: &directory.join("out"),
            errors: &directory.join("err"),
        };
        Program::launch(&random_name(16), directory, &launch).unwrap()
    }

    fn fifo(&self) -> pipe::Receiver {
        let path = self.directory.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        // Also open for writing, so that no end of file comes before the first writer.
        pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }
}

async fn line(fifo: &mut pipe::Receiver) -> String {
    let mut line = String::new();
    loop {
        match fifo.read_u8().await.unwrap() {
            b'\n' => return line,
            byte => line.push(char::from(byte)),
        }
    }
}

#[tokio::test]
async fn the_exit_status_output_and_arguments_are_kept() {
    let world = World::new();
    let program = world.launch("echo \"$WHO: $# $2\"; echo oops >&2; exit 3");
    assert_eq!(program.ended().await, 3);
    assert_eq!(world.read("out"), "me: 2 two words\n");
    assert_eq!(world.read("err"), "oops\n");
    assert_eq!(exit_status(&program.status), Some(3));
}

#[tokio::test]
async fn a_program_is_found_again_while_it_runs_and_not_after() {
    let world = World::new();
    let mut fifo = world.fifo();
    let made =
        std::process::Command::new("mkfifo").arg(world.directory.path().join("fifo2")).status();
    assert!(made.unwrap().success());
    let program = world.launch("echo up >fifo; read x <fifo2; exit 5");
    line(&mut fifo).await;
    let found = Program::find(&program.marker, world.directory.path()).unwrap();
    assert_eq!(found.shell, program.shell);
    let path = world.directory.path().join("fifo2");
    tokio::task::spawn_blocking(move || fs::write(path, "go\n")).await.unwrap().unwrap();
    assert_eq!(found.ended().await, 5);
    assert!(Program::find(&program.marker, world.directory.path()).is_none());
}

#[tokio::test]
async fn killing_reaches_children_that_left_the_session() {
    let world = World::new();
    let mut fifo = world.fifo();
    let program = world.launch(
        "setsid sh -c 'echo $$ >fifo; exec sleep 1000' & sh -c 'echo $$ >fifo; exec sleep 1000'",
    );
    let children = [line(&mut fifo).await, line(&mut fifo).await];
    program.kill().await;
    assert_eq!(program.ended().await, 128 + 15);
    for child in children {
        let pid = Pid::from_raw(child.parse().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), gone(pid)).await.unwrap();
    }
}

#[tokio::test]
async fn killing_reaches_daemons_that_cleaned_their_environment() {
    let world = World::new();
    let mut fifo = world.fifo();
    let program = world.launch(
        "(env -i /usr/bin/setsid /bin/sh -c 'echo $$ >fifo; exec /usr/bin/sleep 1000' &); \
         sleep 1000",
    );
    let daemon = Pid::from_raw(line(&mut fifo).await.parse().unwrap()).unwrap();
    program.kill().await;
    tokio::time::timeout(Duration::from_secs(5), gone(daemon)).await.unwrap();
}

#[tokio::test]
async fn what_an_ended_program_left_is_found_and_ended() {
    let world = World::new();
    let mut fifo = world.fifo();
    let program = world.launch("(setsid sh -c 'echo $$ >fifo; exec sleep 1000' &) ; exit 0");
    let daemon = Pid::from_raw(line(&mut fifo).await.parse().unwrap()).unwrap();
    assert_eq!(program.ended().await, 0);
    assert!(left_any(&program.marker));
    end_left(&program.marker).await;
    assert!(!left_any(&program.marker));
    tokio::time::timeout(Duration::from_secs(5), gone(daemon)).await.unwrap();
}

#[tokio::test]
async fn what_ignores_being_asked_is_killed() {
    let world = World::new();
    let mut fifo = world.fifo();
    let program = world.launch("trap '' TERM; echo ready >fifo; while :; do sleep 1000; done");
    line(&mut fifo).await;
    program.kill().await;
    assert_eq!(program.ended().await, KILLED);
}

#[tokio::test]
async fn signals_to_the_whole_group_do_not_lose_the_exit_status() {
    let world = World::new();
    let program = world.launch("trap 'exit 9' TERM; kill 0; sleep 1000");
    assert_eq!(program.ended().await, 9);
}

#[tokio::test]
async fn what_a_program_has_used_stays_used_when_it_has_ended() {
    let world = World::new();
    let mut fifo = world.fifo();
    let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    // Like php-fpm, it begins a session of its own.
    let inner = format!("{work}; echo done >fifo; exec sleep 1000");
    let program = world.launch(&format!("setsid --wait sh -c '{inner}'"));
    let (mut effort, sessions) = (Effort::default(), [program.session()]);
    assert_eq!(line(&mut fifo).await, "done");
    let used = effort.of(&sessions);
    assert!(used > Duration::ZERO);
    assert!(effort.of(&sessions) < used + Duration::from_secs(1), "it only sleeps");
    let used = effort.of(&sessions);
    program.kill().await;
    assert_eq!(effort.of(&sessions), used);
    assert_eq!(effort.of(&[]), used);
}
