//! An agent half in a root of its own, with real scripts.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use protocol::NodeId;
use protocol::api::generic::{NodeScripts, ScriptStatus};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::super::wire::AgentEntry;
use super::*;
use crate::process::guard::Guard;

/// A node with the default code's agent; dropping [`Node::agent`] is what `kill -9` leaves.
struct Node {
    root: TempDir,
    agent: Option<Agent>,
    _guard: Guard,
}

impl Node {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut node = Self { _guard: Guard::of(root.path()), root, agent: None };
        node.restart();
        node
    }

    fn restart(&mut self) {
        let context = AgentContext::new(NodeId(7), self.root.path());
        self.agent = Some(Agent::adopt(context).unwrap());
    }

    async fn command(&self, method: &str, given: Value) -> Result<Value, String> {
        let done = self.agent.as_ref().unwrap().command(method, given).await;
        done.map_err(|error| ApiError::from(error).message)
    }

    async fn configure(&self, membership: u64) -> Value {
        let ip = Ipv4Addr::new(10, 0, 0, 7);
        let configuration = Configuration {
            ip,
            role: "node".to_owned(),
            master_ip: Ipv4Addr::new(10, 0, 0, 1),
            membership,
            agents: vec![AgentEntry {
                id: "7".to_owned(),
                ip,
                role: "node".to_owned(),
                volumes: vec![],
            }],
        };
        self.command("configure", json!(configuration)).await.unwrap()
    }

    async fn install(&self, version: &str, scripts: &[(&str, &str)]) -> Result<Value, String> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in scripts {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        let content = Bytes::from(builder.into_inner().unwrap());
        let content = futures::stream::iter([Ok(content)]).boxed();
        let given = json!({ "code_version": version });
        let done = self.agent.as_ref().unwrap().upload("install_code", given, content).await;
        done.map_err(|error| ApiError::from(error).message)
    }

    async fn initialise(&self, version: &str) -> Result<Value, String> {
        self.command("initialise", json!({ "code_version": version })).await
    }

    /// Brings a version to the node as the manager does.
    async fn enable(&self, scripts: &[(&str, &str)]) {
        self.configure(1).await;
        self.install("code-one", scripts).await.unwrap();
        self.initialise("code-one").await.unwrap();
    }

    async fn execute(&self, script: &str) -> Result<Value, String> {
        let parameters: [&str; 2] = ["a", "b c"];
        let installed = self.agent.as_ref().unwrap().scripts.record().installed;
        let version = installed.as_deref().and_then(version_of);
        self.command(
            "execute",
            json!({
                "script": script,
                "parameters": parameters,
                "code_version": version,
            }),
        )
        .await
    }

    async fn ended(&self, script: Script) -> Option<i32> {
        let scripts = &self.agent.as_ref().unwrap().scripts;
        tokio::time::timeout(Duration::from_secs(20), scripts.wait(script)).await.unwrap()
    }

    async fn statuses(&self) -> NodeScripts {
        let statuses = self.agent.as_ref().unwrap().query("get_script_status", json!({})).await;
        serde_json::from_value(statuses.unwrap()).unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn make_fifo(&self, name: &str) -> PathBuf {
        let path = self.path("root").join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// A pipe in the home directory that scripts talk to the test by.
    fn fifo(&self, name: &str) -> pipe::Receiver {
        let path = self.make_fifo(name);
        pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap()
    }
}

async fn heard(fifo: &mut pipe::Receiver) -> String {
    let mut line = String::new();
    loop {
        match fifo.read_u8().await.unwrap() {
            b'\n' => return line,
            byte => line.push(char::from(byte)),
        }
    }
}

async fn say(path: &Path) {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || fs::write(path, "go\n")).await.unwrap().unwrap();
}

fn stopped(return_code: i32) -> ScriptStatus {
    ScriptStatus::Stopped { return_code }
}

const COUNT_INIT: (&str, &str) = ("init.sh", "echo init >>$HOME/order");
const COUNT_NOTIFY: (&str, &str) = ("notify.sh", "echo notify >>$HOME/order; cat $AGENTS_FILE");

