//! Floating addresses in front of real sockets.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A listener at a fixed address of the test's own, told to the network as a backend does.
async fn listen(network: &Loopback, fixed: Ipv4Addr) -> (TcpListener, u16) {
    let listener = TcpListener::bind((fixed, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    network.opened(fixed, port);
    (listener, port)
}

async fn answer_once(listener: &TcpListener) -> SocketAddr {
    let (mut stream, peer) = listener.accept().await.unwrap();
    let mut question = String::new();
    stream.read_to_string(&mut question).await.unwrap();
    stream.write_all(format!("you said {question}").as_bytes()).await.unwrap();
    peer
}

/// Sends, closes its sending half, and reads the answer to the end.
async fn ask(address: (Ipv4Addr, u16), question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(question.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn addresses(test: u8) -> (Ipv4Addr, Ipv4Addr) {
    (Ipv4Addr::new(127, 92, test, 1), Ipv4Addr::new(127, 92, test, 2))
}

#[tokio::test]
async fn ports_opened_before_and_after_answer_and_each_half_closes_alone() {
    let (floating, fixed) = addresses(1);
    let network = Loopback::new();
    let (before, port_before) = listen(&network, fixed).await;
    network.associate(floating, fixed).await.unwrap();
    let (after, port_after) = listen(&network, fixed).await;
    for (listener, port) in [(before, port_before), (after, port_after)] {
        let (answer, peer) = tokio::join!(ask((floating, port), "hello"), answer_once(&listener));
        assert_eq!(answer.unwrap(), "you said hello");
        assert_eq!(peer.ip(), Ipv4Addr::LOCALHOST, "the client's own address");
    }
}

#[tokio::test]
async fn a_port_nobody_told_of_is_found_when_the_address_is_associated() {
    let (floating, fixed) = addresses(2);
    let network = Loopback::new();
    let listener = TcpListener::bind((fixed, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    network.associate(floating, fixed).await.unwrap();
    let (answer, _) = tokio::join!(ask((floating, port), "hi"), answer_once(&listener));
    assert_eq!(answer.unwrap(), "you said hi");
}

#[tokio::test]
async fn disassociating_closes_ports_and_connections() {
    let (floating, fixed) = addresses(3);
    let network = Loopback::new();
    network.associate(floating, fixed).await.unwrap();
    let (listener, port) = listen(&network, fixed).await;
    let mut client = TcpStream::connect((floating, port)).await.unwrap();
    let (_server, _) = listener.accept().await.unwrap();

    network.disassociate(floating).await;
    assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
    let refused = TcpStream::connect((floating, port)).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    network.disassociate(floating).await;
}

#[tokio::test]
async fn associating_again_moves_the_address() {
    let (floating, first) = addresses(4);
    let second = Ipv4Addr::new(127, 92, 4, 3);
    let network = Loopback::new();
    let (_listener, old_port) = listen(&network, first).await;
    network.associate(floating, first).await.unwrap();
    network.associate(floating, second).await.unwrap();
    let refused = TcpStream::connect((floating, old_port)).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let (listener, port) = listen(&network, second).await;
    let (answer, _) = tokio::join!(ask((floating, port), "moved"), answer_once(&listener));
    assert_eq!(answer.unwrap(), "you said moved");
}

#[tokio::test]
async fn a_port_that_is_gone_is_closed_and_can_come_back() {
    let (floating, fixed) = addresses(5);
    let network = Loopback::new();
    let listener = TcpListener::bind((fixed, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Found, not told: so it is not taken for one that is about to listen.
    network.associate(floating, fixed).await.unwrap();
    drop(listener);

    // The connection that finds out is reset; when it is, the port may still be closing.
    ask((floating, port), "anyone?").await.unwrap_err();
    let closed = async {
        while TcpStream::connect((floating, port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();

    let listener = TcpListener::bind((fixed, port)).await.unwrap();
    network.opened(fixed, port);
    let (answer, _) = tokio::join!(ask((floating, port), "back"), answer_once(&listener));
    assert_eq!(answer.unwrap(), "you said back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_was_just_closed_can_be_opened_again_at_once() {
    let (floating, fixed) = addresses(10);
    let network = Loopback::new();
    network.associate(floating, fixed).await.unwrap();
    for _ in 0..20 {
        let (listener, port) = listen(&network, fixed).await;
        drop(listener);
        network.table().opened.clear();
        ask((floating, port), "anyone?").await.unwrap_err();
        let has = || network.table().associations[&floating].forwards.contains_key(&port);
        while has() {
            std::hint::spin_loop();
        }
        network.opened(fixed, port);
        assert!(has(), "its place is free");
    }
}

#[test]
fn a_port_that_is_told_of_during_a_look_counts_however_long_that_took() {
    let address = SocketAddrV4::new(Ipv4Addr::new(127, 92, 11, 2), 80);
    let network = Loopback::new();
    let looked = Instant::now().checked_sub(5 * ABOUT_TO_LISTEN).unwrap();
    let told = |at| {
        network.table().opened.insert(address, at);
        network.table().was_about_to_listen(address, looked)
    };
    assert!(told(looked + ABOUT_TO_LISTEN), "meanwhile");
    assert!(told(looked.checked_sub(ABOUT_TO_LISTEN / 2).unwrap()), "just before");
    assert!(!told(looked.checked_sub(2 * ABOUT_TO_LISTEN).unwrap()));
}

#[test]
fn a_port_that_cannot_be_opened_is_explained() {
    let explain = |errno| why_not_forwarded(&io::Error::from_raw_os_error(errno));
    assert!(explain(libc::EADDRINUSE).contains("every address"));
    assert!(explain(libc::EACCES).contains("below 1024"));
}

#[tokio::test]
async fn the_end_of_a_server_closes_its_ports_and_the_association_stays() {
    let (floating, fixed) = addresses(9);
    let network = Loopback::new();
    network.associate(floating, fixed).await.unwrap();
    let (_listener, port) = listen(&network, fixed).await;
    network.closed(fixed);
    assert!(network.table().associations[&floating].forwards.is_empty());
    assert!(network.table().opened.is_empty());
    // The listener is dropped by its own task.
    tokio::task::yield_now().await;
    network.opened(fixed, port);
    assert_eq!(network.table().associations[&floating].forwards.len(), 1);
}
