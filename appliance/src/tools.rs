//! The programs of others that do the work.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// A program, and the package of Debian that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub program: &'static str,
    /// The package.
    pub package: &'static str,
}

/// Makes root file systems of Debian's packages.
pub const MMDEBSTRAP: Tool = Tool { program: "mmdebstrap", package: "mmdebstrap" };
/// Makes file systems.
pub const MKE2FS: Tool = Tool { program: "mke2fs", package: "e2fsprogs" };
/// Makes boot loaders.
pub const GRUB_MKIMAGE: Tool = Tool { program: "grub-mkimage", package: "grub-common" };
/// Makes disks of other formats.
pub const QEMU_IMG: Tool = Tool { program: "qemu-img", package: "qemu-utils" };
/// Runs virtual machines.
pub const QEMU: Tool = Tool { program: "qemu-system-x86_64", package: "qemu-system-x86" };
/// Boots and provisions machines.
pub const PACKER: Tool = Tool { program: "packer", package: "packer" };
/// Asks pages.
pub const CURL: Tool = Tool { program: "curl", package: "curl" };
/// Keeps virtual machines on people's desks.
pub const VBOXMANAGE: Tool = Tool { program: "VBoxManage", package: "virtualbox" };

/// How much of what a program said last an error shows.
const LINES: usize = 3;

/// Finds what is missing, all at once.
///
/// # Errors
/// With what to install.
pub fn require(tools: &[Tool]) -> Result<(), Error> {
    let places: Vec<PathBuf> =
        std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let missing: Vec<&Tool> = tools
        .iter()
        .filter(|tool| !places.iter().any(|place| place.join(tool.program).is_file()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = |name: fn(&Tool) -> &str, between| {
        missing.iter().map(|tool| name(tool)).collect::<Vec<_>>().join(between)
    };
    Err(Error::NoPrograms {
        programs: list(|tool| tool.program, ", "),
        packages: list(|tool| tool.package, " "),
    })
}

/// A program that ends when this one does, however that ends.
#[must_use]
pub fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--", program]);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Runs a program to its end; what it says goes to a log.
///
/// # Errors
/// When it cannot be run, or fails.
pub fn run(mut command: Command, program: &'static str, log: &Path) -> Result<(), Error> {
    let file = File::create(log).map_err(Error::file("write", log))?;
    let copy = file.try_clone().map_err(Error::file("write", log))?;
    let started = command.stdout(file).stderr(copy).status();
    let status = started.map_err(Error::file("run", program))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { program, log: log.to_owned(), said: last_lines(log) })
}

/// What a program answers.
///
/// # Errors
/// When it cannot be run, or fails.
pub fn answer(tool: Tool, arguments: &[&str]) -> Result<String, Error> {
    let Tool { program, package } = tool;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoProgram { program, package },
        _ => Error::file("run", program)(error),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let complaint = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let path = PathBuf::from(arguments.first().copied().unwrap_or_default());
    Err(Error::Program { program, path, complaint: complaint.to_owned() })
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let missing = |program, package| Tool { program, package };
        let there = missing("sh", "dash");
        require(&[there]).unwrap();
        let error = require(&[missing("no-such-a", "a"), there, missing("no-such-b", "b")]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "these programs are missing: no-such-a, no-such-b; on Debian: apt-get install a b"
        );
    }

    #[test]
    fn a_failure_shows_what_was_said_last() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        let mut shell = bound("sh");
        shell.args(["-c", "for n in 1 2 3 4 5; do echo $n; done; exit 3"]);
        let error = run(shell, "sh", &log).unwrap_err().to_string();
        assert!(error.contains("3 / 4 / 5") && !error.contains("2 / 3"), "{error}");
    }
}
