//! The demonstration as a person sees it: its page in a browser, its nodes killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::webdriver::{Browser, SCREENS, until, within};

/// How often a page may be loaded until every node has answered.
const LOADS_MAX: usize = 60;

/// `anynode up` with three nodes, on free ports, with a store of its own.
struct Demo {
    _process: Child,
    _state: TempDir,
    home: String,
    /// Where each node answers at present, by its name.
    nodes: watch::Receiver<BTreeMap<String, SocketAddr>>,
}

// === impl Demo ===

impl Demo {
    async fn start() -> Self {
        let state = TempDir::new().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_anynode"))
            .args(["up", "--listen", "127.0.0.1:0", "--state"])
            .arg(state.path())
            .env_remove("ANYNODE_STORE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (known, mut nodes) = watch::channel(BTreeMap::new());
        let (page, mut home) = watch::channel(String::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("  page ") {
                    page.send_replace(url.trim().to_owned());
                }
                if let Some((name, address)) = announced(&line) {
                    known.send_modify(|nodes| {
                        nodes.insert(name, address);
                    });
                }
            }
        });
        within(nodes.wait_for(|nodes| nodes.len() == 3))
            .await
            .unwrap();
        let home = within(home.wait_for(|home| !home.is_empty())).await;
        let home = home.unwrap().clone();
        Self {
            _process: process,
            _state: state,
            home,
            nodes,
        }
    }

    /// What each node answers to this cookie, asked without the gateway.
    async fn known_to_nodes(&self, cookie: &str) -> Vec<Value> {
        let nodes = self.nodes.borrow().clone();
        let mut users = Vec::new();
        for address in nodes.into_values() {
            users.push(who_am_i(address, cookie).await["user"].clone());
        }
        users
    }
}

/// The node of a line that says where one serves.
fn announced(line: &str) -> Option<(String, SocketAddr)> {
    let (_, address) = line.rsplit_once(" at ")?;
    let address = address.split([',', ' ']).next()?.parse().ok()?;
    let (_, name) = line.split_once("node ")?;
    let name = name.trim_start().split(' ').next()?;
    Some((name.to_owned(), address))
}

async fn who_am_i(address: SocketAddr, cookie: &str) -> Value {
    let body = ask(address, cookie, "GET", "/whoami").await;
    serde_json::from_slice(&body).unwrap()
}

/// What a node answers to this cookie.
async fn ask(address: SocketAddr, cookie: &str, method: &str, path: &str) -> Bytes {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, cookie)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let answer = within(sender.send_request(request)).await.unwrap();
    answer.into_body().collect().await.unwrap().to_bytes()
}

async fn ask_to_log_in(demo: &Demo, browser: &Browser) {
    browser.open(&demo.home).await;
    browser.type_into("#name", "ada").await;
    browser.click("#login button").await;
}

async fn log_in(demo: &Demo, browser: &Browser) {
    ask_to_log_in(demo, browser).await;
    assert_eq!(browser.text("#user").await, "ada");
}

/// The cookies in the jar but for the companion, which says for two seconds what was written last.
async fn lasting_cookies(browser: &Browser) -> Vec<Value> {
    let mut cookies = browser.cookies().await;
    cookies.retain(|cookie| !cookie["name"].as_str().unwrap().ends_with("-seen"));
    cookies
}

/// The cookie of the session, as it is sent.
async fn only_cookie(browser: &Browser) -> String {
    let cookies = lasting_cookies(browser).await;
    let part = |name| cookies[0][name].as_str().unwrap();
    format!("{}={}", part("name"), part("value"))
}

/// The number of visits that the page shows.
async fn visits(browser: &Browser) -> u64 {
    browser.text("#visits").await.parse().unwrap()
}

/// Loads the page until every node has answered, and returns the name and the process of the last.
async fn met_all_nodes(demo: &Demo, browser: &Browser) -> (String, Pid) {
    let gateway = demo
        .home
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let gateway = gateway.parse().unwrap();
    let mut met = BTreeMap::new();
    for _ in 0..LOADS_MAX {
        let node = browser.attribute("#strip", "data-node").await;
        let pid = browser.attribute("#strip", "data-pid").await;
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        let is_known = met.insert(node.clone(), pid).is_some();
        if met.len() == 3 {
            return (node, pid);
        }
        if is_known {
            // What the page asks for may come in threes, and then it is the same node's turn again.
            ask(gateway, "", "GET", "/whoami").await;
        }
        let before = visits(browser).await;
        browser.reload().await;
        assert_eq!(visits(browser).await, before + 1);
    }
    panic!("only {met:?} answered {LOADS_MAX} times");
}

