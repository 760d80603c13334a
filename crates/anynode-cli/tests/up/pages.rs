//! What people see of it: the strip, the two tabs, the buttons.

use std::collections::BTreeMap;

use hyper::StatusCode;
use rustix::process::Signal;
use serde_json::Value;

use crate::client::{Client, From};
use crate::program::{Up, until, within};

/// How many requests certainly meet every one of three nodes.
const A_ROUND: usize = 12;

/// What each node knows of this visitor: the user and the cart.
async fn known_by_node(client: &mut Client, path: &str) -> BTreeMap<String, (Value, Value)> {
    let mut known = BTreeMap::new();
    for _ in 0..A_ROUND {
        let answer = client.get(path).await;
        let json = answer.json();
        known.insert(answer.node, (json["user"].clone(), json["cart"].clone()));
    }
    known
}

/// The calls of the store that this node's figures count, without what it does in the background.
async fn store_calls(client: &mut Client) -> u64 {
    let text = client.get("/metrics").await.body;
    let counts = text.lines().filter_map(|line| {
        let (verb, count) = line
            .strip_prefix("anynode_store_seconds_count{verb=\"")?
            .split_once("\"} ")?;
        let in_background = matches!(verb, "touch" | "sweep");
        (!in_background).then(|| count.parse::<u64>().unwrap())
    });
    counts.sum()
}

/// Waits until this node uses its copies.
async fn trusting(client: &mut Client) {
    let trusted = "anynode_near_condition{condition=\"trusted\"} 1";
    within(async { while !client.get("/metrics").await.body.contains(trusted) {} }).await;
}

#[tokio::test]
async fn the_strip_tells_who_answered_and_every_call_of_the_store() {
    let up = Up::start().await;
    // Asked without the gateway, so that nobody else's calls are counted.
    let node = up.nodes[1];
    let mut user = Client::connect(node.address).await;
    trusting(&mut user).await;
    let mut shown = Vec::new();
    for path in ["/", "/login", "/", "/cart", "/", "/logged-in"] {
        let before = store_calls(&mut user).await;
        let answer = match path {
            "/login" => user.post(path, "name=ada").await,
            "/cart" => user.post(path, "item=apples").await,
            _ => user.get(path).await,
        };
        if answer.status == StatusCode::OK {
            let counted = store_calls(&mut user).await - before;
            assert_eq!(answer.attribute("data-hops"), counted.to_string());
            assert_eq!(answer.attribute("data-node"), "n2");
            assert_eq!(answer.attribute("data-pid"), node.pid.to_string());
            shown.push(counted);
        }
    }
    // A stranger; then the visit and the list of sessions, as the session that the login wrote is kept; then that
    // as well, because what is written from then on is heard of, whoever wrote it.
    assert_eq!(shown, [0, 2, 3]);
}

