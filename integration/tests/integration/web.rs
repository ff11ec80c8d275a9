//! The web page, in a real browser.

use integration::Stack;
use integration::archive::{tar_gz, zip};

use crate::browser::Browser;

/// Somebody who visits the page of an installation.
struct Visit {
    browser: Browser,
    stack: Stack,
    url: String,
    password: String,
}

impl Visit {
    /// Comes to where one logs in.
    async fn begin() -> Self {
        let stack = Stack::up();
        let mut environment = stack.environment();
        let mut take = |name| environment.remove(name).expect("`nutshell env` tells it");
        let (url, password) = (take("CPS_DIRECTOR_URL"), take("CPS_PASSWORD"));
        let browser = Browser::open(&stack.directory().join("profile")).await;
        browser.go(&url).await;
        Self { browser, stack, url, password }
    }

    async fn log_in_with(&self, password: &str) {
        self.browser.enter("[name=username]", "test").await;
        self.browser.enter("[name=password]", password).await;
        self.browser.click("main button.primary").await;
    }

    async fn log_in(&self) {
        self.log_in_with(&self.password).await;
        self.heading("Dashboard").await;
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.url)).await;
    }

    async fn heading(&self, text: &str) {
        self.browser.shown(&format!("//h1[.='{text}']")).await;
    }

    /// Waits until the page says so somewhere.
    async fn said(&self, text: &str) {
        self.browser.shown(&format!("//main//*[contains(text(), '{text}')]")).await;
    }

    /// Waits until the page of a service shows the state.
    async fn state(&self, word: &str) {
        self.browser.shown(&format!("//*[@id='summary']//*[@class='word'][.='{word}']")).await;
    }

    /// Creates the first service, and starts it on its page.
    async fn start(&self, service_type: &str) {
        self.go("/services/new").await;
        self.browser.click(&format!("input[value={service_type}]")).await;
        self.browser.click("main button.primary").await;
        self.browser.shown("//a[.='Dashboard']").await;
        self.go("/services/1").await;
        self.browser.click("#start").await;
        // Nothing is reloaded: the page itself learns of the new state.
        self.state("RUNNING").await;
    }
}

#[tokio::test]
async fn a_service_is_created_started_and_terminated_in_the_browser() {
    let visit = Visit::begin().await;
    let browser = &visit.browser;
    visit.log_in_with("wrong").await;
    assert!(browser.text("[role=alert]").await.contains("wrong user name or password"));
    visit.log_in().await;
    assert!(browser.text(".credits").await.contains("credits"));

    visit.start("generic").await;
    assert!(browser.text("main").await.contains("master"));
    browser.click("#stop").await;
    visit.state("STOPPED").await;
    browser.click("#terminate summary").await;
    browser.click("#terminate button").await;
    visit.heading("Dashboard").await;
    assert!(!browser.text("main").await.contains("New generic service"));
}

#[tokio::test]
async fn a_manifest_is_deployed_and_its_service_gets_volumes_and_keys_in_the_browser() {
    let visit = Visit::begin().await;
    let Visit { browser, stack, .. } = &visit;
    let archive = stack.file("app.tar.gz", &tar_gz(&[("run.sh", "#!/bin/sh\n")]));
    let manifest = stack.file(
        "shop.json",
        br#"{ "Application": "Shop", "Services": [ {
            "Type": "generic", "ServiceName": "Web", "Start": 1, "Archive": "app.tar.gz",
            "Volumes": [ { "Name": "orders", "Size": 16 } ] } ] }"#,
    );

    visit.log_in().await;
    visit.go("/manifests").await;
    browser.enter("#file", &manifest).await;
    browser.click("button[name=deploy]").await;
    visit.said("The manifest names the file app.tar.gz").await;
    browser.enter("#file", &manifest).await;
    browser.enter("#beside", &archive).await;
    browser.click("button[name=deploy]").await;
    // The page follows the deployment by itself.
    visit.said("DEPLOYED").await;
    browser.click("#deployment a[href='/services/1']").await;
    visit.said("orders").await;

    browser.enter("#volume", "more").await;
    browser.enter("#size", "16").await;
    browser.click("#volume-create").await;
    visit.said("more").await;
    browser.click("#volume-more summary").await;
    browser.click("#volume-more button").await;
    browser.shown("//*[@id='volumes']//table").await;
    assert!(!browser.has("#volume-more").await, "it is deleted");

    browser.enter("#keys", KEY).await;
    browser.click("form[action$='/keys'] button").await;
    visit.said("me@home").await;
    visit.said("git clone git@").await;
    browser.click("form[action$='/keys/delete'] button").await;
    visit.said("No keys yet").await;
    browser.click("#history summary").await;
    browser.shown("//*[@id='history']//*[@class='word'][.='RUNNING']").await;
}

/// Hosts an archive whose page is `said`, moves the programs to a node of their own, and reads the page.
async fn host(service_type: &str, archive: (&str, &[u8]), said: &str) {
    let visit = Visit::begin().await;
    let Visit { browser, stack, .. } = &visit;
    let (name, content) = archive;
    let archive = stack.file(name, content);

    visit.log_in().await;
    visit.start(service_type).await;
    browser.enter("#archive", &archive).await;
    browser.click("form[action$='/code'] button").await;
    browser.click("form[action$='/enable'] button").await;
    browser.shown(&format!("//*[@id='code']//tr[contains(., '{name}')]//*[.='active']")).await;
    browser.enter("[name='role.backend']", "1").await;
    browser.click("#nodes-add").await;
    browser.shown("//*[@id='instances']//tr[2]//*[@class='tag'][.='backend']").await;
    visit.state("RUNNING").await;

    let access = browser.attribute("#summary a[target=_blank]", "href").await;
    browser.go(&access.expect("a link has an address")).await;
    browser.shown(&format!("//p[.='{said}']")).await;
}

#[tokio::test]
async fn a_php_application_is_hosted_and_scaled_in_the_browser() {
    let page = "<p><?php echo 'by ', PHP_SAPI ?></p>";
    let archive = tar_gz(&[("index.php", page)]);
    host("php", ("page.tar.gz", &archive), "by fpm-fcgi").await;
}

#[tokio::test]
async fn a_java_application_is_hosted_and_scaled_in_the_browser() {
    let page = "<p>by <%= application.getServerInfo().split(\"/\")[0] %></p>";
    let archive = zip(&[("index.jsp", page.as_bytes()), ("WEB-INF/web.xml", b"<web-app/>")]);
    host("java", ("page.war", &archive), "by Apache Tomcat").await;
}

/// A public key, whose private half nobody has.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2lbJHdHRC9x7SSRsg8ETEWjNKgxVaGekc9/N0TFJ2q \
                   me@home";
