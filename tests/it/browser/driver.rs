//! Headless Chromium, driven through the `WebDriver` protocol.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// If set, a missing browser fails the tests.
const REQUIRED: &str = "ACTIVITY_TRACKER_TEST_BROWSER";
/// The folder for screenshots.
const PICTURES: &str = "ACTIVITY_TRACKER_TEST_PICTURES";

const DRIVER: &str = "chromedriver";

/// How many times to try to start the driver.
const MAX_STARTS: u32 = 10;

/// The timeout of a command.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Turns off background traffic, which would look like requests of the page.
const OPTIONS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
];

/// Chromium and its driver; both are stopped on drop.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    folder: TempDir,
}

impl Browser {
    /// `None`, and a message, if no browser is installed.
    pub(crate) fn start() -> Option<Self> {
        let (driver, port) = start_driver()?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT));
        let mut browser = Self {
            driver,
            agent: config.build().into(),
            session: format!("http://127.0.0.1:{port}/session"),
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        browser.open_session();
        Some(browser)
    }

    fn open_session(&mut self) {
        let profile = format!(
            "--user-data-dir={}",
            self.folder.path().join("profile").display()
        );
        let arguments: Vec<_> = OPTIONS.into_iter().chain([&*profile]).collect();
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let opened = self.post("", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        let id = opened["sessionId"].as_str().expect("a session");
        self.session = format!("{}/{id}", self.session);
        // Leaves the new tab page, which sends requests.
        self.post("/url", &json!({ "url": "about:blank" }));
        // As on a phone, where scrollbars take no space.
        self.chromium("Emulation.setScrollbarsHidden", &json!({ "hidden": true }));
    }

    /// Sends a command.
    #[track_caller]
    fn post(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}{command}", self.session);
        let request = self
            .agent
            .post(&url)
            .header("content-type", "application/json");
        let mut response = request
            .send(body.to_string())
            .expect("a response from the driver");
        let text = response
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string();
        let mut result: Value = serde_json::from_str(&text.expect("the whole body")).expect("JSON");
        assert!(result["value"]["error"].is_null(), "{command}: {result:#}");
        result["value"].take()
    }

    /// Opens a page from a file.
    pub(crate) fn open(&self, html: &str) {
        let file = self.folder.path().join("report.html");
        fs::write(&file, html).expect("write the page");
        self.visit(&format!("file://{}", file.display()));
    }

    /// Opens a URL.
    pub(crate) fn visit(&self, url: &str) {
        // Drops the log of the previous page.
        self.log("browser");
        self.log("performance");
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs a function body in the page and returns its result.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Sends a command of the Chrome `DevTools` Protocol.
    pub(crate) fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    /// Sets the width of the window, in CSS pixels.
    pub(crate) fn set_width(&self, width: u32) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Emulates `screen` or `print`, `light` or `dark`.
    pub(crate) fn emulate(&self, media: &str, colours: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": colours }]);
        self.chromium(
            "Emulation.setEmulatedMedia",
            &json!({ "media": media, "features": features }),
        );
    }

    /// Presses a key in the focused element.
    pub(crate) fn press(&self, key: char) {
        let press = |kind| json!({ "type": kind, "value": key.to_string() });
        let keys =
            json!([{ "type": "key", "id": "keys", "actions": [press("keyDown"), press("keyUp")] }]);
        self.post("/actions", &json!({ "actions": keys }));
    }

    /// New entries of a log.
    fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("/se/log", &json!({ "type": kind }));
        entries.as_array().cloned().unwrap_or_default()
    }

    /// Warnings and errors in the console.
    pub(crate) fn console_errors(&self) -> Vec<String> {
        let serious = |entry: &Value| matches!(entry["level"].as_str(), Some("WARNING" | "SEVERE"));
        let entries = self.log("browser").into_iter().filter(serious);
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The URLs of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").into_iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &event["message"];
            let sent = event["method"] == "Network.requestWillBeSent";
            sent.then(|| {
                event["params"]["request"]["url"]
                    .as_str()
                    .map(str::to_owned)
            })?
        });
        entries.collect()
    }

    /// Saves a screenshot of the whole page, if a folder for screenshots is set.
    pub(crate) fn screenshot(&self, name: &str) {
        let whole = json!({ "captureBeyondViewport": true });
        save(name, "png", || {
            self.chromium("Page.captureScreenshot", &whole)
        });
    }

    /// Saves the page as a PDF beside the screenshots.
    pub(crate) fn print_to_pdf(&self, name: &str) {
        let a4 = json!({ "paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true });
        save(name, "pdf", || self.chromium("Page.printToPDF", &a4));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closes the browser; killing the driver would leave it running.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts the driver and returns its port; `None` if it is not installed.
///
/// The driver takes a free IPv4 port and needs the same IPv6 port. It exits if another test uses
/// that one, so it is started again.
fn start_driver() -> Option<(Child, u16)> {
    for _ in 0..MAX_STARTS {
        let driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                assert!(env::var_os(REQUIRED).is_none(), "{DRIVER}: {error}");
                println!("skipped: {DRIVER} is not installed");
                return None;
            }
        };
        let mut output = String::new();
        if let Some(port) = port(&mut driver, &mut output) {
            return Some((driver, port));
        }
        let _ = driver.kill();
        let _ = driver.wait();
        println!("{DRIVER} does not listen:\n{output}");
    }
    panic!("{DRIVER} was started {MAX_STARTS} times and does not listen");
}

/// Reads the port from the driver's output, which goes to `output`.
fn port(driver: &mut Child, output: &mut String) -> Option<u16> {
    let lines = BufReader::new(driver.stdout.take()?).lines();
    for line in lines.map_while(Result::ok) {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return port.trim_end_matches('.').parse().ok();
        }
        output.push_str(&line);
        output.push('\n');
    }
    None
}

/// Writes to the folder for screenshots, if it is set.
fn save(name: &str, ending: &str, take: impl FnOnce() -> Value) {
    let Some(folder) = env::var_os(PICTURES) else {
        return;
    };
    let taken = take();
    let bytes = STANDARD.decode(taken["data"].as_str().expect("a picture"));
    let file = Path::new(&folder).join(format!("{name}.{ending}"));
    fs::write(file, bytes.expect("base64")).expect("write a picture");
}