#[tokio::test]
async fn a_cart_in_memory_is_gone_on_every_other_node_and_after_a_kill() {
    let mut up = Up::start().await;
    let mut user = Client::logged_in_below(up.gateway, "/memory", "ada").await;
    let home = loop {
        let answer = user.post("/memory/cart", "item=apples").await;
        if answer.status == StatusCode::SEE_OTHER {
            break answer.node;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    };
    let known = known_by_node(&mut user, "/memory/whoami").await;
    assert_eq!(known.len(), 3);
    for (node, (user, cart)) in known {
        let expected = match node == home {
            true => (Value::from("ada"), Value::from(vec!["apples"])),
            false => (Value::Null, Value::from(Vec::<String>::new())),
        };
        assert_eq!((user, cart), expected, "{node}");
    }
    let elsewhere = loop {
        let answer = user.get("/memory").await;
        if answer.node != home {
            break answer;
        }
    };
    assert!(elsewhere.body.contains("<p id=\"note\""), "{elsewhere:?}");

    let number: usize = home.trim_start_matches('n').parse().unwrap();
    up.nodes[number - 1].signal(Signal::KILL);
    up.successor_of(&home).await;
    for (node, (user, _)) in known_by_node(&mut user, "/memory/whoami").await {
        assert_eq!(user, Value::Null, "{node}");
    }
}

#[tokio::test]
async fn the_two_shops_have_a_visitor_each() {
    let up = Up::start().await;
    let mut central = Client::logged_in(up.gateway, "ada").await;
    let memory = Client::logged_in_below(up.gateway, "/memory", "eve").await;
    let (one, other) = (central.cookie.clone().unwrap(), memory.cookie.unwrap());
    central.cookie = Some(format!("{other}; {one}"));
    for (user, _) in known_by_node(&mut central, "/whoami").await.values() {
        assert_eq!(user, "ada");
    }
    let known = known_by_node(&mut central, "/memory/whoami").await;
    let users: Vec<&Value> = known.values().map(|(user, _)| user).collect();
    assert_eq!(users.iter().filter(|user| **user == "eve").count(), 1);
    assert_eq!(users.iter().filter(|user| user.is_null()).count(), 2);
}

#[tokio::test]
async fn a_node_is_killed_by_its_button_and_nobody_is_logged_out() {
    let mut up = Up::start().await;
    let mut user = Client::logged_in(up.gateway, "ada").await;
    user.post("/cart", "item=bread").await;
    // A node asked to be killed itself still answers who asked.
    let old = up.nodes[1];
    let mut direct = Client::connect(old.address).await;
    let answer = direct.post("/kill", "node=n2").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert_eq!(answer.location, "/");

    let new = up.successor_of("n2").await;
    assert_ne!(new.pid, old.pid);
    assert!(!old.is_running());
    for (user, cart) in known_by_node(&mut user, "/whoami").await.values() {
        assert_eq!(user, "ada");
        assert_eq!(*cart, Value::from(vec!["bread"]));
    }
    let row = format!(
        "data-node=\"n2\" data-pid=\"{}\" data-state=\"running\"",
        new.pid
    );
    // Every node has heard of the new one before long.
    for node in [up.nodes[0], new, up.nodes[2]] {
        let mut client = Client::connect(node.address).await;
        within(async { while !client.get("/nodes").await.body.contains(&row) {} }).await;
    }
    let answer = user.post("/kill", "node=n9").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn another_site_and_a_link_cannot_kill_a_node() {
    let mut up = Up::start().await;
    let mut user = Client::logged_in(up.gateway, "ada").await;
    for from in [From::OtherSite, From::OtherSiteByOrigin] {
        for path in ["/kill", "/memory/kill"] {
            user.from = from;
            let answer = user.post(path, "node=n1").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{from:?} {path}");
            let mut stranger = Client::connect(up.gateway).await;
            stranger.from = from;
            let answer = stranger.post(path, "node=n1").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{from:?} {path}");
        }
    }
    user.from = From::SameOrigin;
    let link = user.get("/kill?node=n1").await;
    assert_eq!(link.status, StatusCode::METHOD_NOT_ALLOWED);
    // The first node to be killed is the one that was asked for by the page itself.
    user.post("/kill", "node=n3").await;
    up.line_with("node n3 was killed").await;
    assert!(up.nodes[0].is_running());
    until(|| !up.nodes[2].is_running()).await;
}

#[tokio::test]
async fn a_cookie_that_did_not_come_back_is_explained() {
    let up = Up::start().await;
    for (base, home) in [("", "/"), ("/memory", "/memory")] {
        let mut user = Client::connect(up.gateway).await;
        let login = user.post(&format!("{base}/login"), "name=ada").await;
        assert_eq!(login.location, format!("{base}/logged-in"));
        let back = user.get(&login.location).await;
        assert_eq!(
            (back.status, back.location.as_str()),
            (StatusCode::SEE_OTHER, home)
        );

        user.cookie = None;
        let lost = user
            .get(&format!("{}?next=//other.example", login.location))
            .await;
        assert_eq!(lost.status, StatusCode::OK);
        assert!(
            lost.body.contains("<section id=\"cookie-missing\""),
            "{lost:?}"
        );
        assert!(!lost.body.contains("other.example"), "{lost:?}");
    }
}

#[tokio::test]
async fn what_a_visitor_typed_is_text_on_every_page() {
    let up = Up::start().await;
    let name = "%3Cscript%3E%7B%7B%26nodes%7D%7D";
    let mut user = Client::logged_in(up.gateway, name).await;
    let page = user.get("/").await.body;
    assert!(
        page.contains("id=\"user\">&lt;script&gt;{{&amp;nodes}}<"),
        "{page}"
    );
    assert!(!page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn the_cart_gives_back_what_is_taken_out_and_is_never_overfull() {
    let up = Up::start().await;
    let mut user = Client::logged_in(up.gateway, "ada").await;
    for _ in 0..25 {
        user.post("/cart", "item=coffee").await;
    }
    assert!(
        user.get("/")
            .await
            .body
            .contains("data-item=\"coffee\" data-count=\"20\"")
    );
    user.post("/cart/remove", "item=coffee").await;
    user.post("/cart/remove", "item=bread").await;
    assert!(
        user.get("/")
            .await
            .body
            .contains("data-item=\"coffee\" data-count=\"19\"")
    );
    let unknown = user.post("/cart", "item=gold").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn logging_out_everywhere_but_here_leaves_this_one() {
    let up = Up::start().await;
    let mut phone = Client::logged_in(up.gateway, "ada").await;
    let mut desk = Client::logged_in(up.gateway, "ada").await;
    desk.post("/logout-elsewhere", "").await;
    assert_eq!(phone.get("/visit").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(desk.get("/visit").await.status, StatusCode::OK);
}
