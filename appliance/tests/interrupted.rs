//! A build that is killed goes on where it was. What takes minutes is done by others' programs: scripts of the same names
//! stand in for them here, and have the build killed when they have done half of their work.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What all stand-ins begin with: `reached STEP FILE` leaves half a file and kills the build, if that is the step.
const COMMON: &str = r#"#!/bin/sh
set -eu
for last; do :; done
reached() {
    [ "$STOP_AT" = "$1" ] || return 0
    echo half >"$2"
    kill -9 $PPID
    exec sleep 60
}
"#;

const STAND_INS: [(&str, &str); 6] = [
    ("mke2fs", ""),
    ("qemu-system-x86_64", ""),
    (
        "mmdebstrap",
        r#"
        for word; do
            case $word in
            */base.tar.unfinished) reached base "$word" && echo base >"$word" ;;
            /dev/null) reached file-system "${WORK}/disk.raw" ;;
            esac
        done
        "#,
    ),
    (
        "grub-mkimage",
        r#"
        while [ "$1" != --output ]; do shift; done
        reached boot-loader "$2"
        echo grub >"$2"
        "#,
    ),
    (
        "packer",
        r#"
        for word; do
            case $word in
            -var=output=*) output=${word#-var=output=} ;;
            -var=disk=*) disk=${word#-var=disk=} ;;
            esac
        done
        mkdir "$output"
        reached machine "$output/machine.qcow2"
        cp "$disk" "$output/machine.qcow2"
        "#,
    ),
    // What it writes is read: the real one goes on.
    (
        "qemu-img",
        r#"
        case $last in
        */disk.qcow2.unfinished) reached disk "$last" ;;
        *.vmdk) [ "$1" != convert ] || reached output "$last" ;;
        esac
        exec "$REAL_QEMU_IMG" "$@"
        "#,
    ),
];

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("programs")).unwrap();
        for (name, script) in STAND_INS {
            let path = place.path("programs").join(name);
            fs::write(&path, format!("{COMMON}{script}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(place.path("nutshell.deb"), "a package").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn build(&self, stop_at: &str) -> Output {
        let others = std::env::var_os("PATH").unwrap();
        let places = std::iter::once(self.path("programs")).chain(std::env::split_paths(&others));
        let mut qemu_img = std::env::split_paths(&others).map(|place| place.join("qemu-img"));
        let qemu_img = qemu_img.find(|path| path.is_file()).expect("qemu-utils is installed");
        Command::new(env!("CARGO_BIN_EXE_appliance"))
            .args(["build", "--project", "..", "--accelerator", "tcg", "--package"])
            .arg(self.path("nutshell.deb"))
            .arg("--work")
            .arg(self.path("work"))
            .arg("--output")
            .arg(self.path("machine.ova"))
            .env("PATH", std::env::join_paths(places).unwrap())
            .env("WORK", self.path("work"))
            .env("REAL_QEMU_IMG", qemu_img)
            .env("STOP_AT", stop_at)
            .output()
            .unwrap()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_build_that_was_killed_goes_on_with_the_step_that_it_was_in() {
    const STEPS: [&str; 4] = ["base", "disk", "machine", "output"];
    for (stop_at, done) in [
        ("base", 0),
        ("file-system", 1),
        ("boot-loader", 1),
        ("disk", 1),
        ("machine", 2),
        ("output", 3),
    ] {
        let place = Place::new();
        let killed = place.build(stop_at);
        assert_eq!(killed.status.signal(), Some(9), "{stop_at}: {killed:?}");
        assert!(!place.path("machine.ova").exists());
        let whole = place.build("nowhere");
        assert!(whole.status.success(), "{stop_at}: {whole:?}");
        let said = String::from_utf8(whole.stderr).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), STEPS.len(), "{said}");
        for (index, (line, step)) in lines.iter().zip(STEPS).enumerate() {
            assert!(line.contains(step), "{said}");
            assert_eq!(line.ends_with("as before"), index < done, "{stop_at}: {said}");
        }
        assert_eq!(names(place.0.path()), ["machine.ova", "nutshell.deb", "programs", "work"]);
        let half = |name: &String| name.contains("unfinished") || name.ends_with(".raw");
        assert!(!names(&place.path("work")).iter().any(half), "{:?}", names(&place.path("work")));
        assert_eq!(appliance::check::check(&place.path("machine.ova")).unwrap(), []);
    }
}

#[test]
fn two_builds_do_not_share_a_work_directory() {
    let place = Place::new();
    fs::create_dir(place.path("work")).unwrap();
    let other = fs::File::open(place.path("work")).unwrap();
    other.lock().unwrap();
    let refused = place.build("nowhere");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("work is in use") && said.lines().count() == 1, "{said}");
}