#[tokio::test]
async fn the_default_code_writes_what_it_knows() {
    let node = Node::new();
    let archive = super::super::default_code::archive();
    let archive = futures::stream::iter([Ok(Bytes::from(archive))]).boxed();
    node.configure(1).await;
    let given = json!({ "code_version": "code-default" });
    node.agent.as_ref().unwrap().upload("install_code", given, archive).await.unwrap();
    assert_eq!(node.initialise("code-default").await.unwrap(), json!({ "return_code": 0 }));
    node.execute("run").await.unwrap();
    assert_eq!(node.ended(Script::Run).await, Some(0));
    let written = node.read("root/generic.out");
    for line in [
        "Executing script init.sh",
        "Executing script run.sh",
        "Parameters (0): ",
        "Parameters (2): a b c",
        "My IP is 10.0.0.7",
        "My role is node",
        "My master IP is 10.0.0.1",
        r#"[{"id":"7","ip":"10.0.0.7","role":"node"}]"#,
    ] {
        assert!(written.lines().any(|written| written == line), "{line}\n{written}");
    }
}

#[tokio::test]
async fn init_runs_once_for_a_version_and_notify_once_for_a_change() {
    let mut node = Node::new();
    node.enable(&[COUNT_INIT, COUNT_NOTIFY]).await;
    for restart in [false, true] {
        if restart {
            node.restart();
        }
        node.configure(1).await;
        node.install("code-one", &[COUNT_INIT]).await.unwrap();
        node.initialise("code-one").await.unwrap();
        node.command("notify", json!({ "membership": 1 })).await.unwrap();
    }
    assert_eq!(node.read("root/order"), "init\n");
    for _ in 0..2 {
        node.configure(2).await;
        node.command("notify", json!({ "membership": 2 })).await.unwrap();
    }
    assert_eq!(node.read("root/order"), "init\nnotify\n");
    node.install("code-two", &[COUNT_INIT]).await.unwrap();
    assert_eq!(node.statuses().await[&Script::Init], ScriptStatus::NeverStarted);
    node.initialise("code-two").await.unwrap();
    node.command("notify", json!({ "membership": 2 })).await.unwrap();
    assert_eq!(node.read("root/order"), "init\nnotify\ninit\n");
    assert_eq!(fs::read_dir(node.path("var/cache/cpsagent/versions")).unwrap().count(), 1);
    assert!(node.initialise("code-one").await.unwrap_err().contains("not installed"));
}

#[tokio::test]
async fn missing_and_failing_scripts_are_told_apart() {
    let node = Node::new();
    node.enable(&[("init.sh", "echo why >&2; exit 3")]).await;
    assert_eq!(node.execute("run").await.unwrap_err(), "code-one has no run.sh");
    assert_eq!(node.execute("cleanup").await.unwrap_err(), "code-one has no cleanup.sh");
    let unchanged = node.command("notify", json!({ "membership": 2 })).await.unwrap();
    assert_eq!(unchanged, json!({ "return_code": null }), "only users miss what they asked for");
    let statuses = node.statuses().await;
    assert_eq!(statuses[&Script::Init], stopped(3));
    assert_eq!(statuses[&Script::Run], ScriptStatus::NeverStarted);
    assert_eq!(node.read("root/agent.err"), "why\n");
    assert!(node.execute("init").await.is_err());
}

#[tokio::test]
async fn a_script_that_could_not_be_started_is_started_the_next_time() {
    let mut node = Node::new();
    node.configure(1).await;
    node.install("code-one", &[COUNT_INIT, COUNT_NOTIFY]).await.unwrap();
    let output = node.path("root/agent.out");
    let initialise = ("initialise", json!({ "code_version": "code-one" }), Script::Init);
    let notify = ("notify", json!({ "membership": 2 }), Script::Notify);
    for (method, given, script) in [initialise, notify] {
        // A directory cannot take the output.
        let _ = fs::remove_file(&output);
        fs::create_dir(&output).unwrap();
        node.command(method, given.clone()).await.unwrap_err();
        fs::remove_dir(&output).unwrap();
        node.restart();
        assert_eq!(node.statuses().await[&script], ScriptStatus::NeverStarted);
        assert_eq!(node.command(method, given).await.unwrap(), json!({ "return_code": 0 }));
    }
    assert_eq!(node.read("root/order"), "init\nnotify\n");
}

