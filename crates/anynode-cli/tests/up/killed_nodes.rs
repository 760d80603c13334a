//! Nobody is logged out and nothing is lost while nodes are killed.

use std::collections::BTreeMap;

use hyper::StatusCode;
use rustix::process::Signal;
use serde_json::Value;

use crate::client::Client;
use crate::program::Up;

/// A user who visits again and again, and sees every visit counted once.
struct Visitor {
    client: Client,
    visits: u64,
    by_node: BTreeMap<String, u64>,
}

// === impl Visitor ===

impl Visitor {
    async fn visit(&mut self, method: &str) {
        let answer = self.client.ask(method, "/visit", "").await;
        self.visits += 1;
        let json = answer.json();
        assert_eq!(json["visits"], self.visits, "{method}: {answer:?}");
        assert_eq!(json["node"], answer.node.as_str());
        *self.by_node.entry(answer.node).or_default() += 1;
    }

    /// Visits by POST, which the gateway never sends twice.
    async fn visit_until(&mut self, visits: u64) {
        while self.visits < visits {
            self.visit("POST").await;
        }
    }

    /// Kills a node between two visits, visits on without a pause, and waits for its successor.
    ///
    /// Right after the kill it visits by GET: until the dead node's connections are closed a request may be
    /// written to one, and only of a GET does the gateway know that it may send it again.
    async fn visit_while_killing(&mut self, up: &mut Up, victim: usize) {
        up.nodes[victim].signal(Signal::KILL);
        for _ in 0..50 {
            self.visit("GET").await;
        }
        let name = format!("n{}", victim + 1);
        up.nodes[victim] = up.successor_of(&name).await;
    }
}

#[tokio::test]
async fn a_user_stays_logged_in_while_one_node_after_the_other_is_killed() {
    let mut up = Up::start().await;
    let mut user = Visitor {
        client: Client::logged_in(up.gateway, "ada").await,
        visits: 0,
        by_node: BTreeMap::new(),
    };
    user.visit_until(100).await;
    user.visit_while_killing(&mut up, 0).await;
    user.visit_until(200).await;
    user.visit_while_killing(&mut up, 1).await;
    user.visit_until(300).await;

    let whoami = user.client.get("/whoami").await.json();
    assert_eq!(whoami["visits"], 300);
    assert_eq!(whoami["user"], "ada");
    let nodes: Vec<&str> = user.by_node.keys().map(String::as_str).collect();
    assert_eq!(nodes, ["n1", "n2", "n3"]);
    assert_eq!(pids_seen(&mut user.client).await, pids_of(&up));
    println!("visits by node: {:?}", user.by_node);
}

#[tokio::test]
async fn a_logout_on_one_node_is_a_logout_on_every_node() {
    let up = Up::start().await;
    let mut user = Client::logged_in(up.gateway, "ada").await;
    let old_cookie = user.cookie.clone();
    for user_seen in on_every_node(&mut user).await.values() {
        assert_eq!(user_seen, "ada");
    }

    user.post("/logout", "").await;
    assert_eq!(user.cookie, None);

    user.cookie = old_cookie;
    for user_seen in on_every_node(&mut user).await.values() {
        assert_eq!(*user_seen, Value::Null);
    }
    for _ in 0..3 {
        assert_eq!(user.get("/visit").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn logging_out_there_and_everywhere_ends_the_sessions_it_names() {
    let up = Up::start().await;
    let mut phone = Client::logged_in(up.gateway, "ada").await;
    let mut desk = Client::logged_in(up.gateway, "ada").await;
    let mut other = Client::logged_in(up.gateway, "bob").await;

    let page = desk.get("/").await.body;
    let (_, after) = page.split_once("name=\"handle\" value=\"").unwrap();
    let (handle, _) = after.split_once('"').unwrap();
    other
        .post("/logout-there", &format!("handle={handle}"))
        .await;
    assert_eq!(phone.get("/visit").await.status, StatusCode::OK);
    desk.post("/logout-there", &format!("handle={handle}"))
        .await;
    assert_eq!(phone.get("/visit").await.status, StatusCode::UNAUTHORIZED);

    let mut phone = Client::logged_in(up.gateway, "ada").await;
    desk.post("/logout-everywhere", "").await;
    assert_eq!(desk.cookie, None);
    assert_eq!(phone.get("/visit").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other.get("/visit").await.status, StatusCode::OK);
}

/// Asks until each of the three nodes has answered, and returns which user each saw.
async fn on_every_node(client: &mut Client) -> BTreeMap<String, Value> {
    let mut users = BTreeMap::new();
    for _ in 0..30 {
        let answer = client.get("/whoami").await;
        users.insert(answer.node.clone(), answer.json()["user"].clone());
    }
    assert_eq!(users.len(), 3, "{users:?}");
    users
}

async fn pids_seen(client: &mut Client) -> BTreeMap<String, i64> {
    let mut pids = BTreeMap::new();
    for _ in 0..30 {
        let answer = client.get("/whoami").await;
        let pid = answer.json()["pid"].as_i64().unwrap();
        pids.insert(answer.node, pid);
    }
    pids
}

fn pids_of(up: &Up) -> BTreeMap<String, i64> {
    let names = (1..).map(|number| format!("n{number}"));
    let pids = up.nodes.iter().map(|node| node.pid.as_raw_nonzero().get());
    names.zip(pids.map(i64::from)).collect()
}
