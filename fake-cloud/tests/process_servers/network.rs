//! A network of one's own for every server, though all share this machine's.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use fake_cloud::backends::Backend as _;
use fake_cloud::network::Network as _;

use crate::fixture::{Fixture, PATIENCE, server};

/// Waits for a request to a port that opens some time; returns the body of the answer.
async fn get(address: Ipv4Addr, port: u16) -> String {
    let address = SocketAddr::from((address, port));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = tokio::task::spawn_blocking(move || request(address)).await.unwrap();
        match answer {
            Ok(answer) => return answer,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{address}: {error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn request(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /me HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_bind_the_same_wildcard_port_answer_each_at_their_own_addresses() {
    let fixture = Fixture::new();
    let mut servers = vec![];
    for name in ["one", "two", "three"] {
        let script = format!(
            "mkdir /srv/www; cd /srv/www; echo {name} > me; exec /usr/bin/python3 -m http.server 8123"
        );
        let server = fixture.boot(&script).await;
        let floating =
            Ipv4Addr::new(127, 34, server.fixed_ip.octets()[2], server.fixed_ip.octets()[3]);
        fixture.network.associate(floating, server.fixed_ip).await.unwrap();
        servers.push((name, server, floating));
    }
    for (name, server, floating) in &servers {
        assert_eq!(get(server.fixed_ip, 8123).await.trim(), *name);
        assert_eq!(get(*floating, 8123).await.trim(), *name);
    }
}

/// Prints what a few ways to reach a port of one's own say.
const PRIVATE_LOCALHOST: &str = r#"exec /usr/bin/python3 - <<'END'
import socket, threading
def serve(listener):
    while True:
        connection, peer = listener.accept()
        connection.sendall(("from " + peer[0]).encode())
        connection.close()
def say(family, address):
    c = socket.socket(family); c.settimeout(5)
    try:
        c.connect(address); print(address[0], "says", c.recv(99).decode(), flush=True)
    except OSError as error:
        print(address[0], "fails", error, flush=True)
listener = socket.socket(); listener.bind(("127.0.0.1", 6379)); listener.listen()
print("bound to", listener.getsockname()[0], flush=True)
threading.Thread(target=serve, args=(listener,), daemon=True).start()
say(socket.AF_INET, ("127.0.0.1", 6379))
say(socket.AF_INET, ("0.0.0.0", 6379))
say(socket.AF_INET6, ("::1", 6379))
blocking = socket.create_connection(("localhost", 6379)); print("blocking", blocking.recv(99).decode(), flush=True)
six = socket.socket(socket.AF_INET6); six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
six.bind(("::", 6379)); six.listen(); print("only six", flush=True)
dual = socket.socket(socket.AF_INET6); dual.bind(("::", 6380)); dual.listen()
print("dual", dual.getsockname()[0], flush=True)
unbound = socket.socket(); unbound.listen(); print("unbound", unbound.getsockname()[0], flush=True)
udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(("", 5000)); print("udp", udp.getsockname()[0], flush=True)
unix = socket.socket(socket.AF_UNIX); unix.bind("/run/x"); unix.listen(); print("unix", flush=True)
try: socket.create_connection(("127.0.0.1", 1234))
except OSError as error: print("nobody:", error, flush=True)
END"#;

#[tokio::test]
async fn localhost_is_private() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.boot(PRIVATE_LOCALHOST).await, fixture.boot(PRIVATE_LOCALHOST).await);
    for server in [one, two] {
        let console = fixture.console_shows(server.id, "server: user-data ").await;
        let own = server.fixed_ip;
        for expected in [
            format!("bound to {own}\n"),
            format!("127.0.0.1 says from {own}\n"),
            format!("0.0.0.0 says from {own}\n"),
            format!("::1 says from {own}\n"),
            format!("blocking from {own}\n"),
            "only six\n".to_owned(),
            format!("dual ::ffff:{own}\n"),
            format!("unbound {own}\n"),
            format!("udp {own}\n"),
            "unix\n".to_owned(),
            "nobody: [Errno 111] Connection refused\n".to_owned(),
            "user-data finished".to_owned(),
        ] {
            assert!(console.contains(&expected), "{expected:?} in\n{console}");
        }
    }
}

#[tokio::test]
async fn a_listener_at_the_machines_localhost_cannot_be_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let fixture = Fixture::new();
    let console = fixture
        .output_of(&format!(
            "/usr/bin/python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'"
        ))
        .await;
    assert!(console.contains("ConnectionRefusedError"), "{console}");
}

#[tokio::test]
async fn the_metadata_service_sees_who_asks_at_either_of_its_addresses() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fixture = Fixture::new();
    let ask = |url: &str| {
        format!("/usr/bin/python3 -c 'import urllib.request as u; u.urlopen(\"{url}\")'\n")
    };
    let mut server =
        server(&(ask("http://169.254.169.254/x") + &ask(&format!("http://{address}/y"))));
    server.metadata_url = format!("http://{address}");
    fixture.backend.start(&server).await.unwrap();
    for _ in 0..2 {
        let (connection, peer) =
            tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        assert_eq!(peer.ip(), server.fixed_ip);
        drop(connection);
    }
}

#[tokio::test]
async fn neighbours_see_each_others_addresses() {
    let fixture = Fixture::new();
    let listener = fixture
        .boot(
            "exec /usr/bin/python3 -u -c 'import socket
l = socket.socket(); l.bind((\"\", 7000)); l.listen(); print(\"ready\")
while True: print(\"called by\", l.accept()[1][0])'",
        )
        .await;
    fixture.console_shows(listener.id, "ready").await;
    let caller = fixture
        .boot(&format!(
            "/usr/bin/python3 -c 'import socket; socket.create_connection((\"{}\", 7000))'",
            listener.fixed_ip
        ))
        .await;
    let expected = format!("called by {}\n", caller.fixed_ip);
    fixture.console_shows(listener.id, &expected).await;
}
