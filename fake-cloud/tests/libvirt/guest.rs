//! Real guests, in QEMU. Where the processor runs no guests they take some ten seconds each to
//! boot, and they need packages that not every machine has: so only
//! `cargo nextest run -p fake-cloud --features libvirt --profile libvirt-guest --run-ignored only`
//! runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use fake_cloud::backends::{Backend as _, ImageSource, ServerSpec, VolumeMount};
use fake_cloud::network::Network as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

use crate::built_image;
use crate::fixture::{Fixture, PATIENCE, PORT, server};

/// The root file system of the guests, made once.
fn tree() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libvirt-guest");
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libvirt/guest/build");
    let built = Command::new(build).arg(&place).status().unwrap();
    assert!(built.success(), "there is no guest");
    place.join("tree")
}

/// A libvirt of the test's own: QEMU's driver in this very process.
fn open(place: &Path) -> Fixture {
    let root = place.join("libvirt");
    fs::create_dir_all(root.join("etc")).unwrap();
    // Else it would want a daemon for its own logs, and a user who may not use KVM.
    let mut settings = "stdio_handler = \"file\"\n".to_owned();
    if rustix::process::geteuid().is_root() {
        settings.push_str("user = \"root\"\ngroup = \"root\"\n");
    }
    fs::write(root.join("etc/qemu.conf"), settings).unwrap();
    let uri = format!("qemu:///embed?root={}", root.display());
    Fixture::open(&uri, &place.join("state")).unwrap()
}

/// Where guests report to: for them this machine is their gateway.
struct Reports(TcpListener);

