//! A certificate authority as small as it can be.

use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    SanType,
};

use protocol::Identity;
use protocol::tls::{Credentials, Holder, Trust};

pub(crate) const INSTALLATION: &str = "test";

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::new(INSTALLATION, &self.certificate).unwrap()
    }

    pub(crate) fn holder(&self, identity: Identity) -> Arc<Holder> {
        let key = KeyPair::generate().unwrap();
        let certificate = params(identity).signed_by(&key, &self.issuer).unwrap().pem();
        Holder::new(&Credentials { certificate, key: key.serialize_pem() }).unwrap()
    }

    pub(crate) fn sign(&self, csr: &str, identity: Identity) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params = params(identity);
        request.signed_by(&self.issuer).unwrap().pem()
    }
}

fn params(identity: Identity) -> CertificateParams {
    let mut params = CertificateParams::default();
    let uri = Ia5String::try_from(identity.uri(INSTALLATION)).unwrap();
    params.subject_alt_names = vec![SanType::URI(uri)];
    params
}
