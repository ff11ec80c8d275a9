//! How a proxy leads to PHP. Text only.

use std::net::SocketAddrV4;
use std::path::Path;

use crate::web::nginx::{Programs, SMALL_FILES, upstream};
use crate::web::ports;
use crate::web::wire::Routes;

/// `link` leads to the code version that users see. What a request finds there when it comes is what
/// it gets: the name of the version goes with it to the other nodes. Where the proxy's own node alone
/// serves files, the proxy does it itself.
pub(super) fn programs(link: &Path, routes: &Routes) -> Programs {
    let (files, small_files) =
        match routes.webs[..] == [SocketAddrV4::new(routes.listen, ports::WEB)] {
            true => ("index index.html index.htm;", SMALL_FILES),
            false => ("proxy_pass http://webs;", ""),
        };
    let fresh = upstream("fresh_backends", &routes.backends, &routes.weights, "");
    Programs {
        root: link.to_owned(),
        before: fresh + MAP,
        kept: KEPT,
        locations: LOCATIONS.replace("@FILES@", files) + small_files,
    }
}

/// A kept connection holds one of PHP's workers, while others may wait for it: none is kept longer than
/// a wait that nobody feels. That is enough for many short requests, which else are slowed most by
/// connecting.
const KEPT: &str = "keepalive 16; keepalive_time 10ms; keepalive_timeout 10ms;";

/// What may be asked twice may go over a kept connection, which PHP may close just then.
const MAP: &str = "  map $request_method $php {
    default fresh_backends;
    GET backends;
    HEAD backends;
  }
";

const LOCATIONS: &str = r#"    location ~ ^(?<script>.+?\.php)(?<info>/.*)?$ {
      if (!-f $document_root$script) { return 404; }
      fastcgi_pass $php;
      fastcgi_keep_conn on;
      fastcgi_param SCRIPT_FILENAME $realpath_root$script;
      fastcgi_param DOCUMENT_ROOT $realpath_root;
      fastcgi_param SCRIPT_NAME $script;
      fastcgi_param DOCUMENT_URI $script;
      fastcgi_param PATH_INFO $info;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param SERVER_SOFTWARE nginx;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param SERVER_ADDR $server_addr;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param SERVER_NAME $host;
      fastcgi_param REDIRECT_STATUS 200;
      fastcgi_param HTTP_PROXY "";
      fastcgi_buffers 16 16k;
      fastcgi_buffer_size 32k;
      fastcgi_connect_timeout 3s;
      fastcgi_read_timeout 300s;
    }
    location ~ /$ {
      if (-f $document_root${uri}index.php) { rewrite ^ ${uri}index.php last; }
      @FILES@
    }
    location / { @FILES@ }
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::nginx::tests::{expect_taken, group, places, routes, with_programs};

    #[test]
    fn nginx_takes_it_and_php_finds_its_files_in_one_version() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = routes();
        let webs = vec![SocketAddrV4::new(elsewhere.listen, ports::WEB)];
        let alone = Routes { webs, ..routes() };
        for (routes, by_others) in [(elsewhere, true), (alone, false)] {
            let programs = programs(directory.path(), &routes);
            let text = with_programs(places(directory.path()), &programs);
            assert!(text.contains("fastcgi_param SCRIPT_FILENAME $realpath_root$script;"));
            assert!(
                group(&text, "backends").contains(KEPT),
                "they hold PHP's workers for a moment"
            );
            assert!(!group(&text, "fresh_backends").contains("keepalive"), "{text}");
            assert_eq!(text.contains("proxy_pass http://webs;"), by_others, "{text}");
            expect_taken(directory.path(), &text);
        }
    }
}
