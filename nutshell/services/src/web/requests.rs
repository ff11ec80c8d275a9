//! Counts the requests that a proxy leads to the backends: nginx writes them, this reads them.
//!
//! A line of the access log costs nginx what it always does, and nothing waits for the reader. What is
//! counted only grows; whoever wants to know of a minute takes the difference of two readings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ports;
use crate::logs;

/// How much longer than those of one class of times those of the next are.
const STEP: f64 = 1.1;
/// A line this long is no request.
const LONGEST_LINE: usize = 64 << 10;

/// The requests that one backend answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Requests {
    /// How many.
    pub(crate) count: u64,
    /// The milliseconds that all of them took together.
    pub(crate) milliseconds: u64,
    /// How many took so long; see [`class`].
    pub(crate) classes: BTreeMap<u16, u64>,
}

/// The class of a time: 0 up to a millisecond, each next one a tenth longer.
fn class(milliseconds: u64) -> u16 {
    // At most 466, for any number.
    (milliseconds.max(1) as f64).log(STEP).ceil() as u16
}

impl Requests {
    fn add(&mut self, milliseconds: u64) {
        self.count += 1;
        self.milliseconds += milliseconds;
        *self.classes.entry(class(milliseconds)).or_default() += 1;
    }

    /// Both together.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.count += other.count;
        self.milliseconds += other.milliseconds;
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
        self
    }

    /// What was counted since an earlier reading.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut classes = self.classes.clone();
        for (class, earlier) in &before.classes {
            classes.entry(*class).and_modify(|count| *count = count.saturating_sub(*earlier));
        }
        classes.retain(|_, count| *count > 0);
        Self {
            count: self.count.saturating_sub(before.count),
            milliseconds: self.milliseconds.saturating_sub(before.milliseconds),
            classes,
        }
    }

    /// The mean time in milliseconds, where there were any.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.milliseconds as f64 / self.count as f64)
    }

    /// So many milliseconds, or less, for this part of them: within its class as if all were spread
    /// evenly.
    pub(crate) fn percentile(&self, part: f64) -> Option<f64> {
        let wanted = part * self.classes.values().sum::<u64>() as f64;
        let mut below = 0.0;
        for (class, count) in &self.classes {
            let count = *count as f64;
            if below + count >= wanted {
                let end = STEP.powi(i32::from(*class));
                let begin = if *class == 0 { 0.0 } else { end / STEP };
                return Some(begin + (end - begin) * (wanted - below) / count);
            }
            below += count;
        }
        None
    }
}

/// The access log of a proxy, and what was read of it.
#[derive(Debug)]
pub(crate) struct RequestLog {
    path: PathBuf,
    /// Up to here.
    read: u64,
    by_backend: BTreeMap<Ipv4Addr, Requests>,
}

impl RequestLog {
    /// Counts from now on.
    pub(crate) fn open(path: PathBuf) -> Self {
        let read = std::fs::metadata(&path).map_or(0, |known| known.len());
        Self { path, read, by_backend: BTreeMap::new() }
    }

    /// What the backends have answered since, by their addresses.
    pub(crate) fn counts(&mut self) -> io::Result<&BTreeMap<Ipv4Addr, Requests>> {
        self.read()?;
        Ok(&self.by_backend)
    }

    /// Reads what is new, and puts the log aside when it has become large.
    pub(crate) fn tend(&mut self) -> io::Result<()> {
        self.read()?;
        logs::bound(&self.path)?;
        // It may have begun anew, and must not outgrow the place where this stopped.
        self.read()
    }

    fn read(&mut self) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        if file.metadata()?.len() < self.read {
            self.read = 0;
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            // The rest of a line that is being written comes later.
            if !line.ends_with(b"\n") && length < LONGEST_LINE {
                return Ok(());
            }
            self.read += length as u64;
            let answered = std::str::from_utf8(&line).ok().and_then(answered);
            if let Some((backend, milliseconds)) = answered {
                self.by_backend.entry(backend).or_default().add(milliseconds);
            }
        }
    }
}

/// Which backend a line of the log is about, and how many milliseconds it took:
/// `… "request" status bytes seconds address[, address] seconds[, seconds]`. Static files are no
/// backend's.
fn answered(line: &str) -> Option<(Ipv4Addr, u64)> {
    // nginx writes a quote within the request in another way.
    let mut fields = line.rsplit_once('"')?.1.split_ascii_whitespace().skip(3);
    // Of several that were tried, the last one answered.
    let (mut address, mut next) = (None, fields.next()?);
    let seconds = loop {
        let Ok(found) = next.trim_end_matches(',').parse::<SocketAddrV4>() else { break next };
        address = Some(found);
        next = fields.next()?;
    };
    let address = address.filter(|address| address.port() != ports::WEB)?;
    let seconds: f64 = fields.last().unwrap_or(seconds).trim_end_matches(',').parse().ok()?;
    Some((*address.ip(), (seconds * 1000.0).round() as u64))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

    #[test]
    fn a_line_tells_of_the_backend_that_answered() {
        let line = |rest: &str| {
            format!(r#"1.2.3.4 [2026-11-22T01:02:03+00:00] "GET /a?b=\x22 HTTP/1.1" 200 12 {rest}"#)
        };
        let is = |rest: &str, expected| assert_eq!(answered(&line(rest)), expected, "{rest}");
        is("0.300 10.0.0.5:9000 0.250\n", Some((IP, 250)));
        is("3.300 10.0.0.4:9000, 10.0.0.5:9001 3.000, 0.250\n", Some((IP, 250)));
        is("0.001 10.0.0.5:8888 0.001\n", None);
        is("0.001 - -\n", None);
        is("0.001 10.0.0.5:9000 -\n", None);
        is("0.001\n", None);
        assert_eq!(answered("nonsense\n"), None);
    }

    #[test]
    fn the_log_is_read_once_also_while_it_is_written_and_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut writer = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let line = b"\"r\" 200 1 0.1 10.0.0.5:9000 0.1\n";
        writer.write_all(line).unwrap();
        let mut log = RequestLog::open(path);
        let count = |log: &mut RequestLog| log.counts().unwrap().get(&IP).map_or(0, |it| it.count);
        assert_eq!(count(&mut log), 0, "of earlier times");
        writer.write_all(line).unwrap();
        writer.write_all(&line[..9]).unwrap();
        assert_eq!(count(&mut log), 1);
        writer.write_all(&line[9..]).unwrap();
        assert_eq!(count(&mut log), 2);
        let many = line.repeat(300_000);
        writer.write_all(&many).unwrap();
        log.tend().unwrap();
        writer.write_all(line).unwrap();
        assert_eq!(count(&mut log), 300_003);
        assert_eq!(writer.metadata().unwrap().len(), line.len() as u64);
    }

    #[test]
    fn times_are_known_well_enough() {
        let mut requests = Requests::default();
        (1..=1000).for_each(|milliseconds| requests.add(milliseconds));
        let within = |part: f64, expected: f64| {
            let found = requests.percentile(part).unwrap();
            assert!((found - expected).abs() < 0.03 * expected, "{found} for {expected}");
        };
        within(0.95, 950.0);
        within(0.5, 500.0);
        assert_eq!(requests.mean(), Some(500.5));
        let before = requests.clone();
        requests.add(7000);
        let since = requests.since(&before);
        assert_eq!((since.count, since.milliseconds, since.classes.len()), (1, 7000, 1));
        assert_eq!(before.plus(&since), requests);
        let none = requests.since(&requests);
        assert_eq!((none.mean(), none.percentile(0.95)), (None, None));
        assert!(class(u64::MAX) < 500);
    }
}
