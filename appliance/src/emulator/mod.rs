//! Boots an OVA under QEMU, and tells when its page answers.
//!
//! The machine is the one that VirtualBox makes: the same controllers and adapters, and a host-only network with a DHCP
//! server. QEMU plays the network, without any rights; what is on it is reached by [`Forward`]s.

mod command_line;

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

pub use self::command_line::{Forward, ForwardError, Hardware, arguments};
use crate::ova;
use crate::tools::{CURL, QEMU, QEMU_IMG, answer, bound, require};
use crate::{Error, check, scratch};

/// What the appliance writes to its serial port when its page answers; the address follows.
const READY: &str = "nutshell-appliance: ";
/// How much of what a machine said an error shows.
const LAST_LINES: usize = 5;

/// A machine that runs. It is ended when this is dropped, as by a power cut.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    lines: Receiver<String>,
    last: Vec<String>,
    page: Option<Forward>,
    // Removed with it, unless somebody wants to keep what the machine wrote.
    _scratch: tempfile::TempDir,
}

/// How a machine is to run.
#[derive(Debug)]
pub struct Settings {
    /// The OVA; it is only read.
    pub ova: PathBuf,
    /// Where all that the machine writes is kept, and found the next time; nowhere when not given.
    pub changes: Option<PathBuf>,
    /// Where everything goes that it writes to its serial port.
    pub console: Option<PathBuf>,
    /// The hardware.
    pub hardware: Hardware,
    /// What of it is reached, and where.
    pub forwards: Vec<Forward>,
}

impl Emulator {
    /// Starts it.
    ///
    /// # Errors
    /// When the OVA is none, or is broken, or QEMU does not start.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        require(&[QEMU, QEMU_IMG, CURL])?;
        let problems = check::check(&settings.ova)?;
        if let Some(problem) = problems.first() {
            return Err(Error::Refused(format!("{}: {problem}", settings.ova.display())));
        }
        let scratch = tempfile::tempdir().map_err(Error::file("make a directory in", "/tmp"))?;
        let changes =
            settings.changes.clone().unwrap_or_else(|| scratch.path().join("changes.qcow2"));
        if !changes.exists() {
            put_over(&settings.ova, &changes)?;
        }
        let words = arguments(settings.hardware, &changes, &settings.forwards);
        let started = bound(QEMU.program).args(words).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(Error::file("run", QEMU.program))?;
        let console = match &settings.console {
            Some(path) => Some(File::create(path).map_err(Error::file("write", path))?),
            None => None,
        };
        let lines = listen(process.stdout.take(), console);
        let page = settings.forwards.iter().find(|it| it.to.port() == 443).copied();
        Ok(Self { process, lines, last: vec![], page, _scratch: scratch })
    }

    /// Waits until the page answers, and asks it. Says where the machine thinks that it is.
    ///
    /// # Errors
    /// When it does not within this time, or the machine ends.
    pub fn wait(&mut self, patience: Duration) -> Result<String, Error> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(self.complaint("does not answer"));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(self.complaint("has ended"));
                }
            };
            if let Some(url) = ready_at(&line) {
                self.ask()?;
                return Ok(url.to_owned());
            }
            self.last.push(line);
            let surplus = self.last.len().saturating_sub(LAST_LINES);
            self.last.drain(..surplus);
        }
    }

    /// One request, as a browser would make it.
    fn ask(&self) -> Result<(), Error> {
        let Some(page) = self.page else { return Ok(()) };
        let url = format!("https://{}/", page.from);
        // The certificate is of the machine's own authority, which nobody knows yet.
        answer(
            CURL,
            &["--insecure", "--silent", "--show-error", "--fail", "--max-time", "120", &url],
        )
        .map(drop)
    }

    fn complaint(&self, what: &str) -> Error {
        Error::Refused(format!("the machine {what}; it said last: {}", self.last.join(" / ")))
    }

    /// Waits until it is switched off. Each time that its page answers again, after a reboot, `again` is told where.
    ///
    /// # Errors
    /// When the page does not answer after all, or the wait is interrupted.
    pub fn ended(&mut self, again: &mut dyn FnMut(&str) -> io::Result<()>) -> Result<(), Error> {
        while let Ok(line) = self.lines.recv() {
            if let Some(url) = ready_at(&line) {
                self.ask()?;
                again(url).map_err(Error::file("write", "stdout"))?;
            }
        }
        self.process.wait().map(drop).map_err(Error::file("wait for", QEMU.program))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the page answers, if that is what a line tells.
fn ready_at(line: &str) -> Option<&str> {
    line.split_once(READY)?.1.split_whitespace().next()
}

/// Hands on what a machine says, a line at a time, until it ends.
fn listen(
    stdout: Option<impl io::Read + Send + 'static>,
    console: Option<File>,
) -> Receiver<String> {
    let (said, lines) = mpsc::channel();
    thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        let mut console = console;
        let mut reader = BufReader::new(stdout);
        let mut line = vec![];
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if let Some(console) = &mut console {
                // What it says is told all the same.
                let _ = console.write_all(&line);
            }
            // Nobody may listen any more; QEMU must not wait for that.
            let _ = said.send(String::from_utf8_lossy(&line).trim().to_owned());
            line.clear();
        }
    });
    lines
}

/// Makes a disk that is the one in an OVA, until something is written to it.
fn put_over(archive: &Path, changes: &Path) -> Result<(), Error> {
    let archive = archive.canonicalize().map_err(Error::file("open", archive))?;
    let mut file = File::open(&archive).map_err(Error::file("open", &archive))?;
    let listed = ova::list(&mut file).map_err(Error::file("read", &archive))?;
    let disk = listed.iter().find(|it| it.name.ends_with(".vmdk"));
    let disk = disk.ok_or_else(|| Error::Refused(format!("{} has no disk", archive.display())))?;
    // Read where it is: it need not be taken out.
    let below = serde_json::json!({
        "driver": "vmdk",
        "file": {
            "driver": "raw", "offset": disk.start, "size": disk.length,
            "file": { "driver": "file", "filename": archive },
        },
    });
    let unfinished = scratch::unfinished(changes);
    let (backing, place) = (format!("json:{below}"), unfinished.to_string_lossy().into_owned());
    answer(QEMU_IMG, &["create", "-q", "-f", "qcow2", "-F", "vmdk", "-b", &backing, &place])?;
    fs::rename(&unfinished, changes).map_err(Error::file("write", changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_tells_of_the_page_is_found_among_others() {
        let told = "[   12.3] x\u{1b}[0m nutshell-appliance: https://192.168.56.101/ answers";
        assert_eq!(ready_at(told), Some("https://192.168.56.101/"));
        assert_eq!(ready_at("Starting nutshell.service - Nutshell..."), None);
    }

    #[test]
    fn what_is_no_ova_is_not_booted() {
        let place = tempfile::tempdir().unwrap();
        let ova = place.path().join("broken.ova");
        fs::write(&ova, "half a download").unwrap();
        let hardware = Hardware {
            accelerator: crate::accelerator::Accelerator::Tcg,
            processors: 1,
            memory_mib: 256,
        };
        let settings = Settings { ova, changes: None, console: None, hardware, forwards: vec![] };
        let error = Emulator::start(&settings).unwrap_err().to_string();
        assert!(error.contains("broken.ova") || error.contains("missing"), "{error}");
    }
}
