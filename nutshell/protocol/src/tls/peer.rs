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
    /// Serial number of that certificate, by which the director tells a VM from its predecessor.
    pub serial: Option<u128>,
    /// Where the connection comes from.
    pub address: SocketAddr,
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        *stream.remote_addr()
    }
}

/// The serial number of a certificate, when it is one of ours: at most 16 bytes.
pub(super) fn serial(certificate: &CertificateDer<'_>) -> Option<u128> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let bytes = certificate.raw_serial();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    (significant.len() <= 16)
        .then(|| significant.iter().fold(0, |serial, byte| serial << 8 | u128::from(*byte)))
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
