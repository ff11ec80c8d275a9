//! Volumes that are directories, and volumes that are block devices.

use std::process::Command as Process;

use tempfile::TempDir;

use super::*;

#[test]
fn a_device_is_looked_for_under_every_drivers_name() {
    assert_eq!(device_names("sdb"), ["sdb", "vdb", "xvdb", "sdb"]);
    assert_eq!(device_names("xvdf")[1], "vdf");
    assert_eq!(device_names("nvme1n1"), ["nvme1n1"]);
}

#[tokio::test]
async fn a_volume_that_is_a_directory_comes_and_goes() {
    let root = tempfile::tempdir().unwrap();
    let places = Places::new(root.path());
    let volume = root.path().join("mnt/volumes/sdb");
    fs::create_dir_all(&volume).unwrap();
    for _ in 0..2 {
        places.mount("data", "/dev/sdb").await.unwrap();
        fs::write(root.path().join("media/data/file"), "x").unwrap();
    }
    assert!(volume.join("file").is_file());
    for _ in 0..2 {
        places.unmount("data").await.unwrap();
    }
    assert!(volume.join("file").is_file() && !root.path().join("media/data").exists());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_never_shows_is_named() {
    let root = tempfile::tempdir().unwrap();
    let refused = Places::new(root.path()).mount("data", "/dev/sdb").await.unwrap_err();
    let told = ApiError::from(refused).message;
    assert_eq!(told, "the device `/dev/sdb` of the volume does not appear");
    assert!(!root.path().join("media/data").exists());
}

/// A node with a disk, in a mount namespace of its own.
struct Machine {
    root: TempDir,
    device: String,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let image = root.path().join("image");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let attached = Process::new("losetup").args(["--find", "--show"]).arg(&image).output();
        let device = String::from_utf8(attached.unwrap().stdout).unwrap().trim().to_owned();
        fs::create_dir(root.path().join("dev")).unwrap();
        // What the cloud calls `sdb` is `vdb` to this kernel.
        symlink(&device, root.path().join("dev/vdb")).unwrap();
        Self { root, device }
    }

    fn places(&self) -> Places {
        Places::new(self.root.path())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    async fn mount(&self) -> Result<(), String> {
        let mounted = self.places().mount("data", "/dev/sdb").await;
        mounted.map_err(|error| ApiError::from(error).message)
    }

    async fn unmount(&self) -> Result<(), String> {
        let unmounted = self.places().unmount("data").await;
        unmounted.map_err(|error| ApiError::from(error).message)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Process::new("losetup").args(["--detach", &self.device]).status();
    }
}

#[test]
fn a_disk_gets_a_file_system_once_and_loses_nothing() {
    const WITHIN: &str = "NUTSHELL_TEST_WITHIN";
    let name = "generic::mounts::tests::a_disk_gets_a_file_system_once_and_loses_nothing";
    if std::env::var_os(WITHIN).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(with_a_disk());
    }
    let may = |program: &str, argument: &str| {
        Process::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
    };
    if !may("losetup", "--find") || !may("unshare", "--mount") {
        return println!("skipped: this machine gives us no disk and no mount namespace");
    }
    // What is mounted goes with the namespace.
    let mut within = Process::new("unshare");
    within.arg("--mount").arg(std::env::current_exe().unwrap()).args(["--exact", name]);
    let ran = within.env(WITHIN, "yes").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

async fn with_a_disk() {
    let machine = Machine::new();
    for _ in 0..2 {
        machine.mount().await.unwrap();
    }
    fs::write(machine.path("media/data/file"), "precious").unwrap();
    let open = fs::File::open(machine.path("media/data/file")).unwrap();
    assert_eq!(machine.unmount().await.unwrap_err(), "the volume `data` is in use");
    drop(open);
    for _ in 0..2 {
        machine.unmount().await.unwrap();
    }
    assert!(!machine.path("media/data").exists());
    machine.mount().await.unwrap();
    assert_eq!(fs::read_to_string(machine.path("media/data/file")).unwrap(), "precious");
    machine.unmount().await.unwrap();

    // Anything else that is on it is not a file system's to take.
    let label = Process::new("mkswap").arg(&machine.device).output().unwrap();
    assert!(label.status.success());
    let refused = machine.mount().await.unwrap_err();
    assert_eq!(refused, "the volume cannot be used: `mount` failed in the node");
    let mut probe = Process::new("blkid");
    probe.args(["-p", "-s", "TYPE", "-o", "value", &machine.device]);
    assert_eq!(probe.output().unwrap().stdout, b"swap\n");

    // Nor is what cannot be read.
    fs::remove_file(machine.path("dev/vdb")).unwrap();
    let mut node = Process::new("mknod");
    node.arg(machine.path("dev/vdb")).args(["b", "7", "1048575"]);
    assert!(node.status().unwrap().success());
    assert_eq!(machine.mount().await.unwrap_err(), "the volume cannot be read in the node");
}