#[tokio::test]
async fn no_script_runs_before_init_or_of_another_version() {
    let node = Node::new();
    assert_eq!(node.execute("run").await.unwrap_err(), "its code is not ready");
    node.configure(1).await;
    node.install("code-one", &[("run.sh", "true")]).await.unwrap();
    assert_eq!(node.execute("run").await.unwrap_err(), "code-one is not ready");
    node.initialise("code-one").await.unwrap();
    let other = json!({ "script": "run", "parameters": [], "code_version": "code-two" });
    assert_eq!(node.command("execute", other).await.unwrap_err(), "code-two is not ready");
    node.execute("run").await.unwrap();
    assert_eq!(node.ended(Script::Run).await, Some(0));
}

#[tokio::test]
async fn nothing_starts_beside_a_running_script() {
    let node = Node::new();
    node.enable(&[("run.sh", "read x <$HOME/go; exit 4")]).await;
    node.make_fifo("go");
    node.execute("run").await.unwrap();
    assert_eq!(node.statuses().await[&Script::Run], ScriptStatus::Running);
    for refused in [
        node.execute("run").await,
        node.execute("cleanup").await,
        node.install("code-two", &[COUNT_INIT]).await,
    ] {
        assert!(refused.unwrap_err().starts_with("Scripts are still running inside"));
    }
    say(&node.path("root/go")).await;
    assert_eq!(node.ended(Script::Run).await, Some(4));
}

#[tokio::test]
async fn interrupting_lets_the_script_ask_then_kills_with_all_children() {
    let node = Node::new();
    node.enable(&[
        ("run.sh", "trap '' TERM; sh -c 'trap \"\" TERM; echo up >$HOME/said; sleep 1000'"),
        ("interrupt.sh", "echo asked $1 >$HOME/said"),
    ])
    .await;
    node.execute("interrupt").await.unwrap();
    assert_eq!(node.statuses().await[&Script::Interrupt], ScriptStatus::NeverStarted);
    let mut said = node.fifo("said");
    node.execute("run").await.unwrap();
    assert_eq!(heard(&mut said).await, "up");
    node.execute("interrupt").await.unwrap();
    assert_eq!(heard(&mut said).await, "asked a");
    assert_eq!(node.ended(Script::Interrupt).await, Some(0));
    assert_eq!(node.ended(Script::Run).await, Some(137));
}

#[tokio::test]
async fn interrupting_twice_kills_everything() {
    let node = Node::new();
    node.enable(&[
        ("run.sh", "echo up >$HOME/said; sleep 1000"),
        ("interrupt.sh", "echo asked >$HOME/said; sleep 1000"),
    ])
    .await;
    let mut said = node.fifo("said");
    node.execute("run").await.unwrap();
    heard(&mut said).await;
    node.execute("interrupt").await.unwrap();
    heard(&mut said).await;
    node.execute("interrupt").await.unwrap();
    assert_eq!(node.ended(Script::Interrupt).await, Some(143));
    assert_eq!(node.ended(Script::Run).await, Some(143));
}

#[tokio::test]
async fn what_run_left_behind_is_the_application_and_can_be_interrupted() {
    let node = Node::new();
    let left = "(setsid sh -c 'echo $$ >$HOME/said; exec sleep 1000' &); exit 0";
    node.enable(&[("run.sh", left), ("interrupt.sh", "echo asked >$HOME/said")]).await;
    let interruptible = async || {
        let agent = node.agent.as_ref().unwrap();
        agent.query("is_interruptible", json!({})).await.unwrap() == json!(true)
    };
    assert!(!interruptible().await);
    let mut said = node.fifo("said");
    node.execute("run").await.unwrap();
    let daemon = PathBuf::from("/proc").join(heard(&mut said).await);
    assert_eq!(node.ended(Script::Run).await, Some(0));
    assert!(interruptible().await && daemon.exists());
    node.execute("interrupt").await.unwrap();
    assert_eq!(heard(&mut said).await, "asked");
    let scripts = &node.agent.as_ref().unwrap().scripts;
    scripts.wait(Script::Interrupt).await;
    scripts.calm().await;
    assert!(!interruptible().await);
    assert_eq!(node.statuses().await[&Script::Run], stopped(0));
}

