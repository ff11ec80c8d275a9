//! A user's own machine: a key, and a clone of each repository, which real git pushes from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::CodeVersionId;
use tokio::process::Command;
use tokio::time::timeout;

/// How long git may take, whatever becomes of the other end.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub struct Developer {
    directory: PathBuf,
}

impl Developer {
    /// Somebody who keeps all in this directory, which is made at the first need.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn key(&self) -> PathBuf {
        self.directory.join("key")
    }

    /// The public half of the key, which is made at the first need.
    ///
    /// # Errors
    /// What `ssh-keygen` says when it cannot.
    pub async fn public_key(&self) -> Result<Vec<u8>, String> {
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
    ///
    /// # Errors
    /// What `ssh-keygen` says when it cannot.
    pub async fn fingerprint(&self) -> Result<String, String> {
        self.public_key().await?;
        let told = run(Command::new("ssh-keygen").arg("-lf").arg(self.key())).await?;
        Ok(told.split(' ').nth(1).unwrap_or_default().to_owned())
    }

    /// Commits a file to the clone of this name and pushes it; the version that this made, once git
    /// says that it is there.
    ///
    /// # Errors
    /// What git says when it cannot, or the repository refuses.
    pub async fn push(
        &self,
        clone: &str,
        repository: &str,
        (name, content): (&str, &[u8]),
    ) -> Result<CodeVersionId, String> {
        self.public_key().await?;
        let clone = self.directory.join(clone);
        if !clone.exists() {
            std::fs::create_dir_all(&clone).map_err(|error| error.to_string())?;
            self.git(&clone, &["init", "--quiet", "--initial-branch=main"]).await?;
        }
        std::fs::write(clone.join(name), content).map_err(|error| error.to_string())?;
        self.git(&clone, &["add", "--all"]).await?;
        // The same file again is a version too.
        self.git(&clone, &["commit", "--quiet", "--allow-empty", "--message", "change"]).await?;
        self.git(&clone, &["push", "--quiet", repository, "HEAD:main"]).await?;
        let commit = self.git(&clone, &["rev-parse", "HEAD"]).await?;
        let version = format!("git-{}", commit.get(..7).unwrap_or_default());
        version.parse().map_err(|_| format!("`{commit}` is no commit"))
    }

    async fn git(&self, clone: &Path, arguments: &[&str]) -> Result<String, String> {
        let ssh = format!(
            "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            self.key().display()
        );
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=developer", "-c", "user.email=developer@localhost"])
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
