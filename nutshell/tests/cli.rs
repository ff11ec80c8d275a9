//! The command line from outside, as far as no stack has to run: what each mistake is answered.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use nutshell::stack::{Lock, StateDirectory};
use tempfile::TempDir;

/// A home of its own, and an environment that says nothing.
struct Machine {
    home: TempDir,
}

/// What a command did.
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Machine {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Runs `program`, a link to the executable, on this machine.
    fn run_as(&self, program: &str, line: &str) -> Answer {
        let link = self.path(program);
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nutshell"), &link);
        let output = Command::new(link)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("NUTSHELL_STATE", self.state())
            .args(line.split_whitespace())
            .output()
            .unwrap();
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, line: &str) -> Answer {
        self.run_as("nutshell", line)
    }
}

impl Answer {
    /// Replaces what differs from run to run.
    fn stderr(&self, machine: &Machine) -> String {
        let me = format!("process {}", std::process::id());
        self.stderr
            .replace(machine.home.path().to_str().unwrap(), "[HOME]")
            .replace(&me, "process [PID]")
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn help_and_version_are_no_failure_and_wrong_usage_is() {
    let machine = Machine::new();
    let help = machine.run("--help");
    assert_eq!(help.code, Some(0));
    for command in ["up", "down", "status", "logs", "destroy", "doctor", "env", "install", "cps"] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
    }
    assert!(!help.stdout.contains("manager"), "{}", help.stdout);
    let version = machine.run("--version");
    assert_eq!(version.stdout, concat!("nutshell ", env!("CARGO_PKG_VERSION"), "\n"));
    let wrong = machine.run("upp");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("'up'"), "{}", wrong.stderr);
}

#[test]
fn the_name_of_the_executable_chooses_the_program() {
    let machine = Machine::new();
    let help = machine.run_as("cps-generic", "--help");
    assert!(help.stdout.contains("Usage: cps generic"), "{}", help.stdout);
    assert!(help.stdout.contains("upload-code"), "{}", help.stdout);
    let usage = machine.run_as("cpsclient.py", "");
    assert_eq!(usage.code, Some(0));
    assert!(usage.stdout.contains("upload_code"), "{}", usage.stdout);
}

#[test]
fn without_a_stack_status_fails_and_down_has_nothing_to_do() {
    let machine = Machine::new();
    let status = machine.run("status");
    assert_eq!(status.code, Some(1));
    assert!(status.stdout.starts_with("Nothing runs in "), "{}", status.stdout);
    let json = machine.run("status --format json");
    assert!(json.stdout.contains("\"running\": false"), "{}", json.stdout);
    let down = machine.run("down");
    assert_eq!(down.code, Some(0));
    assert_eq!(down.stderr(&machine), "Nothing runs in [HOME]/state.\n");
    assert!(!machine.state().exists());
}

#[test]
fn what_is_not_there_is_named_with_the_next_step() {
    let machine = Machine::new();
    let missing = "error: there is no nutshell in [HOME]/state\n\
                   hint: `nutshell up` makes and starts one\n";
    for line in ["logs", "destroy --yes", "env"] {
        let answer = machine.run(line);
        assert_eq!(answer.code, Some(1), "{line}");
        assert_eq!(answer.stderr(&machine), missing, "{line}");
    }
}

#[test]
fn a_second_up_learns_who_the_first_is() {
    let machine = Machine::new();
    let state = StateDirectory::at(&machine.state());
    state.prepare().unwrap();
    let lock = Lock::acquire(&state).unwrap();
    let expected = "error: a nutshell runs in [HOME]/state already (process [PID])\n\
                    hint: `nutshell status` shows it, `nutshell down` ends it\n";
    for line in ["up", "up --detach"] {
        let answer = machine.run(line);
        assert_eq!(answer.code, Some(1), "{line}: {}", answer.stderr);
        assert_eq!(answer.stderr(&machine), expected, "{line}");
    }
    let status = machine.run("status");
    assert_eq!(status.code, Some(0));
    assert!(status.stdout.starts_with("Nutshell is starting in "), "{}", status.stdout);
    drop(lock);
}

#[test]
fn a_newer_state_directory_is_not_touched() {
    let machine = Machine::new();
    write(&machine.state().join("version"), "nutshell-state 2\n");
    for line in ["up", "up --detach", "destroy --yes", "env"] {
        let answer = machine.run(line);
        assert_eq!(answer.code, Some(1), "{line}");
        assert!(
            answer.stderr.contains("was made by a newer version of nutshell (its layout is 2"),
            "{line}"
        );
        assert!(answer.stderr.contains("hint: use the newer nutshell"), "{line}");
    }
    assert_eq!(std::fs::read_dir(machine.state()).unwrap().count(), 1);
}

