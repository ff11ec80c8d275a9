//! New RSA keys, in the form in which EC2 and Nova give them away: PKCS#1 as PEM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;

use super::{Error, NewKey, colons, counted};

/// What EC2 and Nova make.
const BITS: usize = 2048;

/// Makes a key pair.
pub(super) fn generate() -> Result<NewKey, Error> {
    let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(|error| Error::Rsa(error.into()))?;
    written(&key)
}

fn written(key: &RsaPrivateKey) -> Result<NewKey, Error> {
    let private = key.to_pkcs1_pem(LineEnding::LF).map_err(|error| Error::Rsa(error.into()))?;
    let pkcs8 = key.to_pkcs8_der().map_err(|error| Error::Rsa(error.into()))?;
    let parts = [b"ssh-rsa".to_vec(), positive(key.e()), positive(key.n())];
    let blob: Vec<u8> = parts.iter().flat_map(|part| counted(part)).collect();
    Ok(NewKey {
        public: format!("ssh-rsa {}", STANDARD.encode(blob)),
        private: private.to_string(),
        private_digest: Some(colons(digest(&SHA1_FOR_LEGACY_USE_ONLY, pkcs8.as_bytes()))),
    })
}

/// A number as SSH writes it: a first bit of one would make it negative.
fn positive(number: &rsa::BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        bytes.insert(0, 0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::key_material::PublicKey;

    /// What a command of the real tools writes when it is given this.
    fn output(command: &str, input: &str) -> String {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn openssl_reads_the_key_and_finds_both_fingerprints() {
        let key = generate().unwrap();
        assert!(key.private.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        // The two commands with which EC2's documentation has one check a fingerprint.
        let created = "openssl pkcs8 -inform PEM -outform DER -topk8 -nocrypt | openssl sha1 -c";
        let expected = key.private_digest.clone().unwrap();
        let found = output(created, &key.private);
        assert!(found.trim_end().ends_with(&expected), "{found} {expected}");
        let imported = "openssl rsa -pubout -outform DER 2>/dev/null | openssl md5 -c";
        let expected = PublicKey::read(&key.public).unwrap().ec2_fingerprint().unwrap();
        let found = output(imported, &key.private);
        assert!(found.trim_end().ends_with(&expected), "{found} {expected}");
    }
}
