//! Whether there is room for a build, before it begins.

use std::fs;
use std::path::Path;

use super::Flavour;
use crate::Error;

/// What the machine has while packer provisions it, in MiB.
pub(super) const MACHINE_MIB: u64 = 1536;
/// What QEMU itself needs beside.
const BESIDE_MIB: u64 = 256;

/// Refuses to begin where the disk or the memory will not do.
pub(super) fn check(directory: &Path, flavour: Flavour) -> Result<(), Error> {
    let status = rustix::fs::statvfs(directory)
        .map_err(|error| Error::file("measure the room in", directory)(error.into()))?;
    let free_mib = status.f_bavail.saturating_mul(status.f_frsize) >> 20;
    let path = "/proc/meminfo";
    let memory = fs::read_to_string(path).map_err(Error::file("read", path))?;
    judge(directory, flavour, free_mib, available_mib(&memory))
}

fn judge(
    directory: &Path,
    flavour: Flavour,
    free_mib: u64,
    memory_mib: Option<u64>,
) -> Result<(), Error> {
    if free_mib < flavour.room_mib() {
        return Err(Error::Refused(format!(
            "{} has {free_mib} MiB free, and a build takes {}; name another place with --work",
            directory.display(),
            flavour.room_mib()
        )));
    }
    match memory_mib {
        Some(memory) if flavour == Flavour::Lean && memory < MACHINE_MIB + BESIDE_MIB => {
            Err(Error::Refused(format!(
                "{memory} MiB of memory are free, and the machine that is provisioned takes {}",
                MACHINE_MIB + BESIDE_MIB
            )))
        }
        _ => Ok(()),
    }
}

/// What the kernel says programs can have.
fn available_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_of_either_is_refused_and_told() {
        let judged = |free, memory| {
            let judged = judge(Path::new("/work"), Flavour::Lean, free, memory);
            judged.map_err(|error| error.to_string())
        };
        judged(20_000, Some(8000)).unwrap();
        judged(20_000, None).unwrap();
        assert!(judged(100, Some(8000)).unwrap_err().contains("/work has 100 MiB free"));
        assert!(judged(20_000, Some(500)).unwrap_err().contains("500 MiB of memory"));
        judge(Path::new("/"), Flavour::Services, 20_000, Some(500)).unwrap();
    }

    #[test]
    fn the_kernels_own_words_are_read() {
        let text = "MemTotal:       24676152 kB\nMemAvailable:   23117824 kB\n";
        assert_eq!(available_mib(text), Some(22_576));
        assert_eq!(available_mib(""), None);
    }
}
