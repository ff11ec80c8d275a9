//! Loads: requests a second, minute by minute.

use std::f64::consts::TAU;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

const HOUR: usize = 60;
const DAY: usize = 24 * HOUR;

/// A load.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What it is like.
    pub name: &'static str,
    /// Requests a second, a minute each, from a Monday's midnight on.
    pub rates: Vec<f64>,
}

impl Trace {
    fn new(name: &'static str, minutes: usize, rate: impl FnMut(usize) -> f64) -> Self {
        Self { name, rates: (0..minutes).map(rate).collect() }
    }

    /// Requests a second on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.rates.iter().sum::<f64>() / self.rates.len() as f64
    }

    /// Requests a second in the busiest minute.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }
}

/// All loads that are tried.
#[must_use]
pub fn traces() -> Vec<Trace> {
    vec![daily(), recorded(), humps(), weekend(), flash_crowd(), ramp(), step(), noise()]
}

/// From 10 at night to 110 by day.
fn wave(minute: usize) -> f64 {
    60.0 - 50.0 * ((minute % DAY) as f64 / DAY as f64 * TAU).cos()
}

fn daily() -> Trace {
    Trace::new("daily wave", 4 * DAY, wave)
}

/// A week of requests to a real web site, as its load balancer counted them every five minutes (what
/// it is and whose: `recorded.md`). Its counts are small: 200 times as many come here, 40 a second.
fn recorded() -> Trace {
    const TIMES: f64 = 200.0;
    let counts = include_str!("recorded.txt").split_whitespace();
    let counts: Vec<f64> = counts
        .map(|count| {
            count.parse().unwrap_or_else(|_| panic!("recorded.txt has `{count}` for a count"))
        })
        .collect();
    Trace::new("recorded", counts.len() * 5, |minute| TIMES * counts[minute / 5] / 300.0)
}

/// Two humps a day, before noon and in the evening, the third day a quieter one; with a slow drift,
/// bursts that come by chance and fade, and a deployment that halves the load for a quarter of an hour.
fn humps() -> Trace {
    let mut chance = StdRng::seed_from_u64(7);
    let (mut drift, mut burst) = (0.0, 0.0);
    Trace::new("humps and bursts", 4 * DAY, |minute| {
        let (day, hour) = (minute / DAY, (minute % DAY) as f64 / HOUR as f64);
        let hump = |middle: f64, width: f64| (-((hour - middle) / width).powi(2)).exp();
        let usual = 14.0 + 86.0 * (hump(11.0, 2.8) + 0.8 * hump(20.0, 2.2));
        let usual = if day == 2 { 0.7 * usual } else { usual };
        drift = 0.994 * drift + 0.009 * normal(&mut chance);
        burst *= 0.96;
        if chance.random_bool(1.0 / 750.0) {
            burst += chance.random_range(15.0..70.0);
        }
        let deployment = day == 1 && (15.0..15.25).contains(&hour);
        let load = usual * (1.0 + drift) + burst;
        if deployment { load / 2.0 } else { load }
    })
}

fn weekend() -> Trace {
    Trace::new("weekends", 15 * DAY, |minute| match minute / DAY % 7 {
        5 | 6 => 5.0 + wave(minute) / 6.0,
        _ => wave(minute),
    })
}

/// An ordinary day, and on its afternoon eight times the load within a quarter of an hour.
fn flash_crowd() -> Trace {
    let begin = DAY + 15 * HOUR;
    Trace::new("flash crowd", 2 * DAY, |minute| {
        let after = minute as f64 - begin as f64;
        let crowd = match after {
            ..0.0 => 0.0,
            0.0..15.0 => after / 15.0,
            15.0..55.0 => 1.0,
            _ => (-(after - 55.0) / 60.0).exp(),
        };
        20.0 + 140.0 * crowd
    })
}

fn ramp() -> Trace {
    Trace::new("ramp", 2 * DAY, |minute| {
        10.0 + 150.0 * (1.0 - minute.abs_diff(DAY) as f64 / DAY as f64)
    })
}

fn step() -> Trace {
    Trace::new("steps", 4 * DAY, |minute| match minute / HOUR % 24 {
        6..18 => 120.0,
        _ => 20.0,
    })
}

/// Around 60, up and down by a fifth with a memory of some minutes.
fn noise() -> Trace {
    let mut chance = StdRng::seed_from_u64(7);
    let mut level = 0.0;
    Trace::new("noise", DAY, |_| {
        level = 0.8 * level + 0.12 * normal(&mut chance);
        60.0 * (1.0_f64 + level).clamp(0.2, 2.0)
    })
}

/// A number around 0, mostly between -2 and 2.
pub(super) fn normal(chance: &mut StdRng) -> f64 {
    2.0 * ((0..3).map(|_| chance.random::<f64>()).sum::<f64>() - 1.5)
}
