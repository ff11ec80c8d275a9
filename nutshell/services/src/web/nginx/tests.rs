//! The texts, and what nginx itself says to them.

use super::*;

fn places(directory: &Path) -> Places<'_> {
    Places { name: "proxy", run: directory, logs: directory, account: Account::Own }
}

fn proxy<'a>(webs: &'a [SocketAddrV4], backends: &'a [SocketAddrV4]) -> Proxy<'a> {
    let link = Path::new("/var/cache/cpsagent/www");
    let listen = "127.0.0.1:8080".parse().unwrap();
    Proxy { listen, link, webs, backends, largest_body: 8 << 20 }
}

#[test]
fn a_proxy_knows_all_others_and_hands_on_which_version_is_meant() {
    let webs = ["10.0.0.2:8888".parse().unwrap()];
    let backends = ["10.0.0.3:9000".parse().unwrap(), "10.0.0.4:9001".parse().unwrap()];
    let text = php_proxy(places(Path::new("/run/here")), &proxy(&webs, &backends));
    for line in [
        "    listen 127.0.0.1:8080;",
        "    root \"/var/cache/cpsagent/www\";",
        "  client_max_body_size 8388608;",
        "    server 10.0.0.2:8888 max_fails=3 fail_timeout=5s;",
        "    server 10.0.0.4:9001 max_fails=3 fail_timeout=5s;",
        "      fastcgi_param SCRIPT_FILENAME $realpath_root$script;",
        "    proxy_set_header X-Nutshell-Code-Version $code_version;",
        "pid \"/run/here/proxy.pid\";",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in {text}");
    }
    assert!(!text.contains("user "), "nobody to become");
    assert!(!text.contains("fastcgi_keep_conn"), "kept connections would hold PHP's workers");
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
    let webs = ["127.0.0.1:8888".parse().unwrap()];
    let backends = ["127.0.0.1:9000".parse().unwrap()];
    let places = places(directory.path());
    let proxy = php_proxy(places, &proxy(&webs, &backends));
    let web = web(places, "127.0.0.1:8888".parse().unwrap(), directory.path());
    for text in [proxy, web] {
        let path = directory.path().join("conf");
        std::fs::write(&path, &text).unwrap();
        let tried = std::process::Command::new("/usr/sbin/nginx")
            .args(["-t", "-q", "-c"])
            .arg(&path)
            .output();
        let tried = tried.expect("the package nginx-light is installed");
        let said = String::from_utf8_lossy(&tried.stderr);
        assert!(tried.status.success(), "{said} in {text}");
    }
}
