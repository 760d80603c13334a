//! Periodic rotation of secrets: grace, lost responses, races; K-06.

mod client;
mod site;
mod spy;

use std::time::Duration;

use anynode::core::Rotation;
use axum::Router;
use client::{Answer, Client};
use http::StatusCode;
use site::{World, site};
use spy::Verb;

const SECOND: Duration = Duration::from_secs(1);
const ROTATION: Rotation = Rotation {
    period: Duration::from_secs(100),
    grace: Duration::from_secs(10),
};

fn rotating(world: &World) -> Router {
    site(world.layer().with_rotation(ROTATION))
}

async fn logged_in(node: &Router) -> Client {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client
}

async fn user_of(node: &Router, client: &Client) -> String {
    client.clone().get(node, "/user").await.text
}

#[tokio::test]
async fn a_secret_in_use_is_replaced_after_its_period_and_dies_after_the_grace() {
    let world = World::new();
    let node = rotating(&world);
    let mut client = logged_in(&node).await;
    let old = client.clone();
    world.advance(99 * SECOND);
    assert!(client.get(&node, "/user").await.cookies().is_empty());
    world.advance(SECOND);
    assert_eq!(client.get(&node, "/user").await.cookies().len(), 1);
    assert_ne!(client.cookie(), old.cookie());
    assert_eq!(
        user_of(&node, &old).await,
        "ada",
        "until the new one is used"
    );
    client.get(&node, "/user").await;
    world.advance(9 * SECOND);
    assert_eq!(user_of(&node, &old).await, "ada", "within the grace");
    world.advance(SECOND);
    assert_eq!(user_of(&node, &old).await, "nobody");
    assert_eq!(user_of(&node, &client).await, "ada");
}

#[tokio::test]
async fn a_lost_response_logs_nobody_out_for_as_long_as_the_session_is_used() {
    let world = World::new();
    let node = rotating(&world);
    let mut client = logged_in(&node).await;
    world.advance(100 * SECOND);
    for _ in 0..10 {
        // The response that bears the new cookie never arrives.
        let lost = client.clone().post(&node, "/count", "").await;
        assert_eq!(lost.status, StatusCode::OK);
        assert_eq!(user_of(&node, &client).await, "ada");
        world.advance(60 * SECOND);
    }
    client.get(&node, "/user").await;
    world.advance(99 * SECOND);
    assert_eq!(user_of(&node, &client).await, "ada");
}

#[tokio::test]
async fn two_writes_under_the_previous_secret_do_not_start_its_grace() {
    let world = World::new();
    let node = rotating(&world);
    let client = logged_in(&node).await;
    world.advance(100 * SECOND);
    client.clone().get(&node, "/user").await;
    let twice = async |session: anynode::Session| {
        session.insert("a", 1).await?;
        session.save().await?;
        session.insert("a", 2).await
    };
    let node = Router::new()
        .route("/", axum::routing::post(twice))
        .layer(world.layer().with_rotation(ROTATION));
    assert_eq!(
        client.clone().post(&node, "/", "").await.status,
        StatusCode::OK
    );
    world.advance(20 * SECOND);
    assert_eq!(user_of(&rotating(&world), &client).await, "ada");
}

#[tokio::test]
async fn the_loser_of_a_rotation_race_keeps_its_secret_and_its_write() {
    let world = World::new();
    let node = rotating(&world);
    let mut client = logged_in(&node).await;
    world.advance(100 * SECOND);
    let gate = world.spy.pause(Verb::Replace);
    let slow = client.start(&node, "/put/a", "1");
    gate.reached().await;
    let winner = client.get(&node, "/user").await;
    gate.open();
    let loser = slow.await.expect("an answer");
    assert_eq!(winner.cookies().len(), 1);
    assert_eq!((loser.status, loser.cookies().len()), (StatusCode::OK, 0));
    assert_eq!(client.get(&node, "/get/a").await.text, "1");
}

/// Numbers that look random and repeat: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).expect("small")).expect("small")
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Sends twenty requests at once, of which one may log in, and returns the answers.
async fn burst(node: &Router, client: &Client, dice: &mut Dice, login: bool) -> Vec<Answer> {
    let at = dice.below(20);
    let requests = (0..20).map(|turn| match turn {
        _ if login && turn == at => client.start(node, "/login", "ada"),
        _ if turn % 2 == 0 => client.start(node, "/count", ""),
        _ => client.start(node, "/put/a", &turn.to_string()),
    });
    let mut answers = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        answers.push(request.await.expect("an answer"));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k_06_twenty_requests_over_a_rotation_leave_a_live_cookie_in_any_order() {
    let world = World::new();
    let node = rotating(&world);
    let mut client = logged_in(&node).await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..300 {
        world.advance(if round % 2 == 0 { 100 * SECOND } else { SECOND });
        let mut answers = burst(&node, &client, &mut dice, false).await;
        assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
        dice.shuffle(&mut answers);
        answers
            .iter()
            .for_each(|answer| client.keep(&answer.headers));
        world.advance(11 * SECOND);
        assert_eq!(
            client.get(&node, "/user").await.text,
            "ada",
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k_06_twenty_requests_over_a_login_leave_its_cookie_in_any_order() {
    let world = World::new();
    let node = world.node();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for round in 0..200 {
        let mut client = Client::default();
        client.post(&node, "/put/cart", "apple").await;
        let mut answers = burst(&node, &client, &mut dice, true).await;
        dice.shuffle(&mut answers);
        answers
            .iter()
            .for_each(|answer| client.keep(&answer.headers));
        assert_eq!(
            client.get(&node, "/user").await.text,
            "ada",
            "round {round}"
        );
        assert_eq!(client.get(&node, "/get/cart").await.text, "apple");
    }
}
