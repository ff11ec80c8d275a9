//! What is printed at the end: medians, ranges, and what was aimed at.

use std::fmt::{self, Display};
use std::time::Duration;

/// What is printed at the end.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 4]>);

/// A time in milliseconds: with decimals where it is that short.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Millis(Duration);

impl Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_secs_f64() * 1e3;
        match millis {
            ..1.0 => write!(f, "{millis:.2}"),
            1.0..10.0 => write!(f, "{millis:.1}"),
            _ => write!(f, "{millis:.0}"),
        }
    }
}

impl Table {
    pub(crate) fn time(&mut self, what: &str, samples: &[Duration], aim: &str) {
        let millis: Vec<Millis> = samples.iter().copied().map(Millis).collect();
        self.row(what, &millis, "ms", aim);
    }

    pub(crate) fn memory(&mut self, what: &str, kib: &[u64], aim: &str) {
        let mib: Vec<u64> = kib.iter().map(|kib| kib.div_ceil(1024)).collect();
        self.row(what, &mib, "MiB", aim);
    }

    pub(crate) fn row<T: Ord + Copy + Display>(
        &mut self,
        what: &str,
        samples: &[T],
        unit: &str,
        aim: &str,
    ) {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let (median, range) = match sorted[..] {
            [] => ("not measured".to_owned(), String::new()),
            [first, .., last] => {
                (format!("{} {unit}", sorted[sorted.len() / 2]), format!("{first}–{last}"))
            }
            [only] => (format!("{only} {unit}"), String::new()),
        };
        self.0.push([what.to_owned(), median, range, aim.to_owned()]);
    }

    #[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
    pub(crate) fn print(&self) {
        println!("| what | median | range | at most |\n|---|---|---|---|");
        for [what, median, range, aim] in &self.0 {
            println!("| {what} | {median} | {range} | {aim} |");
        }
    }
}
