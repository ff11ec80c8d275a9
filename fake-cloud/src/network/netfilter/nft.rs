//! Runs `nft`, in the namespace that the calling thread is in.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Where administrators' programs are, which an ordinary search path may lack.
const SYSTEM_PATH: &str = "/usr/sbin:/sbin";

fn nft() -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(OsString::from(format!(":{SYSTEM_PATH}")));
    let mut command = Command::new("nft");
    command.env("PATH", path);
    command
}

/// Whether there is such a table: not where there is no `nft`.
pub(crate) fn has_table(name: &str) -> bool {
    let listed = nft().args(["list", "table", "ip", name]).output();
    listed.is_ok_and(|listed| listed.status.success())
}

/// Applies commands, all of them or none.
pub(crate) fn apply(commands: &str) -> io::Result<()> {
    let spawned = nft()
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut nft = spawned.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            io::ErrorKind::NotFound,
            "there is no `nft` here: install the package nftables",
        ),
        _ => error,
    })?;
    let written = nft.stdin.take().map_or(Ok(()), |mut input| input.write_all(commands.as_bytes()));
    let output = nft.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = complaint.lines().next().unwrap_or("it does not say why");
        return Err(io::Error::other(format!("nft refuses the rules: {line}")));
    }
    written
}
