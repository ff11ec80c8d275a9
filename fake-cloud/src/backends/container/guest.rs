//! What is put into a container before it starts: its first process, and what that needs.
//!
//! The first process is a shell script, because `/bin/sh` is the one program that every image has.
//! It waits for a line on its standard input, for nothing may run before the cloud has set up its
//! guard. It says what happens on the console, runs `/etc/rc.local`, and user-data once, reaps what is
//! orphaned, and ends everything when it is told to.

use std::fmt::Write as _;
use std::io;

use bytes::Bytes;
use tar::{Builder, EntryType, Header};

use crate::backends::ServerSpec;

/// The first process of every container.
pub(super) const INIT: &str = "/.fake-cloud/init";

/// Where cloud-init keeps user-data too.
const SCRIPT: &str = "/var/lib/cloud/instance/scripts/part-001";

/// The archive to unpack in the root directory of a server that is about to start.
pub(super) fn archive(server: &ServerSpec, metadata_url: &str) -> io::Result<Bytes> {
    let mut archive = Builder::new(vec![]);
    let mut file = |path: &str, mode, content: &[u8]| {
        let mut header = header(EntryType::Regular, mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path.trim_start_matches('/'), content)
    };
    file(INIT, 0o755, init(server, metadata_url).as_bytes())?;
    file("etc/machine-id", 0o444, format!("{}\n", server.id.simple()).as_bytes())?;
    if let Some(user_data) = &server.user_data {
        file("var/lib/cloud/instance/user-data.txt", 0o600, user_data)?;
        file(SCRIPT, 0o700, user_data)?;
    }
    if !server.authorized_keys.is_empty() {
        let keys = server.authorized_keys.join("\n") + "\n";
        archive.append_data(&mut header(EntryType::Directory, 0o700), "root/.ssh", io::empty())?;
        let mut header = header(EntryType::Regular, 0o600);
        header.set_size(keys.len() as u64);
        archive.append_data(&mut header, "root/.ssh/authorized_keys", keys.as_bytes())?;
    }
    Ok(archive.into_inner()?.into())
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn init(server: &ServerSpec, metadata_url: &str) -> String {
    let mut script = String::from("#!/bin/sh\nread -r _\n");
    // Writing to a string cannot fail.
    let _ = writeln!(script, "say() {{ echo \"server: $*\"; }}\nsay booting {}", server.hostname);
    script.push_str("{\necho 127.0.0.1 localhost\necho ::1 localhost ip6-localhost ip6-loopback\n");
    let myself = (server.fixed_ip, server.hostname.clone());
    let others = server.hosts.iter().filter(|other| **other != myself);
    for (address, name) in std::iter::once(&myself).chain(others) {
        let _ = writeln!(script, "echo {address} {}", quoted(name));
    }
    script.push_str("} > /etc/hosts\n");
    let _ = writeln!(script, "export METADATA_URL={}", quoted(metadata_url));
    script.push_str(RUN);
    match &server.user_data {
        Some(text) if text.starts_with(b"#!") => {
            let _ = writeln!(script, "once && run user-data {SCRIPT}");
        }
        Some(text) if !text.is_empty() => {
            script.push_str("once && say user-data is not a script: kept, not run\n");
        }
        Some(_) | None => script.push_str("once\n"),
    }
    script.push_str(STAY);
    script
}

/// A script in the background, and how it ended; whether this is the first boot, recorded first.
const RUN: &str = r#"
run() {
    say running "$1"
    (
        "$2" </dev/null
        code=$?
        if [ $code = 0 ]; then say "$1 finished"; else say "$1 failed with exit status $code"; fi
    ) &
}
once() { [ ! -e /.fake-cloud/booted ] && : > /.fake-cloud/booted; }
[ -x /etc/rc.local ] && run rc.local /etc/rc.local
"#;

/// Nothing more ever comes from the standard input: to read from it is to wait for ever. Whoever waits
/// in the foreground also takes leave of the orphans.
const STAY: &str = r#"
trap 'trap : TERM; say shutting down; kill -TERM -1 2>/dev/null; wait; exit 0' TERM
exec 3<&0
while :; do
    { read -r line <&3 || sleep 3600; } &
    wait $!
done
"#;

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::ImageSource;

    fn server(user_data: &[u8]) -> ServerSpec {
        ServerSpec {
            id: uuid::Uuid::nil(),
            hostname: "web".to_owned(),
            image: ImageSource::Opaque,
            layer: None,
            vcpus: 1,
            memory_mib: 1,
            disk_gib: 1,
            fixed_ip: "10.0.0.2".parse().unwrap(),
            interfaces: vec![],
            metadata_url: String::new(),
            meta_data: serde_json::Value::Null,
            user_data: Some(user_data.to_owned()),
            authorized_keys: vec!["ssh-rsa A".to_owned()],
            hosts: vec![("10.0.0.2".parse().unwrap(), "web".to_owned())],
            volumes: vec![],
        }
    }

    #[test]
    fn the_first_process_is_a_script_that_a_shell_understands() {
        for user_data in [&b"#!/bin/sh\n"[..], b"#cloud-config", b""] {
            let script = init(&server(user_data), "http://10.0.0.1/it's");
            let checked = std::process::Command::new("sh").args(["-nc", &script]).output().unwrap();
            assert!(checked.status.success(), "{checked:?}\n{script}");
            assert_eq!(script.matches("10.0.0.2 'web'").count(), 1);
            assert_eq!(script.contains("run user-data"), user_data.starts_with(b"#!"));
        }
    }

    #[test]
    fn keys_and_user_data_are_roots_alone() {
        let archive = archive(&server(b"#!/bin/sh\n"), "").unwrap();
        let mut archive = tar::Archive::new(&archive[..]);
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let modes: Vec<_> = entries
            .map(|entry| {
                let path = entry.path().unwrap().display().to_string();
                (path, entry.header().mode().unwrap())
            })
            .collect();
        for (path, mode) in [
            ("root/.ssh/authorized_keys", 0o600),
            ("root/.ssh", 0o700),
            ("var/lib/cloud/instance/scripts/part-001", 0o700),
            (".fake-cloud/init", 0o755),
        ] {
            assert!(modes.contains(&(path.to_owned(), mode)), "{path} in {modes:?}");
        }
    }
}
