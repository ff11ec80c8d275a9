//! Archives of applications, made on the spot.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

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

/// A zip archive of these files; a war is one.
#[must_use]
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).expect("memory does not fail");
        zip.write_all(content).expect("memory does not fail");
    }
    zip.finish().expect("memory does not fail").into_inner()
}
