//! Load on a server, by `wrk`: a client that costs less than what it measures.

use std::io::Write as _;
use std::process::Command;

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
    let wrk = integration::executable::in_path("wrk")?;
    let mut script = tempfile::NamedTempFile::with_suffix(".lua").ok()?;
    write!(script, "{}", lua(request)).ok()?;
    let output = Command::new(wrk)
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "30s"])
        .arg("-s")
        .arg(script.path())
        .arg(&request.url)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") {
        return None;
    }
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"))?;
    line.trim().parse().ok()
}

fn lua(request: &Request) -> String {
    let mut script = format!("wrk.method = {:?}\nwrk.body = {:?}\n", request.method, request.body);
    for (name, value) in &request.headers {
        script.push_str(&format!("wrk.headers[{name:?}] = {value:?}\n"));
    }
    script
}
