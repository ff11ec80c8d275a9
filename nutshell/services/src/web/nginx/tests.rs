//! The texts, and what nginx itself says to them.

use super::*;

pub(crate) fn places(directory: &Path) -> Places<'_> {
    Places { name: "proxy", run: directory, logs: directory, account: Account::Own }
}

/// A proxy of two backends as some service has it.
fn proxied(places: Places<'_>) -> String {
    let programs = Programs {
        root: PathBuf::from("/var/cache/cpsagent/www"),
        before: "  map $uri $mine { default 0; }\n".to_owned(),
        kept: "keepalive 5;",
        locations: "    location / { proxy_pass http://backends; }\n".to_owned(),
    };
    with_programs(places, &programs)
}

#[test]
fn a_proxy_knows_all_others_and_hands_on_which_version_is_meant() {
    let text = proxied(places(Path::new("/run/here")));
    for line in [
        "    listen 127.0.0.1:8080;",
        "    root \"/var/cache/cpsagent/www\";",
        "  client_max_body_size 8388608;",
        "    server 10.0.0.2:8888 max_fails=3 fail_timeout=5s;",
        "    server 10.0.0.4:9001 weight=100 max_fails=3 fail_timeout=5s;",
        "  map $uri $mine { default 0; }",
        "    location / { proxy_pass http://backends; }",
        "    proxy_set_header X-Nutshell-Code-Version $code_version;",
        "pid \"/run/here/proxy.pid\";",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in {text}");
    }
    assert!(!text.contains("user "), "nobody to become");
    for (name, kept) in [("webs", "keepalive 32;"), ("backends", "keepalive 5;")] {
        let group = group(&text, name);
        assert_eq!(group.matches("keepalive").count(), 1, "{group}");
        assert!(group.contains(kept), "{group}");
    }
}

#[test]
fn workers_put_down_the_rights_of_root() {
    let places = Places { account: Account::Other { uid: 33, gid: 33 }, ..places(Path::new("/r")) };
    let text = web(places, "10.0.0.2:8888".parse().unwrap(), Path::new("/versions"));
    assert!(text.starts_with("user www-data;\n"), "{text}");
    assert!(text.contains("map $http_x_nutshell_code_version $code_version {"), "{text}");
    assert!(text.contains("root \"/versions/$code_version\";"), "{text}");
}

#[test]
fn nginx_takes_both() {
    let directory = tempfile::tempdir().unwrap();
    let places = places(directory.path());
    let web = web(places, "127.0.0.1:8888".parse().unwrap(), directory.path());
    for text in [proxied(places), web] {
        expect_taken(directory.path(), &text);
    }
}

/// What a configuration says of a group of servers.
pub(crate) fn group<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("  upstream {name} {{")).expect("the group is there");
    text[start..].split_once("  }").expect("and ends").0
}

/// What nginx itself says to a configuration.
pub(crate) fn expect_taken(directory: &Path, text: &str) {
    let path = directory.join("conf");
    std::fs::write(&path, text).unwrap();
    let tried =
        std::process::Command::new("/usr/sbin/nginx").args(["-t", "-q", "-c"]).arg(&path).output();
    let tried = tried.expect("the package nginx-light is installed");
    let said = String::from_utf8_lossy(&tried.stderr);
    assert!(tried.status.success(), "{said} in {text}");
}

/// A web node elsewhere, and two backends.
pub(crate) fn routes() -> Routes {
    Routes {
        listen: [127, 0, 0, 1].into(),
        code_version: "code-a".parse().unwrap(),
        webs: vec!["10.0.0.2:8888".parse().unwrap()],
        backends: vec!["10.0.0.3:9000".parse().unwrap(), "10.0.0.4:9001".parse().unwrap()],
        weights: vec![25, 100],
        largest_body: 8 << 20,
    }
}

/// The whole configuration of a proxy with what is a service's own.
pub(crate) fn with_programs(places: Places<'_>, programs: &Programs) -> String {
    let listen = "127.0.0.1:8080".parse().unwrap();
    proxy(places, &Proxy { listen, routes: &routes(), programs })
}
