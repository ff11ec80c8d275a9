//! Code by git: the real git and ssh, against the manager's own server.

use std::path::{Path, PathBuf};

use protocol::api::code::{Keys, KeysAdded};
use protocol::client::Upload;
use serde_json::json;
use tokio::process::Command;

use crate::world::{SERVICE, World, refusal};

/// A user with a key of their own and a place for clones.
struct Developer {
    home: tempfile::TempDir,
    repository: String,
    ssh: String,
}

impl Developer {
    async fn new(world: &World) -> Self {
        let mut developer = Self {
            home: tempfile::tempdir().unwrap(),
            repository: String::new(),
            ssh: String::new(),
        };
        let key = developer.path("key");
        let key = key.to_str().unwrap();
        developer.expect("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key]).await;
        let content = Upload::from(std::fs::read(developer.path("key.pub")).unwrap());
        let answer = world.client.upload(SERVICE, "upload_key", &[("", ""); 0], content).await;
        let added: KeysAdded = serde_json::from_value(answer.unwrap()).unwrap();
        assert_eq!(added.added, 1);
        // The VM's public address is the test's director's invention.
        let ip = world.address.ip().to_string();
        developer.repository = added.repository.unwrap().replace("127.0.0.1", &ip);
        let known = developer.path("known_hosts");
        developer.ssh = format!(
            "ssh -F /dev/null -i {key} -o IdentitiesOnly=yes -o BatchMode=yes \
             -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={}",
            known.display()
        );
        developer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Whether it succeeded, and what it said.
    async fn run(&self, directory: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(directory)
            .env("GIT_SSH_COMMAND", &self.ssh)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("HOME", self.home.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "dev").env(format!("GIT_{who}_EMAIL"), "d@e.v");
        }
        let output = command.kill_on_drop(true).output();
        let limit = std::time::Duration::from_secs(60);
        let output = tokio::time::timeout(limit, output).await.expect("it never ended").unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    async fn expect(&self, program: &str, arguments: &[&str]) -> String {
        let (success, said) = self.run(self.home.path(), program, arguments).await;
        assert!(success, "{program} {arguments:?}: {said}");
        said
    }

    async fn clone(&self) {
        self.expect("git", &["clone", &self.repository, "code"]).await;
    }

    async fn git(&self, arguments: &[&str]) -> (bool, String) {
        self.run(&self.path("code"), "git", arguments).await
    }

    /// Commits a file and pushes; what git said.
    async fn push(&self, name: &str, content: &str, branch: &str) -> (bool, String) {
        std::fs::write(self.path("code").join(name), content).unwrap();
        for arguments in [&["add", "-A"][..], &["commit", "-q", "-m", &format!("Add {name}")]] {
            let (success, said) = self.git(arguments).await;
            assert!(success, "{said}");
        }
        self.git(&["push", "origin", &format!("HEAD:{branch}")]).await
    }

    /// ssh with this key, as git would be.
    async fn ssh(&self, world: &World, arguments: &[&str]) -> (bool, String) {
        let port = match self.repository.starts_with("ssh://") {
            true => "2222",
            false => "22",
        };
        let target = format!("git@{}", world.address.ip());
        let mut all: Vec<&str> =
            self.ssh.split(' ').skip(1).filter(|one| !one.is_empty()).collect();
        all.extend(["-p", port, target.as_str()]);
        all.extend(arguments);
        self.run(self.home.path(), "ssh", &all).await
    }
}

async fn versions(world: &World) -> Vec<String> {
    let list = world.query("list_code").await.unwrap();
    let versions = list["code_versions"].as_array().unwrap().iter();
    versions.map(|version| version["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_push_is_a_code_version_that_can_be_enabled_and_cloned_again() {
    let mut world = World::new("generic").await;
    let developer = Developer::new(&world).await;
    developer.clone().await;
    let (success, said) = developer.push("init.sh", "echo pushed >$HOME/said", "master").await;
    assert!(success, "{said}");
    let (_, head) = developer.git(&["rev-parse", "--short=7", "HEAD"]).await;
    let version = format!("git-{}", head.trim());
    assert!(said.contains(&format!("code version: {version}")), "{said}");
    let list = world.query("list_code").await.unwrap();
    assert_eq!(list["code_versions"][0]["id"], json!(version));
    assert_eq!(list["code_versions"][0]["filename"], json!(head.trim()));
    assert_eq!(list["code_versions"][0]["description"], json!("Add init.sh"));
    assert_eq!(list["code_versions"][0]["current"], json!(false), "users enable it");

    world.startup().await;
    world.command("enable_code", json!({ "code_version": version })).await.unwrap();
    assert_eq!(world.file(&world.nodes()[0], "root/said"), "pushed\n");
    let deleted = world.command("delete_code", json!({ "code_version": version })).await;
    assert!(deleted.is_err());

    // Everything is there again in another VM, and clients know the server.
    world.replace_manager().await;
    std::fs::remove_dir_all(developer.path("code")).unwrap();
    developer.clone().await;
    assert!(developer.path("code/init.sh").is_file());
    let (success, said) = developer.push("run.sh", "true", "master").await;
    assert!(success, "{said}");
    assert_eq!(versions(&world).await.len(), 3);
}

#[tokio::test]
async fn other_branches_are_kept_and_main_is_as_good_as_master() {
    let world = World::new("generic").await;
    let developer = Developer::new(&world).await;
    developer.clone().await;
    let (success, said) = developer.push("run.sh", "true", "topic").await;
    assert!(success && !said.contains("code version"), "{said}");
    assert_eq!(versions(&world).await, ["code-default"]);
    let (success, said) = developer.push("init.sh", "true", "main").await;
    assert!(success && said.contains("code version: git-"), "{said}");
    assert_eq!(versions(&world).await.len(), 2);
    std::fs::remove_dir_all(developer.path("code")).unwrap();
    developer.clone().await;
    assert!(developer.path("code/init.sh").is_file(), "main is what one gets");
}

#[tokio::test]
async fn a_push_of_what_is_no_code_is_refused_in_words() {
    let world = World::new("generic").await;
    let developer = Developer::new(&world).await;
    developer.clone().await;
    let (success, said) = developer.push("README", "no script", "master").await;
    assert!(!success && said.contains("has none of init.sh"), "{said}");
    std::os::unix::fs::symlink("/etc/passwd", developer.path("code/link")).unwrap();
    let (success, said) = developer.push("run.sh", "true", "master").await;
    assert!(!success && said.contains("`link` is a link that leads out"), "{said}");
    assert_eq!(versions(&world).await, ["code-default"]);
    std::fs::remove_file(developer.path("code/link")).unwrap();
    let (success, said) = developer.push("run.sh", "exit 0", "master").await;
    assert!(success, "nothing is left in the way: {said}");
}

#[tokio::test]
async fn a_key_opens_git_and_nothing_else() {
    let world = World::new("generic").await;
    let developer = Developer::new(&world).await;
    let (success, said) = developer.ssh(&world, &["id"]).await;
    assert!(!success && said.contains("this key is for git alone"), "{said}");
    let (success, said) = developer.ssh(&world, &[]).await;
    assert!(!success && said.contains("there is no shell"), "{said}");
    let (success, said) = developer.ssh(&world, &["git-upload-pack", "/etc"]).await;
    assert!(!success && said.contains("there is no repository `etc`"), "{said}");
    let (success, _) = developer.ssh(&world, &["-s", "sftp"]).await;
    assert!(!success);
    // What is connected here would be sent to another port of the VM.
    let forward = format!("{}:{}", world.address.ip(), world.address.port());
    let (success, said) = developer.ssh(&world, &["-W", &forward]).await;
    assert!(!success && said.contains("prohibited"), "{said}");
    let target = developer.repository.replace("git@", "root@");
    let (success, said) =
        developer.run(developer.home.path(), "git", &["clone", &target, "other"]).await;
    assert!(!success && said.contains("Permission denied"), "{said}");

    let keys: Keys = serde_json::from_value(world.query("list_keys").await.unwrap()).unwrap();
    let public = std::fs::read_to_string(developer.path("key.pub")).unwrap();
    assert_eq!(keys.keys[0].key, public.trim());
    let name = json!({ "fingerprint": keys.keys[0].fingerprint });
    world.command("delete_key", name).await.unwrap();
    let (success, said) =
        developer.run(developer.home.path(), "git", &["clone", &developer.repository, "x"]).await;
    assert!(!success && said.contains("Permission denied"), "{said}");
}

#[tokio::test]
async fn a_bad_key_is_refused_and_no_server_is_started() {
    let world = World::new("generic").await;
    let content = Upload::from("ssh-ed25519 nonsense");
    let refused = world.client.upload(SERVICE, "upload_key", &[("", ""); 0], content).await;
    assert_eq!(refusal(refused.unwrap_err()).message, "line 1 is no public SSH key");
    let keys: Keys = serde_json::from_value(world.query("list_keys").await.unwrap()).unwrap();
    assert!(keys.keys.is_empty() && keys.repository.is_none());
}
