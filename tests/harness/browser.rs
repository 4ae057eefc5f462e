//! A real Chromium, driven through chromedriver.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::until;

/// The Panic Password that is set with the first administrator.
pub const PANIC: &str = "rivers run to the sea";

/// How a browser looks at the site.
#[derive(Debug, Clone, Copy)]
pub struct Eyes {
    pub width: u32,
    pub dark: bool,
}

impl Default for Eyes {
    fn default() -> Self {
        Self {
            width: 1280,
            dark: true,
        }
    }
}

/// A browser and its driver.
#[derive(Debug)]
pub struct Browser {
    pub page: Client,
    base: String,
    driver: Child,
    driver_url: String,
}

impl Browser {
    /// Opens a browser for a site.
    pub async fn open(base: &str, eyes: Eyes) -> Self {
        Self::with(base, &capabilities(eyes, &[])).await
    }

    /// Opens a browser that may meet another one on this machine by WebRTC.
    pub async fn peer(base: &str) -> Self {
        let flags = [
            "--allow-loopback-in-peer-connection",
            "--disable-features=WebRtcHideLocalIpsWithMdns",
        ];
        Self::with(base, &capabilities(Eyes::default(), &flags)).await
    }

    async fn with(base: &str, capabilities: &Value) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let driver_url = format!("http://127.0.0.1:{port}");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let page = until("the browser", Duration::from_secs(30), || async {
            builder.connect(&driver_url).await.ok()
        })
        .await;
        Self {
            page,
            base: base.to_owned(),
            driver,
            driver_url,
        }
    }

    pub async fn go(&self, path: &str) {
        self.page
            .goto(&format!("{}{path}", self.base))
            .await
            .unwrap();
    }

    pub async fn path(&self) -> String {
        let url = self.page.current_url().await.unwrap();
        url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        )
    }

    /// Finds an element, also one that a page on its way will bring.
    pub async fn find(&self, css: &str) -> Element {
        let wait = self.page.wait().at_most(Duration::from_secs(10));
        let wait = wait.every(Duration::from_millis(50));
        wait.for_element(Locator::Css(css)).await.unwrap()
    }

    pub async fn fill(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap();
    }

    pub async fn press(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    pub async fn has(&self, css: &str) -> bool {
        self.page.find(Locator::Css(css)).await.is_ok()
    }

    pub async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Waits until the browser is at a path.
    pub async fn arrive(&self, path: &str) {
        until(path, Duration::from_mins(1), || async {
            (self.path().await == path).then_some(())
        })
        .await;
    }

    pub async fn run(&self, script: &str) -> Value {
        self.page.execute(script, vec![]).await.unwrap()
    }

    /// Signs in by the site's own form.
    pub async fn sign_in(&self, name: &str, password: &str) {
        self.go("/sign-in").await;
        self.fill("#username", name).await;
        self.fill("#password", password).await;
        self.press("main button[type=submit]").await;
        self.arrive("/").await;
    }

    /// Joins by the form at a path.
    pub async fn join(&self, path: &str, name: &str, password: &str) {
        self.go(path).await;
        self.fill("#username", name).await;
        self.fill("#password", password).await;
        self.fill("#password-again", password).await;
        if self.has("#panic-password").await {
            self.fill("#panic-password", PANIC).await;
            self.fill("#panic-password-again", PANIC).await;
        }
        self.press("main button[type=submit]").await;
        self.arrive("/").await;
    }

    /// Keeps a picture of the page.
    pub async fn keep(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join(format!("{name}.png")),
            self.page.screenshot().await.unwrap(),
        )
        .unwrap();
    }

    /// What axe finds on the page: the rule and the element of each fault.
    pub async fn faults(&self) -> Vec<String> {
        let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/axe/axe.min.js");
        let axe = std::fs::read_to_string(axe).expect("./test fetches axe-core into target/axe");
        self.page.execute(&axe, vec![]).await.unwrap();
        let script = "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations
            .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html} ${node.failureSummary}`))))";
        let found = self.page.execute_async(script, vec![]).await.unwrap();
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault.as_str().unwrap().to_owned())
            .collect()
    }

    /// Whether the page is wider than the window.
    pub async fn overflows(&self) -> bool {
        self.run("return document.documentElement.scrollWidth > innerWidth")
            .await
            == json!(true)
    }

    /// Lets no script of any page run from here on.
    pub async fn switch_script_off(&self) {
        let session = self.page.session_id().await.unwrap().unwrap();
        let command =
            json!({ "cmd": "Emulation.setScriptExecutionDisabled", "params": { "value": true } });
        let url = format!("{}/session/{session}/goog/cdp/execute", self.driver_url);
        let answer = reqwest::Client::new()
            .post(url)
            .json(&command)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success());
    }

    /// Plugs a security key in that somebody touches whenever it is asked.
    pub async fn plug_in_a_key(&self) {
        let session = self.page.session_id().await.unwrap().unwrap();
        let url = format!(
            "{}/session/{session}/webauthn/authenticator",
            self.driver_url
        );
        let key = json!({ "protocol": "ctap2", "transport": "usb", "isUserConsenting": true });
        let asked = reqwest::Client::new().post(url).json(&key);
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub async fn close(mut self) {
        let _closed = self.page.clone().close().await;
        let _ended = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ended = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

fn capabilities(eyes: Eyes, flags: &[&str]) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--disable-gpu".to_owned(),
        "--no-sandbox".to_owned(),
    ];
    arguments.push("--disable-dev-shm-usage".to_owned());
    arguments.push(format!("--window-size={},900", eyes.width));
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut options = json!({ "args": arguments });
    if eyes.width < 500 {
        let metrics = json!({ "width": eyes.width, "height": 760, "pixelRatio": 2.0 });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    json!({ "goog:chromeOptions": options })
}
