//! The executable, on real disks: what it packs is as it should be, and what is not is told.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use appliance::check::{Problem, check};
use appliance::ova::{self, Content, Member};

/// Names and contents.
type Files = Vec<(String, Vec<u8>)>;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A disk of 64 MiB with something at its start.
    fn disk(&self) -> PathBuf {
        let disk = self.path("disk.qcow2");
        let raw = self.path("disk.raw");
        fs::write(&raw, "the beginning of a disk".repeat(10_000)).unwrap();
        File::options().write(true).open(&raw).unwrap().set_len(64 << 20).unwrap();
        let converted = Command::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .args([&raw, &disk])
            .status();
        assert!(converted.unwrap().success());
        disk
    }

    fn pack(&self, name: &str) -> PathBuf {
        let target = self.path(name);
        appliance().arg("pack").arg(self.disk()).arg("-o").arg(&target).assert().success();
        target
    }

    /// The files of an OVA, to be changed.
    fn unpack(&self, ova: &Path) -> Files {
        let mut archive = File::open(ova).unwrap();
        let listed = ova::list(&mut archive).unwrap();
        let content = |it: &ova::Packed, archive: &mut File| {
            let mut bytes = vec![];
            std::io::copy(&mut it.content(archive).unwrap(), &mut bytes).unwrap();
            bytes
        };
        listed.iter().map(|it| (it.name.clone(), content(it, &mut archive))).collect()
    }

    fn repack(&self, files: &[(String, Vec<u8>)]) -> PathBuf {
        let target = self.path("changed.ova");
        let members: Vec<_> = files
            .iter()
            .map(|(name, bytes)| Member { name, content: Content::Bytes(bytes) })
            .collect();
        ova::write(&mut File::create(&target).unwrap(), &members, 0).unwrap();
        target
    }
}

fn appliance() -> assert_cmd::Command {
    assert_cmd::cargo::cargo_bin_cmd!("appliance")
}

#[test]
fn what_is_packed_is_as_it_should_be() {
    let place = Place::new();
    let ova = place.pack("n.ova");
    assert_eq!(check(&ova).unwrap(), []);
    appliance().arg("check").arg(&ova).assert().success();
    let names: Vec<_> = place.unpack(&ova).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Nutshell.ovf", "Nutshell.mf", "Nutshell-disk1.vmdk"]);
    // The disk came through whole.
    let (_, disk) = place.unpack(&ova).pop().unwrap();
    fs::write(place.path("back.vmdk"), disk).unwrap();
    let compared = Command::new("qemu-img")
        .arg("compare")
        .args([place.path("disk.qcow2"), place.path("back.vmdk")])
        .output()
        .unwrap();
    assert!(compared.status.success(), "{compared:?}");
    let left: Vec<_> = fs::read_dir(place.0.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|it| !it.file_name().to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn the_same_disk_makes_the_same_bytes() {
    let place = Place::new();
    let [one, other] = ["one.ova", "other.ova"].map(|name| fs::read(place.pack(name)).unwrap());
    assert!(one == other);
}

#[test]
fn what_is_wrong_is_told() {
    let place = Place::new();
    let files = place.unpack(&place.pack("n.ova"));
    let problems = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        check(&place.repack(&files)).unwrap()
    };
    let edit = |files: &mut Files, from: &str, to: &str| {
        let text = String::from_utf8(files[0].1.clone()).unwrap();
        assert!(text.contains(from));
        files[0].1 = text.replace(from, to).into_bytes();
        // As if it had been meant.
        files.remove(1);
    };
    let disk = "Nutshell-disk1.vmdk".to_owned();

    assert_eq!(problems(&|it| it[2].1[5000] ^= 1), [Problem::Changed(disk.clone())]);
    assert_eq!(problems(&|it| drop(it.remove(1))), [Problem::NoManifest]);
    assert_eq!(
        problems(&|it| it.swap(0, 2)),
        [Problem::DescriptorNotFirst(disk.clone())],
        "all else is found wherever it is"
    );
    assert_eq!(
        problems(&|it| drop(it.remove(2))),
        [Problem::DigestOfNothing(disk.clone()), Problem::FileMissing(disk.clone())]
    );
    assert_eq!(
        problems(&|it| it.push(("stray.txt".to_owned(), vec![]))),
        [
            Problem::NotDigested("stray.txt".to_owned()),
            Problem::Unreferenced("stray.txt".to_owned())
        ]
    );
    assert!(problems(&|it| edit(it, "67108864", "1000")).contains(&Problem::Capacity {
        name: "disk1".to_owned(),
        told: "1000".to_owned(),
        is: 64 << 20
    }));
    assert!(
        problems(&|it| edit(it, "<rasd:Connection>HostOnly<", "<rasd:Connection>Moon<"))
            .contains(&Problem::Network("Moon".to_owned()))
    );
    assert!(
        problems(&|it| edit(it, "/disk/disk1", "/disk/disk2"))
            .contains(&Problem::DriveOfNothing("/disk/disk2".to_owned()))
    );
    assert!(
        problems(&|it| edit(it, "</VirtualSystem>", ""))
            .iter()
            .any(|it| matches!(it, Problem::Descriptor(_)))
    );
    assert!(
        problems(&|it| edit(it, "ovf:version=\"1.0\"", "ovf:version=\"3\""))
            .contains(&Problem::Version("3".to_owned()))
    );
}

#[test]
fn half_an_archive_is_told_from_a_whole_one() {
    let place = Place::new();
    let ova = place.pack("n.ova");
    let whole = fs::read(&ova).unwrap();
    for (length, bytes) in [(0, &whole[..0]), (100, &whole[..100]), (9000, &whole[..9000])] {
        fs::write(&ova, bytes).unwrap();
        let problems = check(&ova).unwrap();
        let expected = |it: &Problem| matches!(it, Problem::NotAnArchive(_) | Problem::Empty);
        assert!(problems.iter().any(expected), "{length} bytes: {problems:?}");
    }
}

#[test]
fn bad_input_leaves_nothing() {
    let place = Place::new();
    let refused = |arguments: &[&str], says: &str| {
        let target = place.path("n.ova");
        let run = appliance().arg("pack").args(arguments).arg("-o").arg(&target).assert().failure();
        let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
        assert!(!target.exists());
    };
    let disk = place.disk();
    let disk = disk.to_str().unwrap();
    refused(&["/nonexistent/disk.raw"], "No such file");
    let empty = place.path("empty.raw");
    File::create(&empty).unwrap().set_len(1 << 20).unwrap();
    refused(&[empty.to_str().unwrap()], "it is empty");
    refused(&[disk, "--name", "../evil"], "cannot name a machine");
    refused(&[disk, "--name", "a b"], "letters, digits");
    let nowhere = place.path("nowhere/n.ova");
    let run = appliance().args(["pack", disk, "-o"]).arg(&nowhere).assert().failure();
    assert!(String::from_utf8_lossy(&run.get_output().stderr).contains("nowhere"));
    appliance().arg("check").arg(disk).assert().failure();
}
