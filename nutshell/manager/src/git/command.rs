//! What a client may ask the SSH server to run. Decisions only.

/// One of the two commands of git's transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Clone, fetch.
    UploadPack,
    /// Push.
    ReceivePack,
}

impl Command {
    /// Reads the command line that a git client sends.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        let line = std::str::from_utf8(line).unwrap_or_default();
        let (program, path) = line.split_once(' ').unwrap_or((line, ""));
        let command = match program {
            "git-upload-pack" => Self::UploadPack,
            "git-receive-pack" => Self::ReceivePack,
            _ => return Err("this key is for git alone: `git clone` the repository".to_owned()),
        };
        let path = path.trim().trim_matches('\'');
        let name = path.trim_start_matches("~/").trim_matches('/');
        match name.strip_suffix(".git").unwrap_or(name) {
            "code" | "home/git/code" => Ok(command),
            other => Err(format!(
                "there is no repository `{}` here; it is called `code`",
                other.escape_debug()
            )),
        }
    }

    /// git's word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

/// The version of git's protocol that a client may ask for.
pub(super) fn is_protocol(value: &str) -> bool {
    matches!(value, "version=0" | "version=1" | "version=2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gits_two_commands_on_the_one_repository_are_understood() {
        for good in ["'code'", "'/code'", "'code.git'", "'~/code'", "code", "'/home/git/code'"] {
            let line = format!("git-upload-pack {good}");
            assert_eq!(Command::parse(line.as_bytes()), Ok(Command::UploadPack), "{good}");
        }
        assert_eq!(Command::parse(b"git-receive-pack 'code'"), Ok(Command::ReceivePack));
        for bad in [
            "",
            "sh",
            "git-shell",
            "git-upload-archive 'code'",
            "git-upload-pack '../code'",
            "git-upload-pack 'code'; id",
            "git-upload-pack 'code' --strict",
            "git-receive-pack '/etc'",
            "git-receive-pack",
        ] {
            assert!(Command::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(is_protocol("version=2") && !is_protocol("version=2:x"));
    }
}
