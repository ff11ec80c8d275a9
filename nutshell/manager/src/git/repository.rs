//! The bare repository, by the real git.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use protocol::ApiError;
use services::ServiceError;
use tokio::process::Command;

/// What a push may send at most.
const LARGEST_PUSH: &str = "1g";
/// Where git is looked for when the manager itself was started without this variable.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A push to one of these becomes a code version.
const BRANCHES: [&str; 2] = ["refs/heads/master", "refs/heads/main"];

/// Asks the manager, through two pipes, whether what is pushed can be code versions. Its exit status
/// decides for git. Blocks of 512 bytes: no archive needs more than a version may take.
const PRE_RECEIVE: &str = r#"#!/bin/sh
ulimit -f 2200000
while read -r old new ref; do
  case $ref in refs/heads/master|refs/heads/main) ;; *) continue ;; esac
  case $new in *[!0]*) ;; *) continue ;; esac
  git archive --format=tar --output="$NUTSHELL_PUSH/$new.tar" "$new" || exit 1
  git log -1 --format=%s "$new" >"$NUTSHELL_PUSH/$new.subject" || exit 1
done
echo ready >"$NUTSHELL_PUSH/question"
read -r answer <"$NUTSHELL_PUSH/answer"
[ "$answer" = yes ] && exit 0
echo "$answer" >&2
exit 1
"#;

/// The repository at this place.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    path: PathBuf,
}

impl Repository {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.join("HEAD").is_file()
    }

    /// Where pushes under way have their files; what is there when the manager starts, nobody needs.
    pub(super) fn scratch(&self) -> PathBuf {
        self.path.with_file_name(".pushes")
    }

    /// Makes it, or brings it to what it should be; clears away what a killed push left.
    pub(super) async fn create(&self) -> Result<(), ServiceError> {
        std::fs::create_dir_all(&self.path).map_err(ServiceError::file(&self.path))?;
        let scratch = self.scratch();
        match std::fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ServiceError::file(&scratch)(error));
            }
            _ => {}
        }
        let fresh = !self.exists();
        let mut init = self.git();
        init.args(["init", "--quiet", "--bare", "--template="]);
        if fresh {
            init.arg("--initial-branch=master");
        }
        self.output(init.arg(".")).await?;
        for (key, value) in [
            ("receive.maxInputSize", LARGEST_PUSH),
            ("receive.fsckObjects", "true"),
            // Few files, whatever the size of a push.
            ("receive.unpackLimit", "1"),
            ("gc.autoPackLimit", "50"),
            ("gc.autoDetach", "false"),
            ("gc.packRefs", "false"),
        ] {
            self.output(self.git().args(["config", key, value])).await?;
        }
        let hook = self.path.join("hooks/pre-receive");
        let hooks = self.path.join("hooks");
        std::fs::create_dir_all(&hooks).map_err(ServiceError::file(&hooks))?;
        std::fs::write(&hook, PRE_RECEIVE)
            .and_then(|()| std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)))
            .map_err(ServiceError::file(&hook))?;
        let objects = self.path.join("objects");
        for entry in std::fs::read_dir(&objects).map_err(ServiceError::file(&objects))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("tmp_objdir") {
                let path = entry.path();
                std::fs::remove_dir_all(&path).map_err(ServiceError::file(&path))?;
            }
        }
        Ok(())
    }

    /// git, in the repository, with nothing of this machine's or anybody's settings.
    pub(super) fn git(&self) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(&self.path)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned()))
            .env("HOME", &self.path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The commits that the branches for code are at.
    pub(super) async fn heads(&self) -> Result<Vec<String>, ServiceError> {
        let mut list = self.git();
        list.args(["for-each-ref", "--format=%(objectname)"]).args(BRANCHES);
        Ok(self.output(&mut list).await?.lines().map(str::to_owned).collect())
    }

    /// Who clones gets the branch that there is.
    pub(super) async fn point_head(&self) -> Result<(), ServiceError> {
        let mut list = self.git();
        list.args(["for-each-ref", "--format=%(refname)"]).args(BRANCHES);
        let branches = self.output(&mut list).await?;
        let head = self.output(self.git().args(["symbolic-ref", "HEAD"])).await?;
        if let Some(first) = branches.lines().next()
            && !branches.lines().any(|branch| branch == head.trim())
        {
            self.output(self.git().args(["symbolic-ref", "HEAD", first])).await?;
        }
        Ok(())
    }

    /// Writes a commit's tree as a tar archive, and says the commit's first line.
    pub(super) async fn export(&self, commit: &str, to: &Path) -> Result<String, ServiceError> {
        let mut archive = self.git();
        archive
            .args(["archive", "--format=tar", "--output"])
            .args([to.as_os_str(), OsStr::new(commit)]);
        self.output(&mut archive).await?;
        self.output(self.git().args(["log", "-1", "--format=%s", commit])).await
    }

    async fn output(&self, command: &mut Command) -> Result<String, ServiceError> {
        let output = command.output().await.map_err(|error| {
            tracing::error!(%error, "git cannot be run");
            ApiError::conflict("there is no git in the manager's VM")
                .hint("upload the code as an archive, or use an image with git")
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let failed = format!("{:?} failed: {}", command.as_std(), said.trim());
            return Err(ServiceError::file(&self.path)(std::io::Error::other(failed)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
