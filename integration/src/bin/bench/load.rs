//! Load on a server, by `wrk`: a client that costs less than what it measures.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

/// One request, to be repeated.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Answers a second over some connections, for some seconds; nothing when `wrk` is not installed or an
/// answer was not good.
pub(crate) fn rate(request: &Request, connections: usize, seconds: usize) -> Option<f64> {
    let mut script = tempfile::NamedTempFile::with_suffix(".lua").ok()?;
    write!(script, "{}", lua(request)).ok()?;
    let mut wrk = wrk(connections, seconds)?;
    per_second(&report(wrk.arg("-s").arg(script.path()).arg(&request.url))?)
}

/// How a page was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) per_second: f64,
    /// 99 of 100 answers came within this time.
    pub(crate) percentile_99: Duration,
}

/// Asks for a page as [`rate`] does.
pub(crate) fn answered(url: &str, connections: usize, seconds: usize) -> Option<Answered> {
    let text = report(wrk(connections, seconds)?.arg("--latency").arg(url))?;
    Some(Answered { per_second: per_second(&text)?, percentile_99: percentile_99(&text)? })
}

fn wrk(connections: usize, seconds: usize) -> Option<Command> {
    let mut wrk = Command::new(integration::executable::in_path("wrk")?);
    wrk.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "30s"]);
    Some(wrk)
}

/// What `wrk` says, if all answers were good.
fn report(wrk: &mut Command) -> Option<String> {
    let text = String::from_utf8_lossy(&wrk.output().ok()?.stdout).into_owned();
    (!text.contains("Non-2xx") && !text.contains("Socket errors")).then_some(text)
}

fn per_second(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"))?;
    line.trim().parse().ok()
}

fn percentile_99(text: &str) -> Option<Duration> {
    let figure = text.lines().find_map(|line| line.trim().strip_prefix("99%"))?.trim();
    let unit = figure.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = figure.split_at(unit);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * seconds))
}

fn lua(request: &Request) -> String {
    let mut script = format!("wrk.method = {:?}\nwrk.body = {:?}\n", request.method, request.body);
    for (name, value) in &request.headers {
        script.push_str(&format!("wrk.headers[{name:?}] = {value:?}\n"));
    }
    script
}
