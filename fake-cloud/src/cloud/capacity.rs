//! What the machine that all servers run on has to give.

use std::path::Path;

use crate::model::Resources;

/// What this machine has, with its disk as the file system of a directory sees it.
pub(crate) fn capacity(directory: &Path) -> Resources {
    let memory = rustix::system::sysinfo();
    let bytes = u64::from(memory.mem_unit) * memory.totalram;
    let disk = rustix::fs::statvfs(directory).map_or(0, |disk| disk.f_blocks * disk.f_frsize);
    Resources {
        vcpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
        memory_mib: bytes >> 20,
        disk_gib: disk >> 30,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_something_of_everything() {
        let here = capacity(Path::new("/"));
        assert!(here.vcpus >= 1 && here.memory_mib >= 64, "{here:?}");
    }
}
