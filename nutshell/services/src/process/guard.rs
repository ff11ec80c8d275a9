//! For tests: ends the programs they leave, however they end themselves.
//!
//! Programs are made to outlive their agent, so they outlive a test that fails or is killed.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its standard input, which comes with the end of the test's process. The
/// programs are known by their working directory or their home.
const WATCH: &str = r#"read -r _
found() {
    {
        find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1*"
        grep -lsF "=$1/" /proc/[0-9]*/environ
    } | cut -d / -f 3
}
while all=$(found "$1"); [ -n "$all" ]; do kill -KILL $all; done 2>/dev/null"#;

/// Ends whatever works below a directory, once it is dropped or the test's process is gone.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Watches over this directory, which belongs to one test.
    pub(crate) fn of(directory: &Path) -> Self {
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH, "guard"])
            .arg(directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Who kills the test kills its process group.
            .process_group(0)
            .spawn();
        Self(watcher.expect("there is a shell"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it does not end now it ends later.
        let _ = self.0.wait();
    }
}
