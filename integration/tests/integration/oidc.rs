//! Logging in by a real identity provider, in a real browser.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use integration::{Stack, executable};

use crate::browser::Browser;

/// An identity provider of this test; it ends when this is dropped.
struct Provider {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    issuer: String,
}

impl Provider {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oidc_provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .env("OIDC_PROVIDER", executable::oidc_provider())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is needed: `integration/check` installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = lines.next().unwrap().unwrap();
        Self { process, lines, issuer }
    }

    /// Lets browsers come back to that address, and no other.
    fn serve(&mut self, back: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{back}").unwrap();
        assert_eq!(self.lines.next().unwrap().unwrap(), "ready");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Logs in as somebody whom the provider did not know before; says who that is for us.
async fn log_in(browser: &Browser, url: &str, name: &str) -> String {
    browser.go(&format!("{url}/login")).await;
    browser.click("a[href='/login/oidc/corp']").await;
    browser.enter("input[name=login]", name).await;
    browser.enter("input[name=password]", "whatever").await;
    browser.click("button[type=submit]").await;
    // Whether we may know who it is.
    browser.shown("//input[@value='consent']").await;
    browser.click("button[type=submit]").await;
    browser.text(".top .user").await
}

#[tokio::test]
async fn users_come_by_an_identity_provider_and_stay_who_they_are() {
    let mut provider = Provider::start();
    let stack = Stack::prepared();
    let secret = stack.file("client.secret", b"a client secret\n");
    std::fs::create_dir(stack.state()).unwrap();
    let configuration = format!(
        "[oidc.corp]\nissuer = \"{}\"\nclient_id = \"nutshell\"\nclient_secret_file = \"{secret}\"\n",
        provider.issuer
    );
    std::fs::write(stack.state().join("nutshell.toml"), configuration).unwrap();
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    let url = stack.environment()["CPS_DIRECTOR_URL"].clone();
    provider.serve(&format!("{url}/login/oidc/corp/callback"));

    let browser = Browser::open(&stack.directory().join("profile")).await;
    // There is a `test` already, who has nothing to do with the provider's.
    assert_eq!(log_in(&browser, &url, "test").await, "test-2");
    browser.click("form[action='/logout'] button").await;
    browser.shown("//form[@action='/login']").await;
    // The provider remembers; nobody has to type anything.
    browser.click("a[href='/login/oidc/corp']").await;
    assert_eq!(browser.text(".top .user").await, "test-2", "the same user as before");
    // What another browser began is worth nothing here.
    browser.go(&format!("{url}/login/oidc/corp/callback?code=1&state=2")).await;
    assert!(browser.text("[role=alert]").await.contains("did not begin to log in here"));
    let users = stack.cps(&["user", "list", "--credit"]).ok();
    assert_eq!(users, "test\t1000\ntest-2\t1000\n");
}
