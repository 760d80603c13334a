//! What nodes keep of the store, and that they refuse what has ended all the same.

use serde_json::Value;

use crate::client::Client;
use crate::program::{Node, Up, within};

/// The same visitor, asking this node and no other.
async fn at(node: Node, user: &Client) -> Client {
    let mut client = Client::connect(node.address).await;
    client.cookie = user.cookie.clone();
    client
}

#[tokio::test]
async fn sessions_are_read_from_copies_and_one_that_ended_is_refused_by_every_node_at_once() {
    let up = Up::start().await;
    assert!(up.copies.contains("lease of 1 s"), "{}", up.copies);
    let mut desk = Client::logged_in(up.gateway, "ada").await;
    let phone = Client::logged_in(up.gateway, "ada").await;
    let mut nodes = Vec::new();
    for node in &up.nodes {
        let mut client = at(*node, &phone).await;
        let asking = async {
            loop {
                let answer = client.get("/whoami").await;
                assert_eq!(answer.json()["user"], "ada");
                if answer.age.ends_with("; copy") {
                    return;
                }
            }
        };
        within(asking).await;
        nodes.push(client);
    }
    // Before long the page says of every node that it read from copies.
    let told = async |desk: &mut Client| {
        let rows = desk.get("/nodes").await.body;
        rows.matches("data-copies=").count() == 3 && !rows.contains("data-copies=\"0\"")
    };
    within(async { while !told(&mut desk).await {} }).await;

    desk.post("/logout-everywhere", "").await;

    for client in &mut nodes {
        let answer = client.get("/whoami").await;
        assert_eq!(answer.json()["user"], Value::Null, "{answer:?}");
    }
}

#[tokio::test]
async fn without_copies_every_request_asks_the_store() {
    let up = Up::start_with(&["--strategy", "central"]).await;
    assert!(up.copies.contains("none"), "{}", up.copies);
    let mut user = Client::logged_in(up.gateway, "ada").await;
    for _ in 0..12 {
        let answer = user.get("/whoami").await;
        assert!(answer.age.ends_with("; store"), "{answer:?}");
    }
    let page = user.get("/").await.body;
    assert!(page.contains(">Central store</a>"), "{page}");
}
