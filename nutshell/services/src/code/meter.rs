//! Limits what is read on somebody else's behalf, as by a library that reads whole into memory.

use std::cell::Cell;
use std::io::{self, Read};

/// How much its readers may still read.
#[derive(Debug)]
pub(super) struct Meter {
    left: Cell<u64>,
    exceeded: Cell<bool>,
}

/// A reader that fails when its meter grants no more.
#[derive(Debug)]
pub(super) struct Metered<'a, R> {
    meter: &'a Meter,
    content: R,
}

impl Meter {
    pub(super) fn new(most: u64) -> Self {
        Self { left: Cell::new(most), exceeded: Cell::new(false) }
    }

    pub(super) fn reader<R>(&self, content: R) -> Metered<'_, R> {
        Metered { meter: self, content }
    }

    /// Takes a step that may read at most this much.
    pub(super) fn at_most<T>(&self, most: u64, step: impl FnOnce() -> T) -> T {
        let before = self.left.get();
        let granted = before.min(most);
        self.left.set(granted);
        let done = step();
        self.left.set(before - granted + self.left.get());
        done
    }

    /// Whether a reader wanted more than it was granted.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded.get()
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.left.get();
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            self.meter.exceeded.set(true);
            return Err(io::Error::other("more is read than was granted"));
        }
        let count = self.content.read(&mut buffer[..most])?;
        self.meter.left.set(left - count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_beyond_the_limits_of_a_step_and_of_all() {
        let meter = Meter::new(10);
        let mut reader = meter.reader(io::repeat(7));
        let mut read = |count: usize| reader.read_exact(&mut vec![0; count]).is_ok();
        assert!(meter.at_most(4, || read(4)));
        assert!(read(1));
        assert!(!meter.is_exceeded());
        assert!(!meter.at_most(2, || read(3)));
        assert!(meter.is_exceeded());
        assert!(read(3));
        assert!(!read(1));
    }
}
