//! The smallest HTTP client that can tell whether an application answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The body of a successful `GET`.
///
/// # Errors
/// When nobody listens, or the status is not 200.
pub fn get(address: impl Into<SocketAddr>, path: &str) -> io::Result<String> {
    exchange(address, path, "").map(|(_, body)| body)
}

/// Head and body of a successful `GET` with a cookie.
///
/// # Errors
/// When nobody listens, or the status is not 200.
pub fn exchange(
    address: impl Into<SocketAddr>,
    path: &str,
    cookie: &str,
) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect_timeout(&address.into(), Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\nCookie: {cookie}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        Ok((head.to_owned(), body.to_owned()))
    } else {
        Err(io::Error::other(status.to_owned()))
    }
}
