//! Addresses of containers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use fake_cloud::backends::{Backend as _, ServerSpec};
use fake_cloud::model::firewall::{Allow, Traffic};
use fake_cloud::network::Network as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::fixture::{Fixture, PATIENCE, anything, everybody, with_engine};

/// Answers whoever comes with who they are.
const SERVE: &str = r#"exec perl -MSocket -e '
    socket(L, PF_INET, SOCK_STREAM, 0) or die; setsockopt(L, SOL_SOCKET, SO_REUSEADDR, 1);
    bind(L, sockaddr_in(8123, INADDR_ANY)) or die; listen(L, 9) or die;
    $| = 1; print "listening\n";
    while ($a = accept(C, L)) { print C "hello\n"; close C; }'"#;

/// Asks until the port is known to be open there.
async fn answer(address: Ipv4Addr) -> String {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(stream) = tokio::net::TcpStream::connect((address, 8123)).await {
            let mut text = String::new();
            let mut stream = tokio::io::BufReader::new(stream);
            tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut text).await.unwrap();
            return text;
        }
        assert!(tokio::time::Instant::now() < deadline, "{address} does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_floating_address_reaches_ports_that_open_before_and_after() {
    with_engine(async |fixture| {
        let (early, late) = (Ipv4Addr::new(127, 77, 1, 10), Ipv4Addr::new(127, 77, 1, 11));
        let fixed = Ipv4Addr::new(10, 77, 0, 2);
        fixture.network.associate(early, fixed).await.unwrap();
        let server = fixture.boot(2, SERVE, "listening").await;
        fixture.network.associate(late, fixed).await.unwrap();
        for address in [fixed, early, late] {
            assert_eq!(answer(address).await, "hello\n", "{address}");
        }
        fixture.network.disassociate(late).await;
        assert!(tokio::net::TcpStream::connect((late, 8123)).await.is_err());
        fixture.backend.stop(server.id).await.unwrap();
        assert!(tokio::net::TcpStream::connect((early, 8123)).await.is_err());
        fixture.backend.delete(server.id).await.unwrap();
    });
}

#[test]
fn the_metadata_service_answers_at_the_gateway() {
    with_engine(async |fixture| {
        let service = TcpListener::bind("127.0.0.1:5000").unwrap();
        // The way there is a task beside this one, which must not wait in a thread's manner.
        let answered = tokio::task::spawn_blocking(move || {
            let (mut client, _): (TcpStream, _) = service.accept().unwrap();
            client.write_all(b"it is me\n").unwrap();
            let _ = client.read(&mut [0; 64]);
        });
        let ask = r#"perl -MSocket -e '
            socket(S, PF_INET, SOCK_STREAM, 0) or die;
            connect(S, sockaddr_in(5000, inet_aton("10.77.0.1"))) or die; print scalar <S>;'"#;
        let server = fixture.boot(2, ask, "it is me").await;
        answered.await.unwrap();
        fixture.backend.delete(server.id).await.unwrap();
    });
}

/// Asks an address from within a server's network.
fn ask_from(fixture: &Fixture, server: &ServerSpec, address: Ipv4Addr) -> std::io::Result<String> {
    ask_within(PATIENCE, fixture, server, address)
}

/// As [`ask_from`], for a packet that should be lost on its way.
fn ask_in_vain(fixture: &Fixture, server: &ServerSpec, address: Ipv4Addr) -> std::io::Error {
    ask_within(Duration::from_millis(300), fixture, server, address)
        .expect_err("it is out of reach")
}

fn ask_within(
    limit: Duration,
    fixture: &Fixture,
    server: &ServerSpec,
    address: Ipv4Addr,
) -> std::io::Result<String> {
    let network = fixture.network_of(server);
    let asked = std::thread::spawn(move || {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(network.as_fd(), kind).unwrap();
        let mut stream = TcpStream::connect_timeout(&(address, 8123).into(), limit)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    });
    asked.join().unwrap()
}

#[test]
fn containers_reach_whom_the_groups_let_them() {
    with_engine(async |fixture| {
        let (one_at, two_at) = (Ipv4Addr::new(10, 77, 0, 2), Ipv4Addr::new(10, 77, 0, 3));
        let one = fixture.boot(2, SERVE, "listening").await;
        let two = fixture.boot(3, SERVE, "listening").await;
        let port = |port| Allow { traffic: Traffic::Ports(6, port..=port), ..anything() };
        assert_eq!(ask_from(&fixture, &one, two_at).unwrap(), "hello\n");
        fixture.network.guard(everybody(Some(port(80)))).await.unwrap();
        ask_in_vain(&fixture, &one, two_at);
        fixture.network.guard(everybody(Some(port(8123)))).await.unwrap();
        assert_eq!(ask_from(&fixture, &two, one_at).unwrap(), "hello\n");

        // What begins later is guarded as well, before anything runs in it.
        fixture.network.guard(everybody(None)).await.unwrap();
        fixture.backend.cut(two.id).await.unwrap();
        fixture.backend.start(&two).await.unwrap();
        ask_in_vain(&fixture, &one, two_at);
        let error = ask_in_vain(&fixture, &two, one_at);
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "lost on its way: {error}");

        let floating = Ipv4Addr::new(127, 77, 1, 10);
        fixture.network.associate(floating, one_at).await.unwrap();
        let mut stream = tokio::net::TcpStream::connect((floating, 8123)).await.unwrap();
        let read = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut String::new()).await;
        read.expect_err("nobody may come in from outside either");
        for server in [one, two] {
            fixture.backend.delete(server.id).await.unwrap();
        }
    });
}

#[test]
fn a_container_that_is_cut_off_reaches_nobody_until_it_rejoins() {
    with_engine(async |fixture| {
        let (one_at, two_at) = (Ipv4Addr::new(10, 77, 0, 2), Ipv4Addr::new(10, 77, 0, 3));
        let one = fixture.boot(2, SERVE, "listening").await;
        let two = fixture.boot(3, SERVE, "listening").await;
        fixture.network.cut_off(two_at).await.unwrap();
        ask_in_vain(&fixture, &one, two_at);
        ask_in_vain(&fixture, &two, one_at);
        fixture.network.rejoin(two_at).await;
        assert_eq!(ask_from(&fixture, &one, two_at).unwrap(), "hello\n");
        assert_eq!(ask_from(&fixture, &two, one_at).unwrap(), "hello\n");

        // A start does not undo it, and neither does an end.
        fixture.network.cut_off(two_at).await.unwrap();
        fixture.backend.cut(two.id).await.unwrap();
        fixture.backend.start(&two).await.unwrap();
        ask_in_vain(&fixture, &two, one_at);
        fixture.backend.cut(two.id).await.unwrap();
        fixture.network.rejoin(two_at).await;
        fixture.backend.start(&two).await.unwrap();
        assert_eq!(ask_from(&fixture, &two, one_at).unwrap(), "hello\n");
        for server in [one, two] {
            fixture.backend.delete(server.id).await.unwrap();
        }
    });
}