#[test]
fn somebody_elses_directory_is_not_touched() {
    let machine = Machine::new();
    write(&machine.state().join("thesis.tex"), "");
    write(&machine.state().join("version"), "1\n");
    for line in ["up", "destroy --yes"] {
        let answer = machine.run(line);
        assert_eq!(answer.code, Some(1), "{line}");
        assert!(answer.stderr.contains("not a state directory of nutshell"), "{}", answer.stderr);
    }
    assert_eq!(std::fs::read_dir(machine.state()).unwrap().count(), 2);
}

#[test]
fn a_port_in_use_is_told_with_its_holder() {
    let machine = Machine::new();
    let state = StateDirectory::at(&machine.state());
    state.prepare().unwrap();
    // Blocks that no stack chooses by itself.
    let (block, listener) = (251..=254)
        .find_map(|block| Some((block, TcpListener::bind(format!("127.{block}.0.1:5555")).ok()?)))
        .unwrap();
    write(&machine.state().join("nutshell.toml"), &format!("block = {block}\n"));
    let answer = machine.run("up");
    assert_eq!(answer.code, Some(1));
    let first = answer.stderr(&machine).lines().next().unwrap().to_owned();
    let expected = format!("error: 127.{block}.0.1:5555 is in use by process [PID] (");
    assert!(first.starts_with(&expected), "{first}");
    assert!(answer.stderr.contains("\nhint: end that process"), "{}", answer.stderr);
    drop(listener);
}

#[test]
fn a_misspelt_setting_is_named() {
    let machine = Machine::new();
    StateDirectory::at(&machine.state()).prepare().unwrap();
    write(&machine.state().join("nutshell.toml"), "pasword = \"sesame\"\n");
    let answer = machine.run("up");
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("nutshell.toml cannot be understood"), "{}", answer.stderr);
    assert!(answer.stderr.contains("pasword"), "{}", answer.stderr);
}

#[test]
fn destroying_without_a_terminal_needs_a_word() {
    let machine = Machine::new();
    StateDirectory::at(&machine.state()).prepare().unwrap();
    let answer = machine.run("destroy");
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("hint: say so beforehand: `nutshell destroy --yes`"));
    assert!(machine.state().exists());
    let answer = machine.run("destroy --yes");
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(!machine.state().exists());
}

#[test]
fn clients_without_a_director_say_how_to_start_one() {
    let machine = Machine::new();
    for (program, line) in
        [("cps", "service list"), ("cps-service", "list"), ("cps", "login"), ("cpsclient", "list")]
    {
        let answer = machine.run_as(program, line);
        assert_eq!(answer.code, Some(1), "{program} {line}");
        assert!(answer.stderr.contains("`nutshell up`"), "{program} {line}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{program} {line}");
    }
    let answer = machine.run_as("cps", "service list --director-url https://127.0.0.1:1");
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("--ca-certificate FILE"), "{}", answer.stderr);
    let answer = machine.run_as("cps", "login --director-url http://127.0.0.1:1");
    assert_eq!(answer.code, Some(1));
    assert_eq!(
        answer.stderr(&machine),
        "error: the director at http://127.0.0.1:1 would not be spoken to over HTTPS\n\
         hint: give its URL as https://HOST:PORT\n"
    );
}

#[test]
fn logging_out_without_a_session_is_no_failure() {
    let machine = Machine::new();
    let answer = machine.run_as("cps", "logout");
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), "There was no session.\n"));
}

#[test]
fn all_names_are_linked() {
    let machine = Machine::new();
    let bin = machine.path("bin");
    let answer = machine.run(&format!("install --directory {}", bin.display()));
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: export PATH="), "{}", answer.stderr);
    for name in ["cps", "cps-tools", "cpsclient", "cpsclient.py", "cps-generic", "nutshell"] {
        assert!(bin.join(name).exists(), "{name}");
    }
    write(&bin.join("../other/cps"), "mine");
    let answer = machine.run(&format!("install --directory {}", machine.path("other").display()));
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("/cps exists and is not a link to nutshell: left as it is"));
    assert_eq!(std::fs::read_to_string(machine.path("other/cps")).unwrap(), "mine");
}

#[test]
fn settings_of_a_director_are_checked_as_a_whole() {
    let machine = Machine::new();
    let file = machine.path("director.toml");
    write(&file, "version = 1\nlisten = \"nowhere\"\nurl = \"http://x\"\n");
    let answer = machine.run(&format!("director --config {}", file.display()));
    assert_eq!(answer.code, Some(1));
    for word in ["listen", "https://", "`state` is missing", "`clouds` is missing"] {
        assert!(answer.stderr.contains(word), "{word}: {}", answer.stderr);
    }
    let answer = machine.run("director --config /nonexistent.toml");
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("failed to read /nonexistent.toml"), "{}", answer.stderr);
}

#[test]
fn the_doctor_says_yes_or_no_and_why() {
    let machine = Machine::new();
    let answer = machine.run("doctor");
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    for name in ["docker", "libvirt"] {
        assert!(answer.stdout.contains(name), "{}", answer.stdout);
    }
    let json = machine.run("doctor --format json");
    assert!(json.stdout.contains("\"available\""), "{}", json.stdout);
}
