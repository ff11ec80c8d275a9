//! Archives of Generic applications, made on the spot.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A `.tar.gz` of these files.
#[must_use]
pub fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        // Straight into the header: a builder refuses the names that some tests need.
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, content.as_bytes()).expect("memory does not fail");
    }
    let mut encoder = tar.into_inner().expect("memory does not fail");
    encoder.flush().expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}
