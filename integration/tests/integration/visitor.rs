//! Somebody with a session at an application.

use std::net::SocketAddrV4;

use integration::http;

/// See the module.
pub(crate) struct Visitor {
    path: &'static str,
    cookie: String,
}

impl Visitor {
    /// Of a page that says how often it was visited in the session.
    pub(crate) fn new(path: &'static str) -> Self {
        Self { path, cookie: String::new() }
    }

    /// How often the visitor was there, by the session.
    pub(crate) fn count(&mut self, proxy: SocketAddrV4) -> u64 {
        let (head, body) = http::exchange(proxy, self.path, &self.cookie).unwrap();
        if let Some(cookie) = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")) {
            cookie.split(';').next().expect("a cookie").clone_into(&mut self.cookie);
        }
        body.parse().unwrap_or_else(|_| panic!("{body}"))
    }
}
