//! What of TLS is too old to be spoken.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::World;

/// The first record of a handshake by a client that knows no later version.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]); // random
    hello.push(0); // no session
    hello.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x09]); // suites of 1.2 and of before
    hello.extend([1, 0]); // no compression
    // Extensions: ECDSA with P-256 and SHA-256, the group P-256, points uncompressed.
    hello.extend([0, 22, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn versions_before_1_2_are_refused() {
    let world = World::new().await;
    let address = world.url().replace("https://", "");
    // SSL 3, TLS 1.0 and 1.1 meet an alert; TLS 1.2 goes on with the handshake.
    for (minor, record) in [(0, 21), (1, 21), (2, 21), (3, 22)] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(&client_hello([3, minor])).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), record, "3.{minor}");
    }
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"GET /v1/healthz HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/"), "nothing is said in clear");
}
