//! A real browser, and what people do in one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use integration::{executable, processes};
use serde_json::json;

/// A Chromium that knows nothing yet. It ends when this is dropped.
pub(crate) struct Browser {
    client: Client,
    _driver: Driver,
}

impl Browser {
    /// `profile` is a directory that is not there yet.
    pub(crate) async fn open(profile: &Path) -> Self {
        let driver = Driver::start();
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
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .unwrap();
        Self { client, _driver: driver }
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn click(&self, css: &str) {
        self.element(css, async |found| found.click().await).await;
    }

    /// Fills in a field; one for files with their names.
    pub(crate) async fn enter(&self, css: &str, text: &str) {
        let fill = async |field: &Element| {
            field.clear().await?;
            field.send_keys(text).await
        };
        self.element(css, fill).await;
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        self.element(css, async |found| found.text().await).await
    }

    pub(crate) async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        self.element(css, async |found| found.attr(name).await).await
    }

    /// Waits until there is an element at this path (XPath).
    pub(crate) async fn shown(&self, path: &str) {
        self.client.wait().for_element(Locator::XPath(path)).await.unwrap();
    }

    /// Whether there is such an element now.
    pub(crate) async fn has(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    /// Waits for an element and does something with it. A live page may exchange it in between; then
    /// there is another.
    async fn element<T>(&self, css: &str, act: impl AsyncFn(&Element) -> Result<T, CmdError>) -> T {
        loop {
            let found = self.client.wait().for_element(Locator::Css(css)).await.unwrap();
            match act(&found).await {
                Err(error) if error.is_stale_element_reference() => {}
                result => return result.unwrap(),
            }
        }
    }
}

/// A `chromedriver` on a port of its own choice.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
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
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser would outlive it.
        for process in processes::descendants(self.process.id()) {
            let process = rustix::process::Pid::from_raw(process.cast_signed());
            let process = process.expect("the id of a process");
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
