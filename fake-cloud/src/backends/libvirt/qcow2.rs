//! What an uploaded disk image is, read from its first bytes.

/// How much of a file [`inspect`] looks at.
pub(super) const HEADER: usize = 80;

/// A disk image that can be the base of a root disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskImage {
    /// As QEMU calls it.
    pub(super) format: &'static str,
    /// The size of the disk in it, in bytes; a raw one is as large as its file.
    pub(super) size: Option<u64>,
}

/// Tells what an image is from its first bytes, or why it is none that can be booted. What is not
/// qcow2 is taken for raw: an image that says otherwise could name files of this machine.
pub(super) fn inspect(header: &[u8]) -> Result<DiskImage, &'static str> {
    if !header.starts_with(b"QFI\xfb") {
        return Ok(DiskImage { format: "raw", size: None });
    }
    let (Some(version), Some(backing_file), Some(size)) =
        (number(header, 4..8), number(header, 8..16), number(header, 24..32))
    else {
        return Err("its header ends too soon");
    };
    // From version 3 on, a bit says that the data is in another file.
    let external_data =
        version >= 3 && number(header, 72..80).is_none_or(|bits| bits & 1 << 2 != 0);
    if backing_file != 0 || external_data {
        return Err("it refers to another file, which an uploaded image must not");
    }
    Ok(DiskImage { format: "qcow2", size: Some(size) })
}

/// The number that some bytes are, the most significant one first.
fn number(header: &[u8], bytes: std::ops::Range<usize>) -> Option<u64> {
    let bytes = header.get(bytes)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(backing_file: u8, features: u8) -> Vec<u8> {
        let mut header = vec![0; HEADER];
        header[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        header[15] = backing_file;
        header[24..32].copy_from_slice(&(3_u64 << 30).to_be_bytes());
        header[79] = features;
        header
    }

    #[test]
    fn an_image_is_known_by_its_beginning() {
        let raw = DiskImage { format: "raw", size: None };
        assert_eq!(inspect(b"\xeb\x63\x90 a boot sector"), Ok(raw));
        assert_eq!(inspect(b""), Ok(raw));
        let qcow2 = DiskImage { format: "qcow2", size: Some(3 << 30) };
        assert_eq!(inspect(&header(0, 0)), Ok(qcow2));
        assert_eq!(inspect(&header(0, 1)), Ok(qcow2), "dirty, but whole");
    }

    #[test]
    fn an_image_that_would_show_files_of_this_machine_is_refused() {
        assert!(inspect(&header(1, 0)).is_err());
        assert!(inspect(&header(0, 4)).is_err());
        assert!(inspect(b"QFI\xfb").is_err());
    }
}
