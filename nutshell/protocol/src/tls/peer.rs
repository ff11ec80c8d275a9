//! The caller of a request, as its connection proved it.

use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::server::TlsListener;
use crate::identity::Identity;

/// Who is at the other end, to be had in a handler as `ConnectInfo<Peer>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The holder of the client certificate; `None` when the client showed none.
    pub identity: Option<Identity>,
    /// Where the connection comes from.
    pub address: SocketAddr,
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        *stream.remote_addr()
    }
}

/// The identity a certificate names, when it names one of this installation.
pub(super) fn identity(certificate: &CertificateDer<'_>, installation: &str) -> Option<Identity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Identity::from_uri(uri, installation),
        _ => None,
    })
}
