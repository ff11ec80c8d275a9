//! User-data in a server: kept as it was given, and unpacked to be run.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// What compressed content begins with.
const GZIP: &[u8] = b"\x1f\x8b";

/// The most that compressed user-data may hold.
const UNPACKED_MAX: u64 = 16 << 20;

/// User-data as it is meant: a client may have compressed it to keep within the API's limit.
pub(super) fn unpack(user_data: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    if !user_data.starts_with(GZIP) {
        return Ok(Cow::Borrowed(user_data));
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(user_data).take(UNPACKED_MAX + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > UNPACKED_MAX {
        return Err(io::Error::other(format!("it unpacks to more than {UNPACKED_MAX} bytes")));
    }
    Ok(Cow::Owned(unpacked))
}

/// Keeps user-data where cloud-init keeps it; gives the file to run.
pub(super) fn keep(home: &Path, given: &[u8], unpacked: &[u8]) -> io::Result<PathBuf> {
    let instance = home.join("var/lib/cloud/instance");
    std::fs::create_dir_all(instance.join("scripts"))?;
    let script = instance.join("scripts/part-001");
    let files = [(&instance.join("user-data.txt"), 0o600, given), (&script, 0o700, unpacked)];
    for (path, mode, content) in files {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?
            .write_all(content)?;
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_user_data_is_unpacked_within_bounds() {
        assert_eq!(unpack(b"#!/bin/sh").unwrap().as_ref(), b"#!/bin/sh");
        assert_eq!(unpack(&packed(b"#!/bin/sh")).unwrap().as_ref(), b"#!/bin/sh");
        assert!(unpack(&packed(b"#!/bin/sh")[..12]).is_err(), "it was cut");
        assert!(unpack(&packed(&vec![b' '; (UNPACKED_MAX + 1) as usize])).is_err());
    }

    #[test]
    fn what_was_given_is_kept_beside_what_is_run() {
        let home = tempfile::tempdir().unwrap();
        let script = keep(home.path(), b"given", b"run").unwrap();
        assert_eq!(std::fs::read(script).unwrap(), b"run");
        let given = home.path().join("var/lib/cloud/instance/user-data.txt");
        assert_eq!(std::fs::read(given).unwrap(), b"given");
    }
}
