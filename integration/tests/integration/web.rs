//! The web page, in a real browser.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use integration::archive::tar_gz;
use integration::{Stack, executable};
use serde_json::json;

/// A `chromedriver` of this test, on a port of its own choice.
pub(crate) struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    pub(crate) fn start() -> Self {
        let program = executable::in_path("chromedriver")
            .expect("chromedriver is needed: `integration/check` installs it");
        let mut process = Command::new(program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        Self { process, port }
    }

    pub(crate) async fn browser(&self, profile: &std::path::Path) -> Client {
        let options = json!({
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--window-size=1280,900",
                format!("--user-data-dir={}", profile.display()),
            ] },
        });
        let serde_json::Value::Object(capabilities) = options else { unreachable!() };
        ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_service_is_created_started_and_terminated_in_the_browser() {
    let stack = Stack::up();
    let environment = stack.environment();
    let (url, password) = (&environment["CPS_DIRECTOR_URL"], &environment["CPS_PASSWORD"]);
    let driver = Driver::start();
    let browser = driver.browser(&stack.directory().join("profile")).await;
    let text = async |css| element(&browser, css, async |found| found.text().await).await;
    let click = async |css| element(&browser, css, async |found| found.click().await).await;

    browser.goto(url).await.unwrap();
    log_in(&browser, "wrong").await;
    assert!(text("[role=alert]").await.contains("wrong user name or password"));
    log_in(&browser, password).await;
    assert!(text(".credits").await.contains("credits"));

    browser.goto(&format!("{url}/services/new")).await.unwrap();
    click("input[value=generic]").await;
    click("main button.primary").await;
    browser.wait().for_element(Locator::LinkText("Dashboard")).await.unwrap();
    browser.goto(&format!("{url}/services/1")).await.unwrap();
    click("#start").await;
    // Nothing is reloaded from here on: the page itself learns of the new state.
    state(&browser, "RUNNING").await;
    assert!(text("main").await.contains("master"));
    click("#stop").await;
    state(&browser, "STOPPED").await;
    click("#terminate summary").await;
    click("#terminate button").await;
    browser.wait().for_element(Locator::XPath("//h1[.='Dashboard']")).await.unwrap();
    assert!(!text("main").await.contains("New generic service"));
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_manifest_is_deployed_and_its_service_gets_volumes_and_keys_in_the_browser() {
    let stack = Stack::up();
    let environment = stack.environment();
    let (url, password) = (&environment["CPS_DIRECTOR_URL"], &environment["CPS_PASSWORD"]);
    let driver = Driver::start();
    let browser = driver.browser(&stack.directory().join("profile")).await;
    let click = async |css| element(&browser, css, async |found| found.click().await).await;
    let enter = async |css, text| {
        element(&browser, css, async |found| found.send_keys(text).await).await;
    };
    let shown = async |text: &str| {
        let anywhere = format!("//main//*[contains(text(), '{text}')]");
        browser.wait().for_element(Locator::XPath(&anywhere)).await.unwrap();
    };
    let archive = stack.file("app.tar.gz", &tar_gz(&[("run.sh", "#!/bin/sh\n")]));
    let manifest = stack.file(
        "shop.json",
        br#"{ "Application": "Shop", "Services": [ {
            "Type": "generic", "ServiceName": "Web", "Start": 1, "Archive": "app.tar.gz",
            "Volumes": [ { "Name": "orders", "Size": 16 } ] } ] }"#,
    );

    browser.goto(url).await.unwrap();
    log_in(&browser, password).await;
    shown("Dashboard").await;
    browser.goto(&format!("{url}/manifests")).await.unwrap();
    enter("#file", &manifest).await;
    click("button[name=deploy]").await;
    shown("The manifest names the file app.tar.gz").await;
    enter("#file", &manifest).await;
    enter("#beside", &archive).await;
    click("button[name=deploy]").await;
    // The page follows the deployment by itself.
    shown("DEPLOYED").await;
    click("#deployment a[href='/services/1']").await;
    shown("orders").await;

    enter("#volume", "more").await;
    enter("#size", "16").await;
    click("#volume-create").await;
    shown("more").await;
    click("#volume-more summary").await;
    click("#volume-more button").await;
    browser.wait().for_element(Locator::Css("#volumes table")).await.unwrap();
    assert!(browser.find(Locator::Css("#volume-more")).await.is_err(), "it is deleted");

    enter("#keys", KEY).await;
    click("form[action$='/keys'] button").await;
    shown("me@home").await;
    shown("git clone git@").await;
    click("form[action$='/keys/delete'] button").await;
    shown("No keys yet").await;
    click("#history summary").await;
    let state = "//*[@id='history']//*[@class='word'][.='RUNNING']";
    browser.wait().for_element(Locator::XPath(state)).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_php_application_is_hosted_and_scaled_in_the_browser() {
    let stack = Stack::up();
    let environment = stack.environment();
    let (url, password) = (&environment["CPS_DIRECTOR_URL"], &environment["CPS_PASSWORD"]);
    let driver = Driver::start();
    let browser = driver.browser(&stack.directory().join("profile")).await;
    let click = async |css| element(&browser, css, async |found| found.click().await).await;
    let enter = async |css, text| {
        element(&browser, css, async |found| found.send_keys(text).await).await;
    };
    let shown = async |path: &str| {
        browser.wait().for_element(Locator::XPath(path)).await.unwrap();
    };
    let page = "<p><?php echo 'by ', PHP_SAPI ?></p>";
    let archive = stack.file("page.tar.gz", &tar_gz(&[("index.php", page)]));

    browser.goto(url).await.unwrap();
    log_in(&browser, password).await;
    shown("//h1[.='Dashboard']").await;
    browser.goto(&format!("{url}/services/new")).await.unwrap();
    click("input[value=php]").await;
    click("main button.primary").await;
    browser.wait().for_element(Locator::LinkText("Dashboard")).await.unwrap();
    browser.goto(&format!("{url}/services/1")).await.unwrap();
    click("#start").await;
    state(&browser, "RUNNING").await;

    enter("#archive", &archive).await;
    click("form[action$='/code'] button").await;
    click("form[action$='/enable'] button").await;
    shown("//*[@id='code']//tr[contains(., 'page.tar.gz')]//*[.='active']").await;
    enter("[name='role.backend']", "1").await;
    click("#nodes-add").await;
    shown("//*[@id='instances']//tr[2]//*[@class='tag'][.='backend']").await;
    state(&browser, "RUNNING").await;

    let access = "#summary a[target=_blank]";
    let access = element(&browser, access, async |found| found.attr("href").await).await;
    browser.goto(&access.expect("a link has an address")).await.unwrap();
    shown("//p[.='by fpm-fcgi']").await;
    browser.close().await.unwrap();
}

/// A public key, whose private half nobody has.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2lbJHdHRC9x7SSRsg8ETEWjNKgxVaGekc9/N0TFJ2q \
                   me@home";

/// Fills in the form of the login page, and sends it.
async fn log_in(browser: &Client, password: &str) {
    let form = browser.form(Locator::Css("form")).await.unwrap();
    form.set_by_name("username", "test").await.unwrap();
    form.set_by_name("password", password).await.unwrap();
    element(browser, "main button.primary", async |found| found.click().await).await;
}

/// Waits until the page of a service shows the state.
async fn state(browser: &Client, word: &str) {
    let shown = format!("//*[@id='summary']//*[@class='word'][.='{word}']");
    browser.wait().for_element(Locator::XPath(&shown)).await.unwrap();
}

/// Does something with an element. The live page may exchange it in between; then there is another.
async fn element<T>(
    browser: &Client,
    css: &str,
    act: impl AsyncFn(&Element) -> Result<T, CmdError>,
) -> T {
    loop {
        let found = browser.wait().for_element(Locator::Css(css)).await.unwrap();
        match act(&found).await {
            Err(error) if error.is_stale_element_reference() => {}
            result => return result.unwrap(),
        }
    }
}
