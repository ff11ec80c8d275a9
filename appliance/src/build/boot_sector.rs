//! What stands before the file system of a disk, so that a BIOS boots it: the partition table and GRUB. Written
//! here, because GRUB's own installer wants the disk to be a device of this machine.

use crate::Error;

/// Where the only partition begins, in bytes; GRUB is before it.
pub(super) const PARTITION_START: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// How much of the first sector is code; the rest is the disk's number and the table.
const CODE: usize = 440;
const TABLE: usize = 446;
/// The type of a Linux file system.
const LINUX: u8 = 0x83;

/// The first bytes of a disk with one bootable partition. GRUB's first sector expects its second part right behind
/// itself, where this puts it.
///
/// # Errors
/// When GRUB is too long, or the disk for such a table.
pub(super) fn render(first: &[u8], second: &[u8], disk_bytes: u64) -> Result<Vec<u8>, Error> {
    let refused = |reason: &str| Err(Error::Refused(reason.to_owned()));
    if first.len() < CODE || second.len() as u64 > PARTITION_START - SECTOR {
        return refused("this GRUB does not fit before a partition");
    }
    let sectors = (disk_bytes.saturating_sub(PARTITION_START)) / SECTOR;
    let (Ok(start), Ok(sectors)) =
        (u32::try_from(PARTITION_START / SECTOR), u32::try_from(sectors))
    else {
        return refused("the disk is larger than 2 TiB");
    };
    let mut bytes = vec![0; SECTOR as usize];
    bytes[..CODE].copy_from_slice(&first[..CODE]);
    // Bootable; the old addresses by cylinder, head and sector say "see below".
    let entry = &mut bytes[TABLE..TABLE + 16];
    entry[..8].copy_from_slice(&[0x80, 0xfe, 0xff, 0xff, LINUX, 0xfe, 0xff, 0xff]);
    entry[8..12].copy_from_slice(&start.to_le_bytes());
    entry[12..].copy_from_slice(&sectors.to_le_bytes());
    bytes[510..].copy_from_slice(&[0x55, 0xaa]);
    bytes.extend_from_slice(second);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_begins_with_grub_and_one_partition() {
        let bytes = render(&[7; 512], &[9; 1000], 20 << 30).unwrap();
        assert_eq!(bytes.len(), 1512);
        assert_eq!((bytes[439], bytes[440], bytes[512]), (7, 0, 9));
        assert_eq!((bytes[446], bytes[450]), (0x80, LINUX));
        assert_eq!(u32::from_le_bytes(bytes[454..458].try_into().unwrap()), 2048);
        let sectors = u32::from_le_bytes(bytes[458..462].try_into().unwrap());
        assert_eq!((u64::from(sectors) + 2048) * 512, 20 << 30);
        assert_eq!(bytes[510..512], [0x55, 0xaa]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(render(&[0; 512], &vec![0; 1 << 20], 1 << 30).is_err());
        assert!(render(&[0; 100], &[], 1 << 30).is_err());
        assert!(render(&[0; 512], &[], 3 << 40).is_err());
    }
}