#[tokio::test]
async fn nothing_of_the_old_code_goes_on_beside_the_new() {
    let node = Node::new();
    let daemon = "(setsid sh -c 'echo up >$HOME/said; exec sleep 1000' &)";
    node.configure(1).await;
    let mut said = node.fifo("said");
    node.install("code-one", &[("init.sh", daemon)]).await.unwrap();
    node.initialise("code-one").await.unwrap();
    heard(&mut said).await;
    let scripts = &node.agent.as_ref().unwrap().scripts;
    let marker = scripts.record().marker(Script::Init).unwrap().to_owned();
    assert!(crate::process::left_any(&marker));
    node.install("code-two", &[COUNT_INIT]).await.unwrap();
    assert!(!crate::process::left_any(&marker));
}

#[tokio::test]
async fn a_killed_agent_finds_its_scripts_again() {
    // With its own runtime the first agent ends as a killed process does: in the middle.
    let mut node = tokio::task::spawn_blocking(|| {
        let first = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        first.block_on(async {
            let node = Node::new();
            node.enable(&[("run.sh", "read x <$HOME/go; exit 6")]).await;
            node.make_fifo("go");
            node.execute("run").await.unwrap();
            node
        })
    })
    .await
    .unwrap();
    node.restart();
    assert_eq!(node.statuses().await[&Script::Run], ScriptStatus::Running);
    say(&node.path("root/go")).await;
    assert_eq!(node.ended(Script::Run).await, Some(6));
    node.restart();
    assert_eq!(node.statuses().await[&Script::Run], stopped(6));
}

/// What a machine that went down leaves: a record of scripts that run, and none that does.
fn lose(node: &Node, scripts: &[&str], interrupting: bool) {
    let path = node.path("var/cache/cpsagent/generic.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["interrupting"] = json!(interrupting);
    for script in scripts {
        record["scripts"][script] =
            json!({ "state": "running", "marker": "lost", "parameters": ["again"] });
    }
    fs::write(path, record.to_string()).unwrap();
}

#[tokio::test]
async fn an_application_is_started_again_when_its_machine_went_down() {
    let mut node = Node::new();
    node.enable(&[("run.sh", "echo $1; exit 8"), ("cleanup.sh", "exit 9")]).await;
    lose(&node, &["run", "cleanup"], false);
    node.restart();
    assert_eq!(node.ended(Script::Run).await, Some(8));
    assert_eq!(node.read("root/agent.out"), "again\n");
    assert_eq!(node.statuses().await[&Script::Cleanup], stopped(137));
}

#[tokio::test]
async fn an_interrupted_application_stays_ended() {
    let mut node = Node::new();
    node.enable(&[("run.sh", "echo again"), ("interrupt.sh", "exit 0")]).await;
    lose(&node, &["run", "interrupt"], true);
    node.restart();
    assert_eq!(node.ended(Script::Run).await, Some(137));
    assert_eq!(node.statuses().await[&Script::Interrupt], stopped(137));
}

#[tokio::test]
async fn half_an_installation_is_not_seen() {
    let mut node = Node::new();
    node.enable(&[COUNT_INIT]).await;
    fs::create_dir(node.path("var/cache/cpsagent/versions/code-two.half")).unwrap();
    fs::write(node.path("var/cache/cpsagent/versions/.upload-x"), "half").unwrap();
    node.restart();
    assert_eq!(node.configure(1).await["code_version"], json!("code-one"));
    assert_eq!(fs::read_dir(node.path("var/cache/cpsagent/versions")).unwrap().count(), 1);
    assert!(node.path("var/cache/cpsagent/bin/init.sh").is_file());
}