#[tokio::test]
async fn a_person_stays_logged_in_though_the_node_that_served_them_is_killed() {
    let demo = Demo::start().await;
    let browser = Browser::start(json!({})).await;
    browser.open(&demo.home).await;
    for screen in SCREENS {
        browser.picture("login", screen).await;
    }
    log_in(&demo, &browser).await;
    browser.click("#shelf button[value=apples]").await;
    until(async || browser.has("#cart [data-item=apples]").await).await;
    browser.click("#shelf button[value=coffee]").await;
    until(async || browser.has("#cart [data-item=coffee]").await).await;
    let (name, pid) = met_all_nodes(&demo, &browser).await;
    let before = visits(&browser).await;
    for screen in SCREENS {
        browser.picture("shop", screen).await;
    }

    kill_process(pid, Signal::KILL).unwrap();

    browser.reload().await;
    assert_eq!(browser.text("#user").await, "ada");
    assert_eq!(visits(&browser).await, before + 1);
    assert_eq!(browser.text("#cart-count").await, "2");
    assert_ne!(
        browser.attribute("#strip", "data-pid").await,
        pid.to_string()
    );
    // The page says so as well when another has taken its place.
    let successor =
        format!("#nodes li[data-node={name}][data-state=running]:not([data-pid='{pid}'])");
    until(async || browser.has(&successor).await).await;
    // A browser says of a stream whose node was killed that it broke off, and comes again by itself.
    let mut complaints = browser.complaints().await;
    complaints.retain(|complaint| !complaint.contains("/session/events"));
    assert_eq!(complaints, Vec::<String>::new());
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_no_script_sees_it() {
    let demo = Demo::start().await;
    let browser = Browser::start(json!({})).await;
    log_in(&demo, &browser).await;
    let cookies = lasting_cookies(&browser).await;
    let [cookie] = cookies.as_slice() else {
        panic!("one cookie, not {}", cookies.len());
    };
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["sameSite"], "Lax");
    assert_eq!(cookie["path"], "/");
    // No attribute `Domain`: a cookie of all subdomains would have a dot before it.
    assert_eq!(cookie["domain"], "127.0.0.1");
    // No `Max-Age`: it is forgotten with the browser.
    assert_eq!(cookie.get("expiry"), None);
    assert_eq!(browser.value("document.cookie").await, "");
}

#[tokio::test]
async fn after_a_logout_the_jar_is_empty_and_no_node_takes_the_old_cookie() {
    let demo = Demo::start().await;
    let browser = Browser::start(json!({})).await;
    log_in(&demo, &browser).await;
    let cookie = only_cookie(&browser).await;
    assert_eq!(demo.known_to_nodes(&cookie).await, ["ada"; 3]);

    browser.click("#logout").await;

    until(async || browser.has("#login").await).await;
    assert_eq!(lasting_cookies(&browser).await, Vec::<Value>::new());
    until(async || browser.cookies().await.is_empty()).await;
    assert_eq!(
        demo.known_to_nodes(&cookie).await,
        [const { Value::Null }; 3]
    );
    // The page of the user is kept nowhere: going back asks again.
    browser.back().await;
    until(async || browser.has("#login").await).await;
    assert!(!browser.has("#user").await);
}

/// Nobody touches the page: a node tells it.
#[tokio::test]
async fn a_page_that_is_open_says_so_when_its_session_is_ended_elsewhere() {
    let demo = Demo::start().await;
    let browser = Browser::start(json!({})).await;
    log_in(&demo, &browser).await;
    until(async || browser.has("#live[data-node]").await).await;
    let cookie = only_cookie(&browser).await;
    let nodes = demo.nodes.borrow().clone();
    let node = *nodes.values().next().unwrap();
    ask(node, &cookie, "POST", "/logout-everywhere").await;
    // By its own question, or by what it was told.
    let cause = "#live[data-cause=epoch], #live[data-cause=ended]";
    until(async || browser.has(cause).await).await;
    let text = browser.text("#live").await;
    assert!(text.starts_with("Your session has ended:"), "{text}");
    for screen in SCREENS {
        browser.picture("ended", screen).await;
    }
}

#[tokio::test]
async fn the_cart_in_memory_is_lost_on_the_next_node() {
    let demo = Demo::start().await;
    let browser = Browser::start(json!({})).await;
    // Until a login, its page and a click meet the same node, the visitor is asked again: that is
    // what this tab is there to show.
    for attempt in 0.. {
        assert!(attempt < LOADS_MAX, "no node met its own session");
        browser.open(&format!("{}memory", demo.home)).await;
        if browser.has("#login").await {
            browser.type_into("#name", "ada").await;
            browser.click("#login button").await;
        }
        if browser.has("#shelf").await {
            break;
        }
    }
    for screen in SCREENS {
        browser.picture("memory", screen).await;
    }
    let home = browser.attribute("#strip", "data-node").await;
    until(async || {
        browser.open(&format!("{}memory", demo.home)).await;
        browser.attribute("#strip", "data-node").await != home
    })
    .await;
    assert!(!browser.has("#cart").await);
    assert!(browser.has("#note").await, "nobody says why");
    for screen in SCREENS {
        browser.picture("memory-lost", screen).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_why_it_is_not_logged_in() {
    let demo = Demo::start().await;
    let block = json!({ "profile.default_content_setting_values.cookies": 2 });
    let browser = Browser::start(block).await;
    ask_to_log_in(&demo, &browser).await;
    let heading = browser.text("#cookie-missing h1").await;
    assert_eq!(heading, "Your cookie did not come back");
    assert!(browser.has("[data-reason=blocked].likely").await);
    for screen in SCREENS {
        browser.picture("cookies-blocked", screen).await;
    }
}

#[tokio::test]
async fn the_button_kills_a_node_and_nobody_is_logged_out() {
    let demo = Demo::start().await;
    let browser = Browser::start(json!({})).await;
    log_in(&demo, &browser).await;
    let pid = browser
        .attribute("#nodes li[data-node=n2]", "data-pid")
        .await;
    browser.click("#nodes button[value=n2]").await;
    let successor = format!("#nodes li[data-node=n2][data-state=running]:not([data-pid='{pid}'])");
    until(async || browser.has(&successor).await).await;
    browser.open(&demo.home).await;
    assert_eq!(browser.text("#user").await, "ada");
}
