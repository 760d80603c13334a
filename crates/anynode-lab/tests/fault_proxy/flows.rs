//! What is done to all that is sent.

use std::time::Duration;

use anynode_lab::fault::{Fault, Way};
use tokio::time::Instant;

use crate::world::{World, soon};

#[tokio::test]
async fn without_a_fault_everything_arrives_and_so_does_the_end() {
    let world = World::new().await;
    let mut client = world.client().await;
    assert_eq!(client.ask("hello").await, "hello");
    drop(client);
    world.wait_until_server_saw_the_end().await;
    assert_eq!((world.proxy.accepted(), world.proxy.hits()), (1, 0));
}

#[tokio::test]
async fn what_is_delayed_arrives_later_in_order_and_not_one_after_the_other() {
    let world = World::new().await;
    let by = Duration::from_millis(200);
    let jitter = Duration::from_millis(50);
    let way = Way::ToServer;
    let mut client = world.client_under(Fault::Delay { way, by, jitter }).await;
    let begun = Instant::now();
    for text in ["one ", "two ", "three ", "four "] {
        client.send(text).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.receive(19).await, b"one two three four ");
    assert!(begun.elapsed() >= by);
    world.proxy.heal();
    assert_eq!(client.ask("after").await, "after");
}

#[tokio::test]
async fn a_black_hole_to_the_server_swallows_requests_and_tells_nobody() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::BlackHole(Way::ToServer)).await;
    client.send("swallowed").await;
    assert!(client.hears_nothing().await);
    assert!(!world.server_saw("swallowed"));
    world.proxy.heal();
    client.send("too late").await;
    assert!(client.hears_nothing().await, "a stream has no holes");
    assert_eq!(world.client().await.ask("anew").await, "anew");
}

#[tokio::test]
async fn a_black_hole_to_the_client_swallows_answers_to_what_was_done() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::BlackHole(Way::ToClient)).await;
    client.send("done").await;
    world.wait_until_server_saw("done").await;
    assert!(client.hears_nothing().await);
    let mut other = world.client().await;
    other.send("also done").await;
    world.wait_until_server_saw("also done").await;
    assert!(other.hears_nothing().await);
}

#[tokio::test]
async fn what_is_stalled_arrives_when_that_is_over() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::Stall(Way::Both)).await;
    client.send("late").await;
    assert!(client.hears_nothing().await);
    assert!(!world.server_saw("late"));
    world.proxy.heal();
    assert_eq!(client.receive(4).await, b"late");
}

#[tokio::test]
async fn what_drips_arrives_byte_by_byte() {
    let world = World::new().await;
    let (way, every) = (Way::ToClient, Duration::from_millis(20));
    let mut client = world.client_under(Fault::Drip { way, every }).await;
    let begun = Instant::now();
    client.send("drops").await;
    assert_eq!(client.read().await.unwrap().len(), 1);
    client.receive(4).await;
    assert!(begun.elapsed() >= every * 5);
    world.proxy.heal();
    assert_eq!(client.ask("after").await, "after");
}

#[tokio::test]
async fn single_bytes_are_torn_apart_and_arrive_whole() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::SingleBytes(Way::Both)).await;
    let text = "abc".repeat(300);
    client.send(&text).await;
    let (mut received, mut reads) = (Vec::new(), 0);
    while received.len() < text.len() {
        received.extend(client.read().await.unwrap());
        reads += 1;
    }
    assert_eq!(received, text.as_bytes());
    assert!(reads > 1, "{reads}");
}

#[tokio::test]
async fn a_script_is_played_to_its_end() {
    let world = World::new().await;
    let mut client = world.client().await;
    let moment = Duration::from_millis(100);
    let script = [
        (Fault::Stall(Way::ToServer), moment),
        (Fault::Stall(Way::ToClient), moment),
    ];
    let begun = Instant::now();
    let (answer, ()) =
        soon(async { tokio::join!(client.ask("hello"), world.proxy.play(&script)) }).await;
    assert_eq!(answer, "hello");
    assert!(begun.elapsed() >= moment * 2);
}
