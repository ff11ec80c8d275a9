//! The certificate of an authority: it names the installation, so that it is all a client needs.

use x509_parser::pem::parse_x509_pem;

const SUBJECT: &str = "Nutshell installation ";

/// The common name in the certificate of an installation's authority.
#[must_use]
pub fn authority_name(installation: &str) -> String {
    format!("{SUBJECT}{installation}")
}

/// The installation that an authority's certificate (PEM) names; `None` when it is none of ours.
#[must_use]
pub fn installation_of(ca_certificate: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(ca_certificate.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    name.strip_prefix(SUBJECT).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn an_authority_names_its_installation() {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, authority_name("home-1"));
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(installation_of(&certificate.pem()).as_deref(), Some("home-1"));
    }

    #[test]
    fn what_is_no_authority_names_no_installation() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(installation_of(text), None, "{text:?}");
        }
    }
}
