//! What a server finds when it boots.

use fake_cloud::backends::Backend as _;
use fake_cloud::backends::process::capabilities;

use crate::fixture::{Fixture, server};

#[tokio::test]
async fn a_server_is_alone_in_its_world() {
    let fixture = Fixture::new();
    let console = fixture
        .output_of(
            "echo name=$(hostname) user=$(id -u) home=$HOME pid1=$(cat /proc/1/comm)
             echo processes=$(ls /proc | grep -c '^[0-9]')
             echo root-files=$(ls -A /root | tr '\\n' ' ')
             grep web-1 /etc/hosts; grep db-1 /etc/hosts; cat /root/.ssh/authorized_keys
             ls /home /srv /mnt; cat /run/metadata-url; echo url=$METADATA_URL
             ls -d /nonexistent",
        )
        .await;
    for expected in [
        "name=web-1 user=0 home=/root pid1=init\n",
        "root-files=.ssh\n",
        "ssh-ed25519 AAAA key\n",
        "127.33.0.9 db-1\n",
        "url=http://127.0.0.1:1\n",
        "server: user-data failed with exit status 2\n",
    ] {
        assert!(console.contains(expected), "{expected:?} in\n{console}");
    }
    let count: usize =
        console.split_once("processes=").unwrap().1.lines().next().unwrap().parse().unwrap();
    assert!(count < 10, "{console}");
}

#[tokio::test]
async fn only_a_script_is_run() {
    let fixture = Fixture::new();
    let mut server = server("");
    server.user_data = Some(b"#cloud-config\n{}\n".to_vec());
    fixture.backend.start(&server).await.unwrap();
    let console = fixture.console_shows(server.id, "user-data is not a script").await;
    assert!(!console.contains("running user-data"), "{console}");
}

#[tokio::test]
async fn the_environment_of_the_cloud_is_not_the_servers() {
    let fixture = Fixture::new();
    let console = fixture.output_of("env; umask; ls /proc/self/fd | wc -l").await;
    assert!(!console.contains("CARGO"), "{console}");
    // Standard input, output and error, and the directory being listed.
    assert!(console.contains("\n0022\n4\n"), "{console}");
}

#[tokio::test]
async fn a_server_uses_no_more_memory_than_it_has() {
    let limited = capabilities().into_iter().any(|it| it.name == "control groups" && it.available);
    if !limited {
        println!("skipped: this machine has no control groups for us");
        return;
    }
    let fixture = Fixture::new();
    let mut server = server("/usr/bin/python3 -c 'x = bytearray(200 << 20)'; echo ended with $?");
    server.memory_mib = 64;
    fixture.backend.start(&server).await.unwrap();
    let console = fixture.console_shows(server.id, "ended with").await;
    assert!(console.contains("ended with 137\n"), "{console}");
}

#[tokio::test]
async fn a_running_server_learns_the_names_of_its_neighbours() {
    let fixture = Fixture::new();
    let server =
        fixture.boot("until grep -q new-1 /etc/hosts; do sleep 0.02; done; cat /etc/hosts").await;
    let hosts = [(std::net::Ipv4Addr::new(127, 33, 0, 8), "new-1".to_owned())];
    fixture.backend.set_hosts(server.id, &hosts).await.unwrap();
    let console = fixture.console_shows(server.id, "user-data finished").await;
    let own = format!("{} web-1\n127.33.0.8 new-1\n", server.fixed_ip);
    assert!(console.contains(&own) && !console.contains("db-1"), "{console}");
    fixture.backend.set_hosts(uuid::Uuid::new_v4(), &hosts).await.unwrap();
}
