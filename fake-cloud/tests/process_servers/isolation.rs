//! What a server cannot do, even where the cloud is root's.

use std::os::unix::fs::MetadataExt as _;

use fake_cloud::backends::Backend as _;

use crate::fixture::Fixture;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[tokio::test]
async fn root_in_a_server_is_nobody_on_the_machine_and_owns_its_disk() {
    if !is_root() {
        return println!("skipped: only root can give servers users of their own");
    }
    let fixture = Fixture::new();
    let script = "
        echo map: $(cat /proc/self/uid_map)
        touch /srv/mine /srv/given /usr/local/bin/mine
        chown 33:12 /srv/given && chown 5 /etc/hosts && echo given
        umount /proc/sys /sys
        cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness && echo the machine obeys
        mknod /srv/disk b 7 0 && echo devices can be made
        mount -t tmpfs none /mnt && echo mounts are its own
        ls -l /usr/bin/env; echo over";
    let console = fixture.output_of(script).await;
    let map = console.split_once("map: 0 ").unwrap().1.split(' ').next().unwrap();
    assert!(map.parse::<u32>().unwrap() >= 0x7000_0000, "{console}");
    for expected in ["given\n", "mounts are its own\n", " root root ", "over\n"] {
        assert!(console.contains(expected), "{expected:?} in\n{console}");
    }
    for refused in ["the machine obeys", "devices can be made"] {
        assert!(!console.contains(refused), "{console}");
    }
    let id = fixture.backend.disks().await.unwrap()[0];
    let server = fixture.state.path().join("servers").join(id.to_string());
    let owner = |path: &str| {
        let found = server.join(path).metadata().unwrap();
        (found.uid(), found.gid())
    };
    assert_eq!(owner("disk/srv/mine"), (0, 0), "the disk can be moved to another machine");
    assert_eq!(owner("disk/srv/given"), (33, 12));
    assert_eq!(owner("layers/usr/upper/local/bin/mine"), (0, 0));
    assert_eq!(owner("layers/etc/upper/hosts"), (5, 0));
}

#[tokio::test]
async fn abstract_sockets_of_others_are_out_of_reach_and_its_own_work() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

    let name = format!("fake-cloud-test-{}", uuid::Uuid::new_v4());
    let _streams = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
    let datagrams = SocketAddr::from_abstract_name(format!("{name}-datagrams")).unwrap();
    let datagrams = UnixDatagram::bind_addr(&datagrams).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let script = format!(
        "cat > /srv/try.py <<'END'
import os, socket
def tried(what, call):
    try: call(); print(what, 'reached')
    except OSError as error: print(what, error.strerror)
stream = lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
datagram = lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
tried('stream', lambda: stream().connect('\\0{name}'))
tried('datagram', lambda: datagram().sendto(b'x', '\\0{name}-datagrams'))
own = stream(); own.bind('\\0{name}-own'); own.listen()
if os.fork() == 0: tried('own', lambda: stream().connect('\\0{name}-own')); os._exit(0)
own.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED); os.wait()
END
/usr/bin/python3 -u /srv/try.py"
    );
    let fixture = Fixture::new();
    let console = fixture.output_of(&script).await;
    assert!(console.contains("own reached"), "{console}");
    if console.contains("without abstract Unix sockets apart") {
        return println!("skipped: this kernel has no Landlock that knows of abstract sockets");
    }
    for what in ["stream", "datagram"] {
        assert!(console.contains(&format!("{what} Operation not permitted")), "{console}");
    }
    assert!(datagrams.recv(&mut [0; 8]).is_err(), "nothing came");
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn keys_of_the_machines_session_stay_there() {
    let id = "import ctypes; print('ring', ctypes.CDLL(None).syscall(250, 0, -3, 1))";
    let here = std::process::Command::new("/usr/bin/python3").args(["-c", id]).output().unwrap();
    let here = String::from_utf8(here.stdout).unwrap();
    let fixture = Fixture::new();
    let console = fixture.output_of(&format!("/usr/bin/python3 -c \"{id}\"")).await;
    assert!(here.starts_with("ring ") && console.contains("\nring "), "{here}{console}");
    assert!(!console.contains(&here), "{console}");
}
