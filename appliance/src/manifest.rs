//! The list of digests beside a descriptor: one line a file, `SHA256(name)= digest`.

use std::collections::BTreeMap;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// The digest of a content, as manifests write it.
///
/// # Errors
/// When it cannot be read.
pub fn digest(mut content: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut content, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The text of a manifest.
#[must_use]
pub fn render(digests: &[(&str, String)]) -> String {
    digests.iter().map(|(name, digest)| format!("SHA256({name})= {digest}\n")).collect()
}

/// Reads a manifest: the algorithm and the digest of each file.
///
/// # Errors
/// With the first line that is none of a manifest.
pub fn read(text: &str) -> Result<BTreeMap<&str, (&str, &str)>, &str> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| entry(line).ok_or(line))
        .collect()
}

fn entry(line: &str) -> Option<(&str, (&str, &str))> {
    let (algorithm, rest) = line.split_once('(')?;
    let (name, digest) = rest.rsplit_once(")=")?;
    Some((name, (algorithm.trim(), digest.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let digest = digest(&b"x"[..]).unwrap();
        assert_eq!(digest.len(), 64);
        let text = render(&[("a (1).ovf", digest.clone())]);
        assert_eq!(read(&text).unwrap()["a (1).ovf"], ("SHA256", digest.as_str()));
        assert_eq!(read("SHA1 (b.vmdk)= 00\n\n").unwrap()["b.vmdk"], ("SHA1", "00"));
        assert_eq!(read("nonsense\n").unwrap_err(), "nonsense");
    }
}
