//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Why something could not be done. What lies below is the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step failed on a file.
    #[error("cannot {step} {}", path.display())]
    File {
        /// What was tried.
        step: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A program is missing.
    #[error("{program} is not installed; on Debian: apt-get install {package}")]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// Programs are missing.
    #[error("these programs are missing: {programs}; on Debian: apt-get install {packages}")]
    NoPrograms {
        /// Their names.
        programs: String,
        /// The Debian packages that have them.
        packages: String,
    },
    /// A program failed, and said much.
    #[error("{program} failed: {said}; all it said is in {}", log.display())]
    Failed {
        /// Its name.
        program: &'static str,
        /// Where all is that it said.
        log: PathBuf,
        /// What it said last.
        said: String,
    },
    /// A program failed.
    #[error("{program} failed on {}: {complaint}", path.display())]
    Program {
        /// Its name.
        program: &'static str,
        /// What it worked on.
        path: PathBuf,
        /// What it said, in one line.
        complaint: String,
    },
    /// A file is not the disk that it should be.
    #[error("{} is no disk that can be packed: {reason}", path.display())]
    NotADisk {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A descriptor cannot be read.
    #[error("the descriptor cannot be read")]
    Descriptor(#[from] quick_xml::DeError),
    /// What was asked for is not possible.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// For `map_err`.
    pub(crate) fn file(
        step: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { step, path, source }
    }
}
