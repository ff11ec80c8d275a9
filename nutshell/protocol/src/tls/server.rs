//! Serving HTTPS: the handshakes run beside each other, a slow client holds up nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::unread::read_rest;
use super::{Peer, Trust, peer};

/// How long a client may take for its handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long requests under way may still take once the server is told to end.
const DRAIN_LIMIT: Duration = Duration::from_millis(300);

/// Accepts TLS connections; their peers are known before the first request is read.
pub struct TlsListener {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, Peer)>,
    local: SocketAddr,
}

impl TlsListener {
    /// Accepts on `listener` until it is dropped.
    ///
    /// # Errors
    /// When the listener has no local address.
    pub fn new(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        trust: Trust,
    ) -> std::io::Result<Self> {
        let local = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(64);
        tokio::spawn(accept_all(listener, TlsAcceptor::from(config), trust, sender));
        Ok(Self { accepted, local })
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    trust: Trust,
    sender: mpsc::Sender<(TlsStream<TcpStream>, Peer)>,
) {
    loop {
        let (stream, address) = tokio::select! {
            () = sender.closed() => return,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most often: try again when some may be free.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (acceptor, trust, sender) = (acceptor.clone(), trust.clone(), sender.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let certificate =
                        stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                    let identity =
                        certificate.and_then(|der| peer::identity(der, trust.installation()));
                    let serial = certificate.and_then(peer::serial);
                    let _ = sender.send((stream, Peer { identity, serial, address })).await;
                }
                Ok(Err(error)) => tracing::debug!(%address, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
            }
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The accepting task ends only when this listener is gone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(Peer { identity: None, serial: None, address: self.local })
    }
}

/// Serves the router until `shutdown`, then gives requests under way a moment to end.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TlsListener,
    router: Router,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let draining = shutdown.clone();
    let router = router.layer(from_fn(read_rest));
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<Peer>())
        .with_graceful_shutdown(async move { draining.cancelled().await });
    tokio::select! {
        ended = server => ended,
        () = async {
            shutdown.cancelled().await;
            // Long polls and event streams would hold the server for as long as they last.
            tokio::time::sleep(DRAIN_LIMIT).await;
        } => Ok(()),
    }
}
