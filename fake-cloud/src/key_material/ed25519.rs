//! New Ed25519 keys, in the form in which OpenSSH keeps them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::{NewKey, counted};

const ALGORITHM: &[u8] = b"ssh-ed25519";

/// How many characters of base64 a line has.
const LINE: usize = 70;

/// Makes a key pair.
pub(super) fn generate() -> NewKey {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    of_seed(&seed, rand::rng().next_u32())
}

/// The key pair of a seed; `check` is any number, by which readers see that they could read.
fn of_seed(seed: &[u8; 32], check: u32) -> NewKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes");
    let point = pair.public_key().as_ref();
    let public: Vec<u8> = [ALGORITHM, point].into_iter().flat_map(counted).collect();
    let both = [seed.as_slice(), point].concat();

    // The format is OpenSSH's own, PROTOCOL.key: no cipher, no derivation, one key.
    let check = check.to_be_bytes();
    let mut secret = [check, check].concat();
    for part in [ALGORITHM, point, &both, b""] {
        secret.extend(counted(part));
    }
    let missing = secret.len().next_multiple_of(8) - secret.len();
    secret.extend((1..=8).take(missing));
    let mut file = b"openssh-key-v1\0".to_vec();
    for part in [b"none".as_slice(), b"none", b""] {
        file.extend(counted(part));
    }
    file.extend(1_u32.to_be_bytes());
    file.extend(counted(&public));
    file.extend(counted(&secret));

    let text = STANDARD.encode(file);
    let mut private = "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(LINE) {
        private.extend(line.iter().copied().map(char::from));
        private.push('\n');
    }
    private.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    let public = format!("ssh-ed25519 {}", STANDARD.encode(public));
    NewKey { public, private, private_digest: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed and the public key of the first example in RFC 8032.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
    }

    #[test]
    fn the_public_key_belongs_to_the_seed() {
        let key = of_seed(bytes(SEED).as_slice().try_into().unwrap(), 7);
        let blob = STANDARD.decode(key.public.strip_prefix("ssh-ed25519 ").unwrap()).unwrap();
        assert!(blob.ends_with(&bytes(PUBLIC)) && blob.len() == 51);
        let lines: Vec<&str> = key.private.lines().collect();
        let file = STANDARD.decode(lines[1..lines.len() - 1].concat()).unwrap();
        assert!(file.starts_with(b"openssh-key-v1\0"));
        let both = [bytes(SEED), bytes(PUBLIC)].concat();
        assert!(file.windows(64).any(|window| window == both));
    }

    #[test]
    fn each_key_is_its_own() {
        assert_ne!(generate().public, generate().public);
    }
}
