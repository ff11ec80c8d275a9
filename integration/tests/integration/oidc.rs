//! Logging in by a real identity provider, in a real browser.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, Locator};
use integration::{Stack, executable};

use crate::web::Driver;

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
async fn log_in(browser: &Client, url: &str, name: &str) -> String {
    let click = async |css: &str| {
        browser.wait().for_element(Locator::Css(css)).await.unwrap().click().await.unwrap();
    };
    browser.goto(&format!("{url}/login")).await.unwrap();
    click("a[href='/login/oidc/corp']").await;
    let field = browser.wait().for_element(Locator::Css("input[name=login]")).await.unwrap();
    field.send_keys(name).await.unwrap();
    let field = browser.find(Locator::Css("input[name=password]")).await.unwrap();
    field.send_keys("whatever").await.unwrap();
    click("button[type=submit]").await;
    // Whether we may know who it is.
    browser.wait().for_element(Locator::Css("input[value=consent]")).await.unwrap();
    click("button[type=submit]").await;
    let user = browser.wait().for_element(Locator::Css(".top .user")).await.unwrap();
    user.text().await.unwrap()
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

    let driver = Driver::start();
    let browser = driver.browser(&stack.directory().join("profile")).await;
    // There is a `test` already, who has nothing to do with the provider's.
    assert_eq!(log_in(&browser, &url, "test").await, "test-2");
    browser
        .find(Locator::Css("form[action='/logout'] button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.wait().for_element(Locator::Css("form.login")).await.unwrap();
    // The provider remembers; nobody has to type anything.
    let click = browser.find(Locator::Css("a[href='/login/oidc/corp']")).await.unwrap();
    click.click().await.unwrap();
    let user = browser.wait().for_element(Locator::Css(".top .user")).await.unwrap();
    assert_eq!(user.text().await.unwrap(), "test-2", "the same user as before");
    // What another browser began is worth nothing here.
    browser.goto(&format!("{url}/login/oidc/corp/callback?code=1&state=2")).await.unwrap();
    let told = browser.wait().for_element(Locator::Css("[role=alert]")).await.unwrap();
    assert!(told.text().await.unwrap().contains("did not begin to log in here"));
    browser.close().await.unwrap();
    let users = stack.cps(&["user", "list", "--credit"]).ok();
    assert_eq!(users, "test\t1000\ntest-2\t1000\n");
}
