//! A browser to try pages in: Chromium without a window, driven through the `WebDriver` protocol.

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

/// Set where a browser is installed for certain, so that its absence is a failure.
const REQUIRED: &str = "ACTIVITY_TRACKER_TEST_BROWSER";
/// A folder that pictures are put into.
const PICTURES: &str = "ACTIVITY_TRACKER_TEST_PICTURES";

const DRIVER: &str = "chromedriver";

/// How often a driver is started before the test fails.
const STARTS: u32 = 10;

/// How long the browser may take for one thing before the test fails in place of hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// Nothing that a browser does of its own accord, which would look like the page's doing.
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

/// Chromium and the program that drives it; both end with this value.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    folder: TempDir,
}

impl Browser {
    /// None where there is no browser, which is said.
    pub(crate) fn start() -> Option<Self> {
        let (driver, port) = start_driver()?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE));
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
        // Away from the page for new tabs, which asks for much.
        self.post("/url", &json!({ "url": "about:blank" }));
        // As on a phone, where they take no room.
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
        let mut answer = request
            .send(body.to_string())
            .expect("an answer from the driver");
        let text = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string();
        let mut answer: Value = serde_json::from_str(&text.expect("all of it")).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{command}: {answer:#}");
        answer["value"].take()
    }

    /// Opens a page from a file.
    pub(crate) fn open(&self, html: &str) {
        let file = self.folder.path().join("report.html");
        fs::write(&file, html).expect("write the page");
        self.visit(&format!("file://{}", file.display()));
    }

    /// Opens a page from wherever it is.
    pub(crate) fn visit(&self, url: &str) {
        // What was logged before is of another page.
        self.log("browser");
        self.log("performance");
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs the body of a function in the page, and returns what it returns.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Sends a command of Chromium's own protocol.
    pub(crate) fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    /// Makes the window as wide as that, in CSS pixels.
    pub(crate) fn be_wide(&self, width: u32) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Shows the page as `screen` or `print`, `light` or `dark`.
    pub(crate) fn show_as(&self, media: &str, colours: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": colours }]);
        self.chromium(
            "Emulation.setEmulatedMedia",
            &json!({ "media": media, "features": features }),
        );
    }

    /// Presses a key where the focus is.
    pub(crate) fn press(&self, key: char) {
        let press = |kind| json!({ "type": kind, "value": key.to_string() });
        let keys =
            json!([{ "type": "key", "id": "keys", "actions": [press("keyDown"), press("keyUp")] }]);
        self.post("/actions", &json!({ "actions": keys }));
    }

    /// Entries of a log since it was last asked for.
    fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("/se/log", &json!({ "type": kind }));
        entries.as_array().cloned().unwrap_or_default()
    }

    /// What the console says, warnings and errors alone.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let serious = |entry: &Value| matches!(entry["level"].as_str(), Some("WARNING" | "SEVERE"));
        let entries = self.log("browser").into_iter().filter(serious);
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The URLs of everything that the page asked for.
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

    /// Puts a picture of the whole page into the folder for pictures, if there is one.
    pub(crate) fn picture(&self, name: &str) {
        let whole = json!({ "captureBeyondViewport": true });
        keep(name, "png", || {
            self.chromium("Page.captureScreenshot", &whole)
        });
    }

    /// Puts the page as it is printed beside the pictures.
    pub(crate) fn paper(&self, name: &str) {
        let a4 = json!({ "paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true });
        keep(name, "pdf", || self.chromium("Page.printToPDF", &a4));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closes the browser; the driver alone would leave it running.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A driver and the port that it listens on; none where none is installed.
///
/// It takes a free port of IPv4 and wants the same one of IPv6; where another test's server has that, it says so and
/// ends. So it is started again.
fn start_driver() -> Option<(Child, u16)> {
    for _ in 0..STARTS {
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
        let mut said = String::new();
        if let Some(port) = port(&mut driver, &mut said) {
            return Some((driver, port));
        }
        let _ = driver.kill();
        let _ = driver.wait();
        println!("{DRIVER} does not listen:\n{said}");
    }
    panic!("{DRIVER} was started {STARTS} times and does not listen");
}

/// The port that the driver says it listens on, and what it says before that.
fn port(driver: &mut Child, said: &mut String) -> Option<u16> {
    let lines = BufReader::new(driver.stdout.take()?).lines();
    for line in lines.map_while(Result::ok) {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return port.trim_end_matches('.').parse().ok();
        }
        said.push_str(&line);
        said.push('\n');
    }
    None
}

/// Writes into the folder for pictures, if there is one.
fn keep(name: &str, ending: &str, take: impl FnOnce() -> Value) {
    let Some(folder) = env::var_os(PICTURES) else {
        return;
    };
    let taken = take();
    let bytes = STANDARD.decode(taken["data"].as_str().expect("a picture"));
    let file = Path::new(&folder).join(format!("{name}.{ending}"));
    fs::write(file, bytes.expect("base64")).expect("write a picture");
}
