//! A push: git takes it when the manager finds that it can be a code version.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::CodeVersionId;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use services::ServiceError;
use services::code::random_name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::Git;
use super::repository::Repository;

/// A commit that is to be a code version, exported to a file that goes with it.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// `git-<7 hex>`
    pub(crate) version: CodeVersionId,
    /// The first digits of the commit.
    pub(crate) name: String,
    /// The commit's first line.
    pub(crate) subject: String,
    /// A tar archive.
    pub(crate) archive: PathBuf,
    commit: String,
    _scratch: Arc<Scratch>,
}

impl Pushed {
    /// The commit of a repository.
    pub(super) async fn export(
        repository: &Repository,
        commit: &str,
    ) -> Result<Self, ServiceError> {
        let scratch = Scratch::new(&repository.scratch())?;
        let archive = scratch.0.join("code.tar");
        let subject = repository.export(commit, &archive).await?;
        Ok(Self::new(commit, &subject, archive, &scratch))
    }

    fn new(commit: &str, subject: &str, archive: PathBuf, scratch: &Arc<Scratch>) -> Self {
        let name = commit.get(..7).unwrap_or(commit).to_owned();
        let version = format!("git-{name}").parse().expect("hexadecimal digits");
        let (subject, commit) = (subject.trim().to_owned(), commit.to_owned());
        Self { version, name, subject, archive, commit, _scratch: Arc::clone(scratch) }
    }
}

/// A directory of its own for a push, gone with it.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new(below: &Path) -> Result<Arc<Self>, ServiceError> {
        let path = below.join(random_name(12));
        std::fs::create_dir_all(&path).map_err(ServiceError::file(&path))?;
        Ok(Arc::new(Self(path)))
    }

    fn pipe(&self, name: &str) -> Result<PathBuf, ServiceError> {
        let path = self.0.join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .map_err(|error| ServiceError::file(&path)(error.into()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The conversation with the hook of one push.
pub(super) struct Conversation {
    scratch: Arc<Scratch>,
    question: pipe::Receiver,
    answer: pipe::Sender,
}

impl Conversation {
    pub(super) fn new(repository: &Repository) -> Result<Self, ServiceError> {
        let scratch = Scratch::new(&repository.scratch())?;
        // Open both ways, so that neither opening waits for the hook.
        let both = |path: &Path| {
            let mut options = pipe::OpenOptions::new();
            options.read_write(true);
            (options, path.to_owned())
        };
        let (options, path) = both(&scratch.pipe("question")?);
        let question = options.open_receiver(&path).map_err(ServiceError::file(&path))?;
        let (options, path) = both(&scratch.pipe("answer")?);
        let answer = options.open_sender(&path).map_err(ServiceError::file(&path))?;
        Ok(Self { scratch, question, answer })
    }

    /// What the hook finds the pipes by.
    pub(super) fn place(&self) -> &Path {
        &self.scratch.0
    }

    /// Answers the hook, once it asks; what is then in the archives is good.
    pub(super) async fn answer(&mut self, git: &Git) -> Result<Vec<Pushed>, ServiceError> {
        let place = self.scratch.0.clone();
        self.question.read_u8().await.map_err(ServiceError::file(&place))?;
        let pushed = self.pushed()?;
        let mut answer = "yes\n".to_owned();
        for one in &pushed {
            let refused = match git.application() {
                Some(application) => application.check_pushed(one).await.err(),
                None => None,
            };
            if let Some(refusal) = refused {
                let hint = refusal.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                answer = format!("{}{hint}\n", refusal.message);
            }
        }
        let answered = self.answer.write_all(answer.as_bytes()).await;
        answered.map_err(ServiceError::file(&place))?;
        Ok(pushed)
    }

    fn pushed(&self) -> Result<Vec<Pushed>, ServiceError> {
        let entries =
            std::fs::read_dir(&self.scratch.0).map_err(ServiceError::file(&self.scratch.0))?;
        let mut pushed = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "tar")
                && let Some(commit) = path.file_stem().and_then(|commit| commit.to_str())
            {
                let subject = path.with_extension("subject");
                let subject = std::fs::read(&subject).map_err(ServiceError::file(&subject))?;
                let subject = String::from_utf8_lossy(&subject).into_owned();
                pushed.push(Pushed::new(commit, &subject, path.clone(), &self.scratch));
            }
        }
        Ok(pushed)
    }
}

/// After git has taken a push: those of its commits that a branch is at become code versions. Says what
/// the user should read.
pub(super) async fn register(git: &Git, pushed: Vec<Pushed>) -> Result<String, ServiceError> {
    git.repository.point_head().await?;
    let heads = git.repository.heads().await?;
    let mut told = String::new();
    let Some(application) = git.application() else { return Ok(told) };
    for one in pushed.iter().filter(|one| heads.contains(&one.commit)) {
        application.add_pushed(one).await?;
        told.push_str(&format!("code version: {}\n", one.version));
    }
    application.kept().await?;
    Ok(told)
}
