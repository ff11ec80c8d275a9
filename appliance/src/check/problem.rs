//! What can be wrong with an appliance, in words for who made it.

/// Something that is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file as a whole cannot be read.
    #[error("it is no archive, or not all of it arrived ({0}): fetch or pack it again")]
    NotAnArchive(String),
    /// Something else comes first.
    #[error("its first file is `{0}`: the descriptor (.ovf) must come first")]
    DescriptorNotFirst(String),
    /// There is nothing in it.
    #[error("nothing is in it: pack it again")]
    Empty,
    /// There is more than one descriptor.
    #[error("it has {0} descriptors: there must be one")]
    Descriptors(usize),
    /// A link, directory or device.
    #[error("`{0}` is no plain file: archives of machines have no directories and no links")]
    NotPlain(String),
    /// A name with a way in it.
    #[error("`{0}` names a place: files of machines have plain names")]
    Place(String),
    /// A name that several files have.
    #[error("it has several files `{0}`")]
    Twice(String),
    /// Nobody can tell whether it is whole.
    #[error("it has no manifest (.mf), so nobody can tell whether all of it arrived unchanged")]
    NoManifest,
    /// A line that cannot be read.
    #[error("its manifest has a line that is none: `{0}`")]
    ManifestLine(String),
    /// A digest of a kind that proves nothing.
    #[error("its manifest has a digest of the kind {algorithm} for `{name}`: SHA256 it must be")]
    Algorithm {
        /// The file.
        name: String,
        /// The kind.
        algorithm: String,
    },
    /// A file without a digest.
    #[error("its manifest does not mention `{0}`")]
    NotDigested(String),
    /// A digest without a file.
    #[error("its manifest mentions `{0}`, which is not there")]
    DigestOfNothing(String),
    /// A file has changed.
    #[error("`{0}` is not what its manifest says: fetch or pack it again")]
    Changed(String),
    /// A descriptor that cannot be read.
    #[error("its descriptor cannot be read: {0}")]
    Descriptor(String),
    /// A standard that VirtualBox does not know.
    #[error("its descriptor follows version {0} of the standard: 1.0 or 2.0 it must be")]
    Version(String),
    /// None or several machines.
    #[error("its descriptor describes no machine, or several: there must be one")]
    Machines,
    /// A file that is not there.
    #[error("its descriptor refers to `{0}`, which is not there")]
    FileMissing(String),
    /// A file of another size.
    #[error("`{name}` has {is} bytes, and {told} by the descriptor")]
    FileSize {
        /// The file.
        name: String,
        /// What the descriptor says.
        told: u64,
        /// What is so.
        is: u64,
    },
    /// A file that nobody asked for.
    #[error("`{0}` is there, and its descriptor does not refer to it")]
    Unreferenced(String),
    /// A disk of no file.
    #[error("the disk `{0}` has no file")]
    DiskWithoutFile(String),
    /// A format that is not for transport.
    #[error("the disk `{name}` is of the format {format}: VirtualBox takes stream-optimised VMDK")]
    DiskFormat {
        /// The disk.
        name: String,
        /// Its format.
        format: String,
    },
    /// A disk that is none.
    #[error("the disk file `{name}` cannot be used: {reason}")]
    Disk {
        /// The file.
        name: String,
        /// Why.
        reason: String,
    },
    /// A disk of another size.
    #[error("the disk `{name}` has {is} bytes, and {told} by the descriptor")]
    Capacity {
        /// The disk.
        name: String,
        /// What the descriptor says.
        told: String,
        /// What is so.
        is: u64,
    },
    /// Hardware that every machine has.
    #[error("the machine has no {0}")]
    Lacks(&'static str),
    /// Hardware that refers to nothing.
    #[error("a drive of the machine shows `{0}`, which is no disk of the descriptor")]
    DriveOfNothing(String),
    /// A network nobody knows.
    #[error("a network adapter is connected to `{0}`, which is no network of the descriptor")]
    Network(String),
    /// Hardware numbers that are given twice.
    #[error("several pieces of hardware have the number {0}")]
    Number(String),
    /// An operating system that is not told.
    #[error("VirtualBox is not told the operating system: it will guess the chipset and the clock")]
    OperatingSystem,
}
