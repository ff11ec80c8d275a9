//! The configurations of nginx: as proxy, and for static files. Text only.

use std::fmt::Write;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::wire::Routes;

/// The places of one nginx.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// What it is, the beginning of its files' names.
    pub(crate) name: &'a str,
    /// Where it keeps what it does not keep in memory; the account's own.
    pub(crate) run: &'a Path,
    /// Where its logs are.
    pub(crate) logs: &'a Path,
    /// As whom it works.
    pub(crate) account: Account,
}

impl Places<'_> {
    /// While this file exists a proxy asks whoever has sent a request to close the connection. Before
    /// its workers end, that is: they would cut kept connections into the next request on them.
    pub(crate) fn closing(&self) -> PathBuf {
        self.run.join(format!("{}.closing", self.name))
    }
}

/// A proxy: leads programs to backends and files to web nodes.
#[derive(Debug)]
pub(crate) struct Proxy<'a> {
    pub(crate) listen: SocketAddrV4,
    pub(crate) routes: &'a Routes,
    pub(crate) programs: &'a Programs,
}

/// What is a service's own in a proxy.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The code that requests are led by. The name of the directory that it is, or leads to, goes with
    /// them to the web nodes.
    pub(crate) root: PathBuf,
    /// What the whole of nginx is to know first: maps, groups of servers.
    pub(crate) before: String,
    /// What holds for idle connections to backends: directives.
    pub(crate) kept: &'static str,
    /// Which requests go where: to the groups `backends` and `webs`.
    pub(crate) locations: String,
}

/// For servers to which an idle connection is no burden.
pub(crate) const KEPT: &str = "keepalive 32;";

/// Files that mostly are so small that reading them costs less than to have the kernel send them. They
/// stay open, and which file a path leads to is looked up for each request all the same: versions change.
pub(crate) const SMALL_FILES: &str = r#"    location ~* \.(?:html?|css|m?js|json|map|svg|txt|xml|ico|woff2?)$ {
      sendfile off;
      output_buffers 1 64k;
      open_file_cache max=1000 inactive=10s;
      open_file_cache_valid 0;
    }
"#;

/// The header by which a web node learns which version is meant.
const VERSION_HEADER: &str = "X-Nutshell-Code-Version";

/// What both begin with. The access log has what an operator wants to know of a request: how long it
/// took, and who did it.
///
/// Browsers open connections to spare, for which a worker that is to end waits as long as for a request's
/// beginning.
fn head(places: Places<'_>, body: &str) -> String {
    let Places { name, run, logs, account } = places;
    let user = account.name().map(|name| format!("user {name};\n")).unwrap_or_default();
    let (run, logs) = (run.display(), logs.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("  {what}_temp_path \"{run}/{what}\";\n"))
        .collect();
    format!(
        r#"{user}daemon off;
worker_processes auto;
pcre_jit on;
worker_rlimit_nofile 16384;
pid "{run}/{name}.pid";
error_log "{logs}/{name}.error.log";
events {{ worker_connections 4096; }}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  log_format timed '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent '
                   '$request_time $upstream_addr $upstream_response_time';
  access_log "{logs}/{name}.access.log" timed buffer=16k flush=1s;
{temporary}  server_tokens off;
  sendfile on;
  tcp_nopush on;
  absolute_redirect off;
  client_header_timeout 5s;
  keepalive_timeout 65s;
  keepalive_requests 100000;
{body}}}
"#
    )
}

/// The configuration of a web node: every version that is there, the one that is asked for. Only a
/// proxy asks, and whoever else does names a version that users saw or will see.
pub(crate) fn web(places: Places<'_>, listen: SocketAddrV4, versions: &Path) -> String {
    let header = VERSION_HEADER.replace('-', "_").to_lowercase();
    let versions = versions.display();
    let body = format!(
        r#"  map $http_{header} $code_version {{
    default none;
    "~^(?<name>(code|git)-[A-Za-z0-9]+)$" $name;
  }}
  server {{
    listen {listen};
    root "{versions}/$code_version";
    index index.html index.htm;
    location ~ /\.(?!well-known) {{ return 404; }}
{SMALL_FILES}  }}
"#
    );
    head(places, &body)
}

/// The configuration of a proxy.
pub(crate) fn proxy(places: Places<'_>, proxy: &Proxy<'_>) -> String {
    let Proxy { listen, routes, programs } = proxy;
    let Programs { root, before, kept, locations } = programs;
    let (root, largest_body) = (root.display(), routes.largest_body);
    let Routes { backends, weights, webs, .. } = routes;
    let groups = upstream("webs", webs, &[], KEPT) + &upstream("backends", backends, weights, kept);
    let closing = places.closing();
    let closing = closing.display();
    let body = format!(
        r#"  client_max_body_size {largest_body};
  map $realpath_root $code_version {{ "~/(?<name>[^/]+)$" $name; }}
{before}{groups}  server {{
    listen {listen};
    root "{root}";
    if (-f "{closing}") {{ set $asked $uri; rewrite ^ /.closing last; }}
    location = /.closing {{ internal; keepalive_timeout 0; rewrite ^ $asked last; }}
    location ~ /\.(?!well-known) {{ return 404; }}
{locations}    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header {VERSION_HEADER} $code_version;
    proxy_connect_timeout 3s;
  }}
"#
    );
    head(places, &body)
}

/// A group of servers. One that fails three times is left alone for a while; one that is alone never is.
/// `kept` says which idle connections are kept: directives.
pub(crate) fn upstream(
    name: &str,
    servers: &[SocketAddrV4],
    weights: &[u32],
    kept: &str,
) -> String {
    let mut text = format!("  upstream {name} {{\n");
    for (index, server) in servers.iter().enumerate() {
        let weight = weights.get(index).map(|weight| format!(" weight={weight}"));
        let weight = weight.unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(text, "    server {server}{weight} max_fails=3 fail_timeout=5s;");
    }
    if !kept.is_empty() {
        // As above.
        let _ = writeln!(text, "    {kept}");
    }
    text.push_str("  }\n");
    text
}

#[cfg(test)]
pub(crate) mod tests;
