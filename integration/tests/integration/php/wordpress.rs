//! The tutorial of the users' guide: WordPress, as Debian has it, in a PHP service. The database is a
//! MariaDB of the test's own: it stands in for a MySQL service.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::stack::Output;
use integration::{Stack, executable, wait_for};
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use tempfile::TempDir;

use super::roles;

const PASSWORD: &str = "Correct-Horse-Battery-Staple-7";

/// A database server at an address of its own; it ends with the test.
struct Database {
    process: Child,
    address: SocketAddrV4,
    _directory: TempDir,
}

impl Database {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name).display().to_string();
        let data = format!("--datadir={}", place("data"));
        let [a, b, c]: [u8; 3] = rand::random();
        let ip = Ipv4Addr::new(127, a.max(128), b, c.clamp(1, 254));
        let user = if rustix::process::geteuid().is_root() { "--user=root" } else { "--console" };
        let mut install = Command::new("mariadb-install-db");
        install.args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ]);
        let _ = Output::of(install.args([&data, user])).ok();
        let access = format!(
            "CREATE DATABASE blog;\nCREATE USER blog@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON blog.* TO blog@'%';\n"
        );
        std::fs::write(place("access.sql"), access).unwrap();
        let process = Command::new("/usr/sbin/mariadbd")
            .args(["--no-defaults", "--skip-name-resolve", &data, user])
            .arg(format!("--bind-address={ip}"))
            .arg("--port=3306")
            .arg(format!("--socket={}", place("socket")))
            .arg(format!("--pid-file={}", place("pid")))
            .arg(format!("--init-file={}", place("access.sql")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("MariaDB is needed: `integration/check` installs it");
        let address = SocketAddrV4::new(ip, 3306);
        let database = Self { process, address, _directory: directory };
        wait_for("the database", Duration::from_secs(60), || TcpStream::connect(address));
        database
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The tarball that the tutorial has its reader make: all at the top, and the settings.
fn archive(stack: &Stack, database: &Database) -> String {
    let wordpress = executable::wordpress();
    let sample = std::fs::read_to_string(wordpress.join("wp-config-sample.php")).unwrap();
    // At whatever address of the service its visitors are: each proxy has one.
    let here = "define( 'WP_HOME', 'http://' . $_SERVER['HTTP_HOST'] );\n\
                define( 'WP_SITEURL', WP_HOME );\ndefine( 'WP_HTTP_BLOCK_EXTERNAL', true );\n\
                $table_prefix";
    let settings = sample
        .replace("database_name_here", "blog")
        .replace("username_here", "blog")
        .replace("password_here", PASSWORD)
        .replace("'localhost'", &format!("'{}'", database.address))
        .replacen("$table_prefix", here, 1);
    let _ = stack.file("wp-config.php", settings.as_bytes());
    let archive = stack.directory().join("wordpress.tar.gz").display().to_string();
    let mut tar = Command::new("tar");
    tar.args(["--gzip", "--create", "--file", &archive, "--directory"]).arg(&wordpress).arg(".");
    let _ = Output::of(tar.arg("--directory").arg(stack.directory()).arg("wp-config.php")).ok();
    archive
}

/// A browser: it has cookies.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        // Its client wants to know what does TLS, also where there is none.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy();
        // While `cps` runs, nobody here hears of a connection that the proxy ends.
        let client = client.pool_max_idle_per_host(0);
        Self { client: client.build().unwrap(), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// The body of a page that is there.
    async fn get(&mut self, url: &str) -> String {
        let answer = self.send(self.client.get(url)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer.text().await.unwrap()
    }

    async fn submit(&mut self, url: &str, form: &[(&str, &str)]) -> Response {
        self.send(self.client.post(url).form(form)).await
    }
}

/// The site at a proxy, as browsers write it: without the port that is meant anyway.
fn site(proxy: SocketAddrV4) -> String {
    let url: reqwest::Url = format!("http://{proxy}").parse().unwrap();
    url.as_str().trim_end_matches('/').to_owned()
}

#[tokio::test]
async fn wordpress_is_installed_written_to_and_scaled() {
    let database = Database::start();
    let stack = Stack::up();
    let cps = |line: &str| stack.cps(&line.split(' ').collect::<Vec<_>>()).ok();
    cps("service create php");
    cps("service start 1");
    let uploaded = stack.cps(&["php", "upload-code", "1", &archive(&stack, &database)]);
    assert!(!uploaded.stderr.contains("warning"), "{uploaded:?}");
    let version = uploaded.ok().split_whitespace().nth(2).expect("the version").to_owned();
    cps(&format!("php enable-code 1 {version}"));

    let mut browser = Browser::new();
    let first = site(stack.addresses("php", "1")[0]);
    let form = [
        ("weblog_title", "A blog"),
        ("user_name", "ada"),
        ("admin_password", PASSWORD),
        ("admin_password2", PASSWORD),
        ("admin_email", "ada@example.org"),
        ("blog_public", "0"),
    ];
    let installed = browser.submit(&format!("{first}/wp-admin/install.php?step=2"), &form).await;
    let page = installed.text().await.unwrap();
    assert!(page.contains("Success!"), "{page}");

    browser.get(&format!("{first}/wp-login.php")).await;
    let form = [("log", "ada"), ("pwd", PASSWORD), ("testcookie", "1")];
    let entered = browser.submit(&format!("{first}/wp-login.php"), &form).await;
    assert_eq!(entered.status(), StatusCode::FOUND, "to the dashboard");
    assert!(browser.get(&format!("{first}/wp-admin/")).await.contains("Dashboard"));
    let nonce = browser.get(&format!("{first}/wp-admin/admin-ajax.php?action=rest-nonce")).await;
    let post = r#"{"title": "First", "content": "Written through the proxy", "status": "publish"}"#;
    let request = browser.client.post(format!("{first}/?rest_route=/wp/v2/posts"));
    let request = request.header("X-WP-Nonce", nonce).header(CONTENT_TYPE, "application/json");
    let written = browser.send(request.body(post)).await;
    assert_eq!(written.status(), StatusCode::CREATED);
    let written: serde_json::Value = serde_json::from_str(&written.text().await.unwrap()).unwrap();
    let page = written["link"].as_str().unwrap().strip_prefix(&first).unwrap();

    let mut visitor = Browser::new();
    assert!(visitor.get(&format!("{first}{page}")).await.contains("Written through the proxy"));
    cps("php add-nodes 1 2 1 1");
    assert_eq!(roles(&stack), ["proxy", "backend", "backend", "proxy", "web"]);
    let proxies = stack.addresses("php", "1");
    assert_eq!(proxies.len(), 2);
    for proxy in proxies {
        // By both backends.
        for _ in 0..2 {
            let text = visitor.get(&format!("{}{page}", site(proxy))).await;
            assert!(text.contains("Written through the proxy"), "{text}");
        }
        let style = format!("{}/wp-includes/css/dashicons.min.css", site(proxy));
        assert!(visitor.get(&style).await.contains("dashicons"));
    }
}
