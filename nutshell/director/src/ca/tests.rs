use std::os::unix::fs::PermissionsExt;

use protocol::ids::{ApplicationId, NodeId, ServiceId};

use super::*;

fn authority() -> (tempfile::TempDir, Authority) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::load_or_create(directory.path(), "home").unwrap();
    (directory, authority)
}

#[test]
fn the_key_is_secret_and_the_authority_stays_the_same() {
    let (directory, first) = authority();
    let mode = |name: &str| {
        fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("ca.key"), 0o600);
    assert_eq!(mode("ca.pem"), 0o644);
    let second = Authority::load_or_create(directory.path(), "home").unwrap();
    assert_eq!(first.certificate(), second.certificate());
}

#[test]
fn a_half_made_authority_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("ca.key"), "torn").unwrap();
    Authority::load_or_create(directory.path(), "home").unwrap();
}

#[test]
fn a_request_gets_our_names_and_not_its_own() {
    let (_directory, authority) = authority();
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec!["director.example".to_owned()])
        .unwrap()
        .serialize_request(&key)
        .unwrap()
        .pem()
        .unwrap();
    let identity =
        Identity::Agent { application: ApplicationId(1), service: ServiceId(2), node: NodeId(3) };
    let now = OffsetDateTime::now_utc();
    let request = RequestKey::read(&request).unwrap();
    let signed = authority.sign_request(identity, &request).unwrap();
    assert!((now + VM_VALIDITY - signed.expires).abs() < Duration::minutes(1));
    // What was written shows in the bytes: our URI, and nothing the request asked for.
    let body: String = signed.certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let der = decode_base64(&body);
    let holds = |text: &str| der.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("spiffe://home/application/1/service/2/agent/3"));
    assert!(!holds("director.example"));
    assert!(RequestKey::read("no request").is_none());
}

#[test]
fn the_director_answers_to_every_name_it_may_be_called_by() {
    let listening = "127.0.0.7".parse().unwrap();
    assert_eq!(
        director_hosts("https://10.0.0.1:5555", listening),
        ["localhost", "127.0.0.1", "10.0.0.1", "127.0.0.7"]
    );
    assert_eq!(
        director_hosts("https://localhost:1/x", "127.0.0.1".parse().unwrap()),
        ["localhost", "127.0.0.1"]
    );
}

fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for symbol in text.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == symbol).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}