impl Reports {
    async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// For scripts: what is piped to it comes to the next [`Self::next`].
    fn command(&self) -> String {
        format!("nc $(cat /etc/gateway) {}", self.port())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    async fn next(&self) -> String {
        timeout(PATIENCE, self.receive()).await.unwrap().trim().to_owned()
    }

    async fn receive(&self) -> String {
        let (mut guest, _) = self.0.accept().await.unwrap();
        let mut text = String::new();
        guest.read_to_string(&mut text).await.unwrap();
        text
    }
}

async fn get(address: (std::net::Ipv4Addr, u16), path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a real guest: see the head of this file"]
async fn a_guest_runs_its_user_data_once_answers_at_its_address_and_shuts_down() {
    let place = tempfile::tempdir().unwrap();
    let fixture = open(place.path());
    let reports = Reports::open().await;
    let report = reports.command();
    // What a guest does at every boot is in /etc/at-boot; the first boot writes it.
    let server = server(
        &tree(),
        &format!(
            "echo the user-data runs\n\
             mkdir /srv; echo written once >> /srv/file\n\
             printf '#!/bin/sh\\nhttpd -p {PORT} -h /srv; echo up at $(cat /etc/address) | {report}\\n' > /etc/at-boot\n\
             chmod +x /etc/at-boot"
        ),
    );
    let (backend, id) = (&fixture.backend, server.id);
    let [_, second, third, fourth] = server.fixed_ip.octets();
    let up = format!("up at 10.{second}.{third}.{fourth}");

    let begin = Instant::now();
    backend.start(&server).await.unwrap();
    let running = begin.elapsed();
    assert_eq!(reports.next().await, up);
    eprintln!("running after {running:?}, its user-data ran after {:?}", begin.elapsed());

    let answer = get((server.fixed_ip, PORT), "/file").await;
    assert!(answer.ends_with("\r\n\r\nwritten once\n"), "{answer}");
    let floating = "127.34.0.1".parse().unwrap();
    fixture.network.associate(floating, server.fixed_ip).await.unwrap();
    assert!(get((floating, PORT), "/file").await.ends_with("written once\n"));
    fixture.network.disassociate(floating).await;

    // Frozen, it answers only once it is thawed.
    backend.pause(id, true).await.unwrap();
    let asking = tokio::spawn(get((server.fixed_ip, PORT), "/file"));
    backend.pause(id, false).await.unwrap();
    assert!(asking.await.unwrap().ends_with("written once\n"));

    backend.stop(id).await.unwrap();
    let console = backend.console(id, None).await.unwrap();
    for line in ["Linux version", "the user-data runs", "guest: booted", "guest: the power button"]
    {
        assert!(console.contains(line), "{line:?} is not in\n{console}");
    }
    assert!(TcpStream::connect((server.fixed_ip, PORT)).await.is_err());

    backend.start(&server).await.unwrap();
    assert_eq!(reports.next().await, up);
    let answer = get((server.fixed_ip, PORT), "/file").await;
    assert!(answer.ends_with("\r\n\r\nwritten once\n"), "its disk stays: {answer}");
    backend.delete(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a real guest: see the head of this file"]
async fn a_volume_keeps_its_data_from_one_guest_to_another() {
    let place = tempfile::tempdir().unwrap();
    let fixture = open(place.path());
    let reports = Reports::open().await;
    let report = reports.command();
    let tree = tree();
    let script = format!(
        "echo up | {report}\n\
         until [ -e /dev/vdb ]; do sleep 0.1; done\n\
         mkdir -p /mnt\n\
         mount /dev/vdb /mnt || {{ mke2fs /dev/vdb && mount /dev/vdb /mnt; }}\n\
         echo \"$(cat /mnt/note) seen\" | {report}\n\
         echo kept > /mnt/note; umount /mnt; echo done | {report}\n\
         until ! [ -e /dev/vdb ]; do sleep 0.1; done\n\
         echo gone | {report}"
    );
    let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
    let backend = &fixture.backend;
    backend.volume_create(volume.id, 1, None).await.unwrap();
    for expected in ["seen", "kept seen"] {
        let server = server(&tree, &script);
        backend.start(&server).await.unwrap();
        assert_eq!(reports.next().await, "up");
        backend.volume_attach(server.id, &volume).await.unwrap();
        assert_eq!(reports.next().await, expected);
        assert_eq!(reports.next().await, "done");
        backend.volume_detach(server.id, &volume).await.unwrap();
        assert_eq!(reports.next().await, "gone");
        backend.delete(server.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a real guest: see the head of this file"]
async fn an_uploaded_disk_image_boots() {
    let place = tempfile::tempdir().unwrap();
    let mut fixture = open(place.path());
    let raw = place.path().join("raw");
    fs::write(&raw, sector(b"this came from the disk\r\n")).unwrap();
    let qcow2 = place.path().join("qcow2");
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-f", "raw", "-O", "qcow2"]).arg(&raw).arg(&qcow2);
    assert!(convert.status().unwrap().success());
    for path in [raw, qcow2] {
        let server = ServerSpec { image: ImageSource::File { path }, ..server(Path::new("/"), "") };
        fixture.backend.start(&server).await.unwrap();
        let exit = timeout(PATIENCE, fixture.exits.recv()).await.unwrap().unwrap();
        assert_eq!((exit.id, exit.reason.as_str()), (server.id, "it shut down"));
        let console = fixture.backend.console(server.id, Some(1)).await.unwrap();
        assert!(console.contains("this came from the disk"), "{console:?}");
    }
}

/// Tells the port of this machine what cloud-init has made of the config drive, and what it would make
/// of the other one.
const CLOUD_INIT: &str = r#"#!/bin/bash
gateway=$(ip -4 route show default | cut -d ' ' -f 3)
exec 3<>/dev/tcp/$gateway/@PORT@
keys=$(grep -c mine /root/.ssh/authorized_keys)
echo $(cloud-id) $(hostname) $(hostname -I | cut -d ' ' -f 1) $keys >&3
python3 - >&3 <<'END'
from cloudinit import stages
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud
init = stages.Init()
init.read_cfg()
source = DataSourceNoCloud(init.cfg, init.distro, init.paths)
found = source.get_data()
print(found, source.metadata["local-hostname"], source.get_public_ssh_keys(),
      source.network_config["ethernets"]["net0"]["dhcp4"], len(source.userdata_raw) > 100)
END
"#;

/// Boots a server whose cloud-init runs a script; what that sends to the port it knows as `@PORT@`, and
/// what the console showed.
#[expect(clippy::print_stderr, reason = "how long it took is worth seeing")]
async fn reported(fixture: &Fixture, server: &mut ServerSpec, script: &str) -> (String, String) {
    let reports = Reports::open().await;
    let script = script.replace("@PORT@", &reports.port().to_string());
    server.user_data = Some(script.into_bytes());
    let begin = Instant::now();
    fixture.backend.start(server).await.unwrap();
    let report = timeout(PATIENCE * 4, reports.receive()).await;
    let console = fixture.backend.console(server.id, None).await.unwrap();
    let report = report.unwrap_or_else(|_| panic!("it does not report:\n{console}"));
    eprintln!("cloud-init ran its user-data after {:?}", begin.elapsed());
    fixture.backend.delete(server.id).await.unwrap();
    (report, console)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a real guest: see the head of this file"]
async fn cloud_init_in_a_guest_of_a_built_image_learns_what_it_is() {
    let place = tempfile::tempdir().unwrap();
    let fixture = open(place.path());
    let mut server = server(&built_image::root(), "");
    let key = "ssh-ed25519 AAAA mine";
    server.authorized_keys = vec![key.to_owned()];
    server.meta_data = serde_json::json!({
        "uuid": server.id, "hostname": "web-1", "name": "web-1", "public_keys": {"mine": key},
    });
    (server.memory_mib, server.disk_gib) = (768, 2);
    let [_, second, third, fourth] = server.fixed_ip.octets();
    let expected = format!(
        "configdrive web-1 10.{second}.{third}.{fourth} 1\nTrue web-1 ['{key}'] True True\n"
    );
    let (report, console) = reported(&fixture, &mut server, CLOUD_INIT).await;
    assert_eq!(report, expected, "{console}");
}

/// Tells which of the services' programs are there, whether one of them runs, and how large the disk is.
const SERVICES: &str = "#!/bin/bash
gateway=$(ip -4 route show default | cut -d ' ' -f 3)
exec >/dev/tcp/$gateway/@PORT@
cloud-id
command -v nginx php-fpm8.2 redis-server java mariadbd
systemctl is-active nginx php8.2-fpm redis-server mariadb
echo $(($(findmnt --noheadings --bytes --output size /) >> 30)) GiB
";

/// `integration/services-image` makes the disk and runs this.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a real guest, of a disk that takes minutes to make"]
async fn the_services_disk_boots_with_what_services_need() {
    let disk = std::env::var_os("SERVICES_DISK").expect("SERVICES_DISK names the disk");
    let place = tempfile::tempdir().unwrap();
    let fixture = open(place.path());
    let image = ImageSource::File { path: disk.into() };
    let mut server = ServerSpec { image, ..server(Path::new("/"), "") };
    server.meta_data =
        serde_json::json!({ "uuid": server.id, "hostname": "web-1", "name": "web-1" });
    (server.memory_mib, server.disk_gib) = (1024, 8);
    let programs = "/usr/sbin/nginx\n/usr/sbin/php-fpm8.2\n/usr/bin/redis-server\n/usr/bin/java\n\
                    /usr/sbin/mariadbd\n";
    let expected = format!("configdrive\n{programs}{}7 GiB\n", "inactive\n".repeat(4));
    let (report, console) = reported(&fixture, &mut server, SERVICES).await;
    assert_eq!(report, expected, "{console}");
}

/// A boot sector that writes to the serial port and switches the machine off.
fn sector(text: &[u8]) -> Vec<u8> {
    let mut sector = vec![
        0xfc, // cld
        0x31, 0xc0, 0x8e, 0xd8, // xor ax, ax; mov ds, ax
        0xbe, 0x20, 0x7c, // mov si, text
        0xba, 0xf8, 0x03, // mov dx, 0x3f8
        0xac, // next: lodsb
        0x84, 0xc0, 0x74, 0x03, // test al, al; jz off
        0xee, // out dx, al
        0xeb, 0xf8, // jmp next
        0xba, 0x04, 0x06, // off: mov dx, 0x604, the power management's control
        0xb8, 0x00, 0x20, 0xef, // mov ax, 0x2000; out dx, ax
        0xf4, // hlt
    ];
    sector.resize(0x20, 0x90);
    sector.extend(text);
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector
}
