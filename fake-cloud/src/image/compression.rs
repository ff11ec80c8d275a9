//! How an archive is compressed is seen in its first bytes.

use std::io::{self, BufRead, BufReader, Read};

/// Reads what was compressed, with gzip, Zstandard or not at all.
pub(super) fn decompressed<'a>(archive: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut archive = BufReader::with_capacity(1 << 16, archive);
    let start = archive.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(archive)))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = ruzstd::decoding::StreamingDecoder::new(archive);
        Ok(Box::new(decoder.map_err(io::Error::other)?))
    } else {
        Ok(Box::new(archive))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(archive: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = vec![];
        decompressed(archive)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn each_format_is_recognised() {
        assert_eq!(read(b"plain").unwrap(), b"plain");
        assert_eq!(read(b"").unwrap(), b"");
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gzip.write_all(b"content").unwrap();
        assert_eq!(read(&gzip.finish().unwrap()).unwrap(), b"content");
        let zstd = ruzstd::encoding::compress_to_vec(
            &b"content"[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        assert_eq!(read(&zstd).unwrap(), b"content");
        assert!(read(&[0x28, 0xb5, 0x2f, 0xfd, 0xff]).is_err());
    }
}
