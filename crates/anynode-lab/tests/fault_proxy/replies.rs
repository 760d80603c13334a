//! What is done to chosen replies.

use std::io::ErrorKind;
use std::time::Duration;

use anynode_lab::fault::{Act, Fault, Way, Which};
use tokio::time::Instant;

use crate::world::World;

fn reply(which: Which, act: Act) -> Fault {
    Fault::Reply { which, act }
}

/// What arrives in place of the second of three replies.
async fn garbage_of(seed: u64) -> Vec<u8> {
    let world = World::with_seed(seed).await;
    let fault = reply(Which::Nth(2), Act::Garble);
    let mut client = world.client_under(fault).await;
    assert_eq!(client.ask("first").await, "first");
    client.send("second reply").await;
    let garbage = client.receive(12).await;
    assert_eq!(client.ask("third").await, "third");
    assert_eq!(world.proxy.hits(), 1);
    garbage
}

#[tokio::test]
async fn the_second_reply_is_garbage_and_the_same_for_the_same_seed() {
    let garbage = garbage_of(7).await;
    assert_ne!(garbage, b"second reply");
    assert_eq!(garbage, garbage_of(7).await);
    assert_ne!(garbage, garbage_of(8).await);
}

#[tokio::test]
async fn every_second_reply_is_counted_over_all_connections() {
    let world = World::new().await;
    let fault = reply(Which::Every(2), Act::Garble);
    let (mut one, mut two) = (world.client().await, world.client().await);
    world.proxy.set(fault);
    let mut intact = Vec::new();
    for _ in 0..3 {
        intact.push(one.ask("a request").await == "a request");
        intact.push(two.ask("a request").await == "a request");
    }
    assert_eq!(intact, [true, false, true, false, true, false]);
}

#[tokio::test]
async fn replies_that_match_are_held_and_others_go_on() {
    let world = World::new().await;
    let which = Which::Matching(b"load".to_vec());
    let mut client = world.client_under(reply(which, Act::Hold)).await;
    client.send("a load").await;
    world.wait_until_server_saw("a load").await;
    assert!(client.hears_nothing().await);
    assert_eq!(world.client().await.ask("a touch").await, "a touch");
    world.proxy.heal();
    assert_eq!(client.receive(6).await, b"a load");
}

#[tokio::test]
async fn a_chosen_reply_comes_later() {
    let world = World::new().await;
    let by = Duration::from_millis(200);
    let mut client = world
        .client_under(reply(Which::Nth(1), Act::Delay(by)))
        .await;
    let begun = Instant::now();
    assert_eq!(client.ask("late").await, "late");
    assert!(begun.elapsed() >= by);
}

#[tokio::test]
async fn a_connection_ends_in_place_of_the_reply_to_what_was_done() {
    for (act, is_reset) in [(Act::Reset, true), (Act::Cut, false)] {
        let world = World::new().await;
        let mut client = world.client_under(reply(Which::Nth(1), act)).await;
        client.send("done").await;
        let end = client.read().await;
        let kind = end.as_ref().err().map(std::io::Error::kind);
        assert_eq!(
            kind == Some(ErrorKind::ConnectionReset),
            is_reset,
            "{end:?}"
        );
        assert!(is_reset || end.unwrap().is_empty());
        assert!(world.server_saw("done"));
        assert_eq!(world.client().await.ask("anew").await, "anew");
    }
}

#[tokio::test]
async fn requests_are_no_replies() {
    let world = World::new().await;
    let which = Which::Matching(b"load".to_vec());
    let mut client = world.client_under(reply(which, Act::Garble)).await;
    client.send("a load").await;
    world.wait_until_server_saw("a load").await;
    assert_ne!(client.receive(6).await, b"a load");
    world.proxy.set(Fault::Stall(Way::ToClient));
    client.send("a load").await;
    assert!(client.hears_nothing().await);
}
