//! A real browser, told what to do over WebDriver (the W3C Recommendation) by chromedriver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// The longest any test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long it is from one look to the next while something is awaited.
const PAUSE: Duration = Duration::from_millis(20);

/// The member by which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless Chromium with a profile of its own; it ends when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

/// What the page is looked at with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

/// The screens that pages are made for.
pub(crate) const SCREENS: [Screen; 3] = [
    Screen {
        name: "desk",
        width: 1280,
        height: 900,
        scheme: "light",
    },
    Screen {
        name: "desk-dark",
        width: 1280,
        height: 900,
        scheme: "dark",
    },
    Screen {
        name: "phone",
        width: 390,
        height: 844,
        scheme: "light",
    },
];

// === impl Browser ===

impl Browser {
    /// Starts a browser that nobody has used before, with these preferences of Chromium.
    pub(crate) async fn start(preferences: Value) -> Self {
        let profile = TempDir::new().unwrap();
        let mut driver = Command::new(tool("chromedriver"))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let port = port(&mut driver).await;
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let data = format!("--user-data-dir={}", browser._profile.path().display());
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": tool("chromium"),
                "args": ["--headless", data],
                "prefs": preferences,
            },
        } } });
        let made = browser.call(Method::POST, "/session", wanted).await;
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// Loads a page, and waits until it is whole.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    pub(crate) async fn back(&self) {
        self.post("/back", json!({})).await;
    }

    pub(crate) async fn reload(&self) {
        self.post("/refresh", json!({})).await;
    }

    pub(crate) async fn url(&self) -> String {
        let url = self.get("/url").await;
        url.as_str().unwrap().to_owned()
    }

    /// The value of a JavaScript expression in the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        let body = json!({ "script": script, "args": [] });
        self.post("/execute/sync", body).await
    }

    /// The text of the element.
    pub(crate) async fn text(&self, css: &str) -> String {
        let text = self.of_element(Method::GET, css, "text", Value::Null).await;
        text.as_str().unwrap().to_owned()
    }

    /// The attribute of the element, which must have it.
    pub(crate) async fn attribute(&self, css: &str, name: &str) -> String {
        let part = format!("attribute/{name}");
        let value = self.of_element(Method::GET, css, &part, Value::Null).await;
        let value = value.as_str();
        value
            .unwrap_or_else(|| panic!("{css} has no {name}"))
            .to_owned()
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        let query = format!("document.querySelector({}) !== null", Value::from(css));
        self.value(&query).await == Value::Bool(true)
    }

    pub(crate) async fn click(&self, css: &str) {
        self.of_element(Method::POST, css, "click", json!({})).await;
    }

    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        let text = json!({ "text": text });
        self.of_element(Method::POST, css, "value", text).await;
    }

    /// The cookies of the page, those among them that no script sees.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        let cookies = self.get("/cookie").await;
        cookies.as_array().unwrap().clone()
    }

    /// What scripts and the browser complained about since the last call.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().unwrap();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Looks at the page as on this screen from now on.
    pub(crate) async fn look(&self, screen: Screen) {
        let metrics = json!({
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": 1,
            "mobile": screen.width < 600,
        });
        let scheme = json!({
            "features": [{ "name": "prefers-color-scheme", "value": screen.scheme }],
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// Keeps a picture of the whole page, `NAME-SCREEN.png` among the screenshots of the target directory.
    pub(crate) async fn picture(&self, name: &str, screen: Screen) {
        self.look(screen).await;
        let whole = json!({ "captureBeyondViewport": true });
        let shot = self.devtools("Page.captureScreenshot", whole).await;
        let bytes = base64(shot["data"].as_str().unwrap());
        let directory = target().join("screenshots");
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join(format!("{name}-{}.png", screen.name));
        fs::write(file, bytes).unwrap();
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", body).await
    }

    /// A command about the element, given again while the page that has it is still on its way.
    async fn of_element(&self, method: Method, css: &str, part: &str, body: Value) -> Value {
        let find = json!({ "using": "css selector", "value": css });
        let once = async || {
            let path = format!("/session/{}/element", self.session);
            let element = self.ask(Method::POST, &path, &find).await?;
            let element = element[ELEMENT].as_str().unwrap();
            let path = format!("{path}/{element}/{part}");
            self.ask(method.clone(), &path, &body).await
        };
        let mut last = Value::Null;
        let done = timeout(PATIENCE, async {
            loop {
                match once().await {
                    Ok(value) => return value,
                    Err(error) if is_passing(&error) => last = error,
                    Err(error) => panic!("{css} {part}: {error}"),
                }
                sleep(PAUSE).await;
            }
        });
        match done.await {
            Ok(value) => value,
            Err(_elapsed) => panic!("{css} {part}: {last} at {}", self.url().await),
        }
    }

    async fn get(&self, path: &str) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.call(Method::GET, &path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.call(Method::POST, &path, body).await
    }

    /// One command; what the driver cannot do fails the test with what it says.
    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.ask(method, path, &body).await;
        answer.unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    /// One command, and what the driver says when it cannot do it.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, Value> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("127.0.0.1:{}", self.port))
            .header("content-type", "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(text)))
            .unwrap();
        let answer = within(sender.send_request(request)).await.unwrap();
        let is_success = answer.status().is_success();
        let answer = within(answer.into_body().collect()).await.unwrap();
        let mut answer: Value = serde_json::from_slice(&answer.to_bytes()).unwrap();
        let mut value = answer["value"].take();
        if is_success {
            return Ok(value);
        }
        // Addresses in the driver help nobody.
        value["stacktrace"].take();
        Err(value)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser is in the group of its driver.
        let pid = self.driver.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(group) = pid.and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

// === parts ===

/// Whether an error is one of a page that is just being replaced, or not there yet.
fn is_passing(error: &Value) -> bool {
    let kind = error["error"].as_str().unwrap_or_default();
    matches!(
        kind,
        "no such element" | "stale element reference" | "element click intercepted"
    )
}

/// The port that the driver says it listens on.
async fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = async {
        loop {
            let line = lines.next_line().await.unwrap();
            let line = line.expect("chromedriver says where it listens");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return port.trim_end_matches('.').parse().unwrap();
            }
        }
    };
    let port = within(port).await;
    // It writes on, and must not find its output closed.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    port
}

/// A program that `cargo xtask bring` has unpacked.
fn tool(name: &str) -> PathBuf {
    let path = target().join("tools/bin").join(name);
    assert!(
        path.exists(),
        "{name} is not there; run `cargo xtask bring chromium`"
    );
    path
}

fn target() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap().to_owned()
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(text).unwrap()
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// Waits until what is asked for is so.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    within(async {
        while !condition().await {
            sleep(PAUSE).await;
        }
    })
    .await;
}
