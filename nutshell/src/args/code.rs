//! Code versions and the keys for code by git: for every type of service that has code.

use std::path::PathBuf;

use clap::Subcommand;
use protocol::CodeVersionId;

use super::ServiceArgument;

/// What can be asked of services with code.
#[derive(Debug, Subcommand)]
pub(crate) enum CodeCommand {
    /// Upload a code version: an archive that expands in the current directory
    UploadCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// A .tar.gz, .tar.bz2, .tar or .zip archive
        file: PathBuf,
        /// What to say of it
        #[arg(long, short, default_value = "", hide_default_value = true)]
        description: String,
        /// Take off the one directory that all of it lies in
        #[arg(long)]
        strip: bool,
    },
    /// List the code versions
    #[command(visible_aliases = ["list-codes", "list-code"])]
    ListUploads(ServiceArgument),
    /// Let the holders of public SSH keys clone and push code with git
    UploadKey {
        #[command(flatten)]
        service: ServiceArgument,
        /// Public keys, one a line, such as ~/.ssh/id_ed25519.pub
        file: PathBuf,
    },
    /// List these keys, and where to clone from
    ListKeys(ServiceArgument),
    /// Let nobody in with a key any more
    DeleteKey {
        #[command(flatten)]
        service: ServiceArgument,
        /// Its fingerprint (SHA256:…), its comment, or the key itself
        key: String,
    },
    /// Bring a code version to work
    EnableCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list-uploads`
        code_version: CodeVersionId,
    },
    /// Delete a code version that is not at work
    DeleteCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list-uploads`
        code_version: CodeVersionId,
    },
    /// Download a code version into the working directory
    DownloadCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list-uploads` [default: the one at work]
        code_version: Option<CodeVersionId>,
        /// The same
        #[arg(long = "version", hide = true, conflicts_with = "code_version")]
        version: Option<CodeVersionId>,
    },
}
