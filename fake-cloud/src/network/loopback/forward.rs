//! One port of a floating address, handed on to the same port of a fixed one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

/// Enough for full speed, little enough for thousands of connections.
const BUFFER: usize = 32 * 1024;

/// What is asked about a port while it is open.
pub(crate) struct Door {
    /// Whether a client with this address may come in.
    pub(crate) admits: Box<dyn Fn(Ipv4Addr) -> bool + Send>,
    /// Asked when the port behind the door refuses a connection: gives the listener back while the
    /// port is still meant to be open. Who closes it here can have it opened again at once.
    pub(crate) keep: Box<dyn Fn(TcpListener) -> Option<TcpListener> + Send>,
}

/// An open port; closed, with all its connections, when dropped.
#[derive(Debug)]
pub(crate) struct Forward(JoinHandle<()>);

impl Forward {
    /// Listens on `from` before it returns.
    pub(crate) fn start(
        runtime: &Handle,
        from: SocketAddrV4,
        to: SocketAddrV4,
        door: Door,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(from)?;
        listener.set_nonblocking(true)?;
        let _inside = runtime.enter();
        Ok(Self::of(TcpListener::from_std(listener)?, to, door))
    }

    /// Hands on what comes to a listener.
    pub(crate) fn of(listener: TcpListener, to: SocketAddrV4, door: Door) -> Self {
        Self(tokio::spawn(serve(listener, to, door)))
    }

    /// Returns when the port is closed and its connections are ended.
    pub(super) async fn close(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Accepts until the target is gone for good.
async fn serve(mut listener: TcpListener, to: SocketAddrV4, door: Door) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    loop {
        let refused = tokio::select! {
            accepted = listener.accept() => {
                match accepted {
                    Ok((client, SocketAddr::V4(address))) if (door.admits)(*address.ip()) => {
                        connections.spawn(hand_on(client, address, to));
                    }
                    Ok((client, _)) => refuse(&client),
                    Err(error) => {
                        tracing::warn!(%to, %error, "failed to accept a connection");
                        // Out of descriptors, most likely: nothing tells when there are some again.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
                false
            }
            Some(ended) = connections.join_next() => matches!(ended, Ok(Outcome::Refused)),
        };
        if refused {
            let Some(kept) = (door.keep)(listener) else { return };
            listener = kept;
        }
    }
}

enum Outcome {
    Ended,
    Refused,
}

/// As a refused connection looks like, as far as one that was accepted can.
fn refuse(client: &TcpStream) {
    // It is closed in any case.
    let _ = client.set_zero_linger();
}

async fn hand_on(mut client: TcpStream, address: SocketAddrV4, to: SocketAddrV4) -> Outcome {
    match connect(address, to).await {
        Ok(mut server) => {
            // Small messages must not wait for each other; that is up to the two ends.
            let _ = client.set_nodelay(true).and(server.set_nodelay(true));
            // A connection that breaks is broken for both ends; there is nobody else to tell.
            let _ = copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await;
            Outcome::Ended
        }
        Err(error) => {
            refuse(&client);
            match error.kind() {
                io::ErrorKind::ConnectionRefused => Outcome::Refused,
                _ => {
                    tracing::warn!(%address, %to, %error, "a connection is not handed on");
                    Outcome::Ended
                }
            }
        }
    }
}

/// Connects from the client's own address, so that the server sees who calls.
async fn connect(client: SocketAddrV4, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if client.ip().is_loopback() && to.ip().is_loopback() {
        // The source port is chosen when it is known where to: ports for all connections.
        let _ = crate::backends::process::sys::set_bind_address_no_port(&socket);
        socket.bind(SocketAddr::from((*client.ip(), 0)))?;
    }
    socket.connect(SocketAddr::V4(to)).await
}
