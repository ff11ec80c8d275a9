//! The code versions in a node, each whole and under its own name, so that what is asked of one
//! version never finds a file of another.
//!
//! ```text
//! <directory>/code-pw1LKs    unpacked code; the same path in every node
//! <directory>/.<word>        one that is being unpacked; gone after a restart
//! <directory>/.upload-…      its archive
//! <link>                     → <directory>/code-pw1LKs: in proxies, the one users see
//! ```

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use protocol::{ApiError, CodeVersionId};

use super::account::Account;
use super::node::remove;
use crate::ServiceError;
use crate::code::{archive, random_name, receive};
use crate::manager_half::Content;

/// What a service does with code that was unpacked.
pub(crate) type Finish = fn(&Path) -> Result<(), ServiceError>;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Versions {
    directory: PathBuf,
    link: PathBuf,
    account: Account,
}

impl Versions {
    /// The versions below this directory; what an interrupted installation left is cleared away.
    pub(crate) fn open(cache: &Path, account: Account) -> Result<Self, ServiceError> {
        let (directory, link) = (cache.join("versions"), cache.join("www"));
        fs::create_dir_all(&directory).map_err(ServiceError::file(&directory))?;
        let versions = Self { directory, link, account };
        versions.clear(|name| name.starts_with('.'))?;
        Ok(versions)
    }

    /// Where the code of all versions is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What leads to the version users see.
    pub(crate) fn link(&self) -> &Path {
        &self.link
    }

    /// The versions that are here, whole.
    pub(crate) fn list(&self) -> Vec<CodeVersionId> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Whether this version is here, whole.
    pub(crate) fn has(&self, version: &CodeVersionId) -> bool {
        self.directory.join(version.as_str()).is_dir()
    }

    /// Receives an archive and unpacks it beside the others; nothing is left of one that cannot be.
    /// `finish` is shown the directory before it counts, and may change it or refuse it.
    pub(crate) async fn install(
        &self,
        version: &CodeVersionId,
        strip: bool,
        content: Content,
        finish: Finish,
    ) -> Result<(), ServiceError> {
        let refused = |error| match error {
            ServiceError::File { source, .. } if is_full(&source) => disk_is_full(version).into(),
            other => other,
        };
        let mut upload =
            receive(&self.directory, version.as_str(), content).await.map_err(refused)?;
        if !strip {
            upload.contents.wrapper = None;
        }
        let (versions, version) = (self.clone(), version.clone());
        let unpack = move || {
            let scratch = versions.directory.join(format!(".{}", random_name(12)));
            let unpacked = versions.unpack(&version, &upload, &scratch, finish);
            if unpacked.is_err() {
                // What cannot be removed now is removed by the next agent.
                let _ = fs::remove_dir_all(&scratch);
            }
            unpacked
        };
        tokio::task::spawn_blocking(unpack).await.expect("unpacking does not panic")
    }

    fn unpack(
        &self,
        version: &CodeVersionId,
        upload: &crate::code::Upload,
        scratch: &Path,
        finish: Finish,
    ) -> Result<(), ServiceError> {
        let failed = |source: io::Error| match is_full(&source) {
            true => disk_is_full(version).into(),
            false => ServiceError::file(scratch)(source),
        };
        fs::create_dir(scratch).map_err(failed)?;
        archive::unpack(&upload.path, &upload.contents, scratch).map_err(|error| match error {
            archive::ArchiveError::File(source) => failed(source),
            other => other.refusal(version.as_str()).into(),
        })?;
        finish(scratch).map_err(|error| match error {
            ServiceError::File { source, .. } => failed(source),
            other => other,
        })?;
        self.account.own_all(scratch).map_err(failed)?;
        match fs::rename(scratch, self.directory.join(version.as_str())) {
            // A call whose answer was lost has brought the same.
            Err(_) if self.has(version) => fs::remove_dir_all(scratch).map_err(failed),
            renamed => renamed.map_err(failed),
        }
    }

