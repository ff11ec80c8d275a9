//! What root file systems servers boot from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fake_cloud::backends::{Backend as _, ImageSource, ServerSpec};
use fake_cloud::image::build::STEPS;

use crate::built_image;
use crate::fixture::{Fixture, server};

#[tokio::test]
async fn files_of_the_machine_are_shown_at_other_paths_read_only() {
    let fixture = Fixture::new();
    let here = fixture.state.path().join("tool");
    fs::write(&here, "#!/bin/sh\necho it works\n").unwrap();
    fs::set_permissions(&here, fs::Permissions::from_mode(0o755)).unwrap();
    let there = Path::new("/opt/mine/bin/tool").to_owned();
    let extra_files = vec![(here.clone(), there)];
    let server = ServerSpec {
        image: ImageSource::Host { extra_files },
        ..server("/opt/mine/bin/tool; echo broken > /opt/mine/bin/tool || echo read-only")
    };
    // The second start finds the mount point of the first.
    for _ in 0..2 {
        fixture.backend.start(&server).await.unwrap();
        let console = fixture.console_shows(server.id, "server: user-data ").await;
        assert!(console.contains("it works\n") && console.contains("read-only\n"), "{console}");
        fixture.backend.stop(server.id).await.unwrap();
    }
    assert!(fs::read_to_string(&here).unwrap().contains("it works"));
}

#[tokio::test]
async fn the_machine_is_not_changed_and_its_secrets_are_not_shown() {
    let fixture = Fixture::new();
    let marker = format!("fake-cloud-{}", uuid::Uuid::new_v4());
    let console = fixture
        .output_of(&format!(
            "for d in /etc /usr/local /var/lib /home /root /tmp /run /srv; do
                 echo x > $d/{marker} && echo wrote $d
             done
             cat /etc/shadow; ls /etc/ssh/ssh_host_* 2>&1; ls -A /var/lib/dpkg 2>&1 | wc -l"
        ))
        .await;
    for directory in ["/etc", "/usr/local", "/var/lib", "/home", "/root", "/tmp", "/run", "/srv"] {
        assert!(console.contains(&format!("wrote {directory}\n")), "{directory} in\n{console}");
        assert!(!Path::new(directory).join(&marker).exists(), "{directory}");
    }
    assert!(console.contains("root:*:"), "{console}");
    assert!(!console.contains("ssh_host_rsa_key\n"), "{console}");
}

/// The smallest root file system that can run a script: the machine's shell and its libraries.
fn make_image(root: &Path) {
    for directory in ["bin", "etc", "usr/bin"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let libraries = std::process::Command::new("ldd").arg("/bin/sh").output().unwrap().stdout;
    let libraries = String::from_utf8(libraries).unwrap();
    let files =
        libraries.split_whitespace().filter(|word| word.starts_with('/')).chain(["/bin/sh"]);
    for file in files {
        let target = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
    fs::write(root.join("etc/motd"), "the image\n").unwrap();
}

#[tokio::test]
async fn a_directory_boots_and_is_never_written_to() {
    let fixture = Fixture::new();
    let image = tempfile::tempdir().unwrap();
    make_image(image.path());
    let read = "while read line; do echo $line; done";
    let script = format!(
        "{read} < /etc/motd; {read} < /etc/hostname; echo changed > /etc/motd; {read} < /etc/motd
         echo nothing else: /usr/*/* /proc/1 /dev/null"
    );
    let server = ServerSpec {
        image: ImageSource::Directory { path: image.path().to_owned() },
        ..server(&script)
    };
    fixture.backend.start(&server).await.unwrap();
    let console = fixture.console_shows(server.id, "server: user-data ").await;
    assert!(console.contains("the image\nweb-1\nchanged\n"), "{console}");
    assert!(console.contains("nothing else: /usr/*/* /proc/1 /dev/null\n"), "{console}");
    assert_eq!(fs::read_to_string(image.path().join("etc/motd")).unwrap(), "the image\n");
    assert!(!image.path().join("etc/hostname").exists());
}

#[tokio::test]
async fn a_process_server_boots_a_built_image_that_is_built_once() {
    let first = built_image::build();
    let said = String::from_utf8(first.stdout).unwrap();
    if said.starts_with("tested: built, Debian") {
        let steps = String::from_utf8(first.stderr).unwrap();
        for (step, _) in STEPS {
            assert!(steps.contains(&format!("tested: {step}\n")), "{step} in\n{steps}");
        }
    }
    let again = String::from_utf8(built_image::build().stdout).unwrap();
    assert!(again.starts_with("tested: unchanged, Debian"), "{again}");

    let fixture = Fixture::new();
    let image = ImageSource::Directory { path: built_image::root() };
    let script = "cat /etc/built /etc/made; . /etc/os-release; echo this is $ID";
    let server = ServerSpec { image, ..server(script) };
    fixture.backend.start(&server).await.unwrap();
    let console = fixture.console_shows(server.id, "server: user-data ").await;
    let expected = "from Debian's packages\nmade by a command\nthis is debian\n";
    assert!(console.contains(expected), "{console}");
}
