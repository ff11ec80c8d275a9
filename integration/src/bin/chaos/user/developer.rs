//! The user's own machine: a key, and a repository for each application.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{ApplicationId, CodeVersionId};
use tokio::process::Command;
use tokio::time::timeout;

/// How long git may take, whatever becomes of the other end.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub(crate) struct Developer {
    directory: PathBuf,
    commits: u32,
}

impl Developer {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), commits: 0 }
    }

    fn key(&self) -> PathBuf {
        self.directory.join("key")
    }

    /// The public half of the key, which is made at the first need.
    pub(crate) async fn public_key(&self) -> Result<Vec<u8>, String> {
        let key = self.key();
        let public = key.with_extension("pub");
        if !public.exists() {
            std::fs::create_dir_all(&self.directory).map_err(|error| error.to_string())?;
            let path = key.to_str().ok_or("a path is no text")?;
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", path];
            run(Command::new("ssh-keygen").args(arguments)).await?;
        }
        std::fs::read(public).map_err(|error| error.to_string())
    }

    /// What the key is known by.
    pub(crate) async fn fingerprint(&self) -> Result<String, String> {
        self.public_key().await?;
        let told = run(Command::new("ssh-keygen").arg("-lf").arg(self.key())).await?;
        Ok(told.split(' ').nth(1).unwrap_or_default().to_owned())
    }

    /// Commits and pushes; the version that this made, once git says that it is there.
    pub(crate) async fn push(
        &mut self,
        application: ApplicationId,
        repository: &str,
    ) -> Option<CodeVersionId> {
        self.public_key().await.ok()?;
        let clone = self.directory.join(format!("application-{application}"));
        if !clone.exists() {
            std::fs::create_dir_all(&clone).ok()?;
            self.git(&clone, &["init", "--quiet", "--initial-branch=main"]).await.ok()?;
        }
        self.commits += 1;
        std::fs::write(clone.join("run.sh"), format!("echo {}\n", self.commits)).ok()?;
        self.git(&clone, &["add", "--all"]).await.ok()?;
        self.git(&clone, &["commit", "--quiet", "--message", "change"]).await.ok()?;
        self.git(&clone, &["push", "--quiet", repository, "HEAD:main"]).await.ok()?;
        let commit = self.git(&clone, &["rev-parse", "HEAD"]).await.ok()?;
        format!("git-{}", commit.get(..7)?).parse().ok()
    }

    async fn git(&self, clone: &Path, arguments: &[&str]) -> Result<String, String> {
        let ssh = format!(
            "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            self.key().display()
        );
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=chaos", "-c", "user.email=chaos@localhost"])
            .args(arguments)
            .current_dir(clone)
            .env("GIT_SSH_COMMAND", ssh)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        run(&mut command).await
    }
}

/// What the command says, when it succeeds in time.
async fn run(command: &mut Command) -> Result<String, String> {
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.map_err(|_| "it took too long")?.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