    /// Shows users this version from now on, in one step; says which one they saw before.
    pub(crate) fn show(
        &self,
        version: &CodeVersionId,
    ) -> Result<Option<CodeVersionId>, ServiceError> {
        let before = self.shown();
        if before.as_ref() != Some(version) {
            let next = self.link.with_extension("new");
            remove(&next)?;
            symlink(self.directory.join(version.as_str()), &next)
                .map_err(ServiceError::file(&next))?;
            fs::rename(&next, &self.link).map_err(ServiceError::file(&self.link))?;
        }
        Ok(before)
    }

    /// The version users see.
    pub(crate) fn shown(&self) -> Option<CodeVersionId> {
        fs::read_link(&self.link).ok()?.file_name()?.to_str()?.parse().ok()
    }

    /// Removes all versions but these.
    pub(crate) fn keep(&self, kept: &[CodeVersionId]) -> Result<(), ServiceError> {
        self.clear(|name| !kept.iter().any(|version| version.as_str() == name))
    }

    fn clear(&self, doomed: impl Fn(&str) -> bool) -> Result<(), ServiceError> {
        let entries = fs::read_dir(&self.directory).map_err(ServiceError::file(&self.directory))?;
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_none_or(&doomed) {
                continue;
            }
            let path = entry.path();
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(ServiceError::file(&path))?;
        }
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn disk_is_full(version: &CodeVersionId) -> ApiError {
    ApiError::conflict(format!("there is no room on the disk for {version}"))
        .hint("the version at work stays; use nodes with larger disks, or smaller code")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::StreamExt;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Content {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        let bytes = Bytes::from(builder.into_inner().unwrap());
        futures::stream::once(async move { Ok(bytes) }).boxed()
    }

    fn as_it_is(_: &Path) -> Result<(), ServiceError> {
        Ok(())
    }

    fn version(name: &str) -> CodeVersionId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn versions_lie_beside_each_other_and_one_is_shown() {
        let cache = tempfile::tempdir().unwrap();
        let versions = Versions::open(cache.path(), Account::Own).unwrap();
        let (a, b) = (version("code-a"), version("code-b"));
        versions.install(&a, false, archive(&[("index.php", "a")]), as_it_is).await.unwrap();
        assert_eq!(versions.show(&a).unwrap(), None);
        versions.install(&b, false, archive(&[("index.php", "b")]), as_it_is).await.unwrap();
        let seen = || fs::read_to_string(versions.link().join("index.php")).unwrap();
        assert_eq!(seen(), "a");
        assert_eq!(versions.show(&b).unwrap(), Some(a.clone()));
        assert_eq!(seen(), "b");
        // The answer to the first call was lost.
        versions.install(&b, false, archive(&[("index.php", "b")]), as_it_is).await.unwrap();
        versions.keep(std::slice::from_ref(&b)).unwrap();
        assert!(!versions.has(&a) && versions.has(&b));
        assert_eq!(fs::read_dir(versions.directory()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn an_enclosing_directory_is_taken_off_when_that_is_wished() {
        let cache = tempfile::tempdir().unwrap();
        let versions = Versions::open(cache.path(), Account::Own).unwrap();
        let files = [("blog/index.php", "x"), ("blog/a.css", "y")];
        versions.install(&version("code-a"), false, archive(&files), as_it_is).await.unwrap();
        versions.install(&version("code-b"), true, archive(&files), as_it_is).await.unwrap();
        assert!(versions.directory().join("code-a/blog/index.php").is_file());
        assert!(versions.directory().join("code-b/index.php").is_file());
    }

    #[tokio::test]
    async fn nothing_is_left_of_what_cannot_be_unpacked_or_was_interrupted() {
        let cache = tempfile::tempdir().unwrap();
        let versions = Versions::open(cache.path(), Account::Own).unwrap();
        let bad = futures::stream::once(async { Ok(Bytes::from_static(b"no archive")) }).boxed();
        assert!(versions.install(&version("code-a"), false, bad, as_it_is).await.is_err());
        fs::create_dir(versions.directory().join(".torn")).unwrap();
        let versions = Versions::open(cache.path(), Account::Own).unwrap();
        assert_eq!(fs::read_dir(versions.directory()).unwrap().count(), 0);
    }
}
