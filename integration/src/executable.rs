//! Finding the programs under test.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The `nutshell` executable of the build that this test or benchmark belongs to.
///
/// # Panics
/// When it was not built: `cargo build --workspace` builds it.
#[must_use]
pub fn nutshell() -> PathBuf {
    built("nutshell")
}

/// An executable of this workspace.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    // target/debug/deps/integration-… for a test, target/release/bench for a benchmark.
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|p| p.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not built: run `cargo build --workspace` first"))
}

/// The real `openstack` command: `OPENSTACK_CLIENT`, or the one in `PATH`.
#[must_use]
pub fn openstack() -> Option<PathBuf> {
    std::env::var_os("OPENSTACK_CLIENT").map(PathBuf::from).or_else(|| in_path("openstack"))
}

/// The Python that has boto3 and libcloud: it is installed beside the `openstack` command.
///
/// # Panics
/// When there is no `openstack` command.
#[must_use]
pub fn openstack_python() -> PathBuf {
    let openstack = openstack();
    let openstack =
        openstack.expect("the `openstack` command is needed: `integration/check` installs it");
    openstack.with_file_name("python")
}

/// Where npm put the package `oidc-provider`: `OIDC_PROVIDER`, or where `integration/check` puts it.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn oidc_provider() -> PathBuf {
    let version = include_str!("../oidc-provider.version").trim();
    let fetched = || Some(cache()?.join(format!("oidc-provider-{version}")));
    let place = std::env::var_os("OIDC_PROVIDER").map(PathBuf::from).or_else(fetched);
    place
        .filter(|place| place.join("node_modules/oidc-provider").is_dir())
        .expect("npm's package oidc-provider is needed: `integration/check` installs it")
}

/// The files of WordPress: `WORDPRESS`, or where `integration/check` puts them.
///
/// # Panics
/// When they are not there.
#[must_use]
pub fn wordpress() -> PathBuf {
    let named = std::env::var_os("WORDPRESS").map(PathBuf::from);
    let place = named.or_else(|| Some(cache()?.join("wordpress")));
    place
        .map(|place| place.join("wordpress"))
        .filter(|place| place.is_dir())
        .expect("WordPress is needed: `integration/check` fetches it")
}

/// Where `integration/check` puts what it fetches.
fn cache() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(cache.join("nutshell"))
}

/// The program that tries an API against its document: `SCHEMATHESIS`, or the one in `PATH`.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn schemathesis() -> PathBuf {
    let named = std::env::var_os("SCHEMATHESIS").map(PathBuf::from);
    named
        .or_else(|| in_path("schemathesis"))
        .expect("schemathesis is needed: `integration/check` installs it")
}

/// A program of this machine.
#[must_use]
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| candidate.is_file())
}

/// Where user-data looks for the executable before it fetches it.
///
/// # Errors
/// When the executable cannot be read.
pub fn place_in_servers(executable: &Path) -> std::io::Result<PathBuf> {
    let mut file = File::open(executable)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let hash = format!("{:x}", hash.finalize());
    Ok(PathBuf::from(format!("/opt/nutshell/{}/nutshell", &hash[..16])))
}
