//! Addresses of containers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use fake_cloud::backends::Backend as _;
use fake_cloud::network::Network as _;

use crate::fixture::{PATIENCE, with_engine};

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
        let answered = std::thread::spawn(move || {
            let (mut client, _): (TcpStream, _) = service.accept().unwrap();
            client.write_all(b"it is me\n").unwrap();
            let _ = client.read(&mut [0; 64]);
        });
        let ask = r#"perl -MSocket -e '
            socket(S, PF_INET, SOCK_STREAM, 0) or die;
            connect(S, sockaddr_in(5000, inet_aton("10.77.0.1"))) or die; print scalar <S>;'"#;
        let server = fixture.boot(2, ask, "it is me").await;
        answered.join().unwrap();
        fixture.backend.delete(server.id).await.unwrap();
    });
}
