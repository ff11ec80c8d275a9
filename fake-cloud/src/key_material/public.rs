//! Public keys as OpenSSH writes them, and the fingerprints by which they are known.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use rsa::pkcs8::EncodePublicKey;
use rsa::{BigUint, RsaPublicKey};
use sha2::Sha256;

use super::colons;

/// A public key of any algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    algorithm: String,
    blob: Vec<u8>,
}

impl PublicKey {
    /// Reads a line of `authorized_keys` without options; nothing when it is no such line.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let algorithm = words.next()?.to_owned();
        let blob = STANDARD.decode(words.next()?).ok()?;
        // The blob begins with the name of its algorithm, so that a cut or mixed-up key is noticed.
        let key = Self { algorithm, blob };
        let named = key.parts().next()? == key.algorithm.as_bytes();
        named.then_some(key)
    }

    /// The parts that it is made of.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.blob.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = after;
            Some(part)
        })
    }

    /// As Nova shows it, and `ssh-keygen -E md5`: MD5 of the key.
    pub(crate) fn fingerprint(&self) -> String {
        colons(Md5::digest(&self.blob))
    }

    /// As EC2 shows it: what `ssh-keygen` shows of an Ed25519 key, and MD5 of an RSA key in the
    /// form that other tools than SSH know. EC2 takes keys of no other algorithm.
    pub(crate) fn ec2_fingerprint(&self) -> Option<String> {
        match self.algorithm.as_str() {
            "ssh-ed25519" => Some(STANDARD.encode(Sha256::digest(&self.blob))),
            "ssh-rsa" => {
                let mut numbers = self.parts().skip(1).map(BigUint::from_bytes_be);
                let (exponent, modulus) = (numbers.next()?, numbers.next()?);
                let key = RsaPublicKey::new_unchecked(modulus, exponent);
                Some(colons(Md5::digest(key.to_public_key_der().ok()?.as_bytes())))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2lbJHdHRC9x7SSRsg8ETEWjNKgxVaGekc9/N0TFJ2q me@here";

    #[test]
    fn the_fingerprints_are_those_that_ssh_keygen_shows() {
        let key = PublicKey::read(KEY).unwrap();
        assert_eq!(key.fingerprint(), "38:1a:90:49:38:2e:11:2c:56:51:b9:fb:29:42:35:08");
        assert_eq!(
            key.ec2_fingerprint().as_deref(),
            Some("nbdDuMygup11YOdKhMzF/5qCulWiCsZWJ1KUK9iJMUU=")
        );
    }

    #[test]
    fn what_is_not_a_public_key_is_not_read() {
        for text in ["", "ssh-ed25519", "ssh-rsa notbase64!", &KEY.replace("ed25519 ", "rsa ")] {
            assert_eq!(PublicKey::read(text), None, "{text}");
        }
    }

    #[test]
    fn ec2_knows_no_fingerprint_of_other_keys_nor_of_cut_ones() {
        let text = |blob: &[u8]| format!("ssh-rsa {}", STANDARD.encode(blob));
        let cut = PublicKey::read(&text(b"\0\0\0\x07ssh-rsa\0\0\0\x01\x03\0\0")).unwrap();
        assert_eq!(cut.ec2_fingerprint(), None);
        let blob = b"\0\0\0\x13ecdsa-sha2-nistp256";
        let other = format!("ecdsa-sha2-nistp256 {}", STANDARD.encode(blob));
        assert_eq!(PublicKey::read(&other).unwrap().ec2_fingerprint(), None);
    }
}
