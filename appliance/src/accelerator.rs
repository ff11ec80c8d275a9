//! Whether the processor itself runs guests.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::tools::QEMU;

/// How QEMU runs a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Accelerator {
    /// The processor does it.
    Kvm,
    /// QEMU plays a processor: some twenty times slower.
    Tcg,
}

/// How long a guest of five bytes may take at most; the processor needs milliseconds.
const PATIENCE: &str = "4s";
/// `out 0xf4, al` with 0x10 in it ends QEMU with this code.
const SUCCESS: i32 = 0x10 << 1 | 1;
/// mov al, 0x10; out 0xf4, al; hlt
const GUEST: [u8; 5] = [0xb0, 0x10, 0xe6, 0xf4, 0xf4];
const SECTOR: usize = 512;

impl Accelerator {
    /// Its name, as QEMU and packer say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The faster one here. A device `/dev/kvm` says little: there are machines that have it, and whose guests stand
    /// still, or nearly. So each runs a guest that does nothing but end.
    ///
    /// # Errors
    /// When QEMU cannot be run at all.
    pub fn find() -> Result<Self, Error> {
        let time = |accelerator| time(accelerator).map_err(Error::file("run", QEMU.program));
        Ok(match time(Self::Kvm)? {
            Some(kvm) => faster(kvm, time(Self::Tcg)?),
            None => Self::Tcg,
        })
    }
}

/// By how long the same guest took. Both spend most of such a short time on QEMU's own start.
fn faster(kvm: Duration, tcg: Option<Duration>) -> Accelerator {
    match tcg {
        Some(tcg) if kvm > 3 * tcg => Accelerator::Tcg,
        _ => Accelerator::Kvm,
    }
}

fn time(accelerator: Accelerator) -> io::Result<Option<Duration>> {
    let mut disk = tempfile::NamedTempFile::new()?;
    let mut sector = [0; SECTOR];
    sector[..GUEST.len()].copy_from_slice(&GUEST);
    sector[SECTOR - 2..].copy_from_slice(&[0x55, 0xaa]);
    disk.write_all(&sector)?;
    let begun = Instant::now();
    let status = Command::new("timeout")
        .args(["--signal=KILL", PATIENCE, QEMU.program, "-accel", accelerator.name()])
        .args(["-m", "16", "-nodefaults", "-display", "none"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1"])
        .arg("-drive")
        .arg(format!("format=raw,if=ide,file={}", disk.path().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok((status.code() == Some(SUCCESS)).then(|| begun.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_crawls_is_left_alone() {
        let ms = Duration::from_millis;
        assert_eq!(faster(ms(80), Some(ms(100))), Accelerator::Kvm);
        assert_eq!(faster(ms(3700), Some(ms(100))), Accelerator::Tcg);
        assert_eq!(faster(ms(80), None), Accelerator::Kvm);
    }
}
