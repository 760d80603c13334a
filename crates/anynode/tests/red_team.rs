//! The thirteen cases in which session libraries were seen to fail, (a) to (m).

mod client;
mod site;
mod spy;

use std::time::Duration;

use anynode::{Session, SessionError, core::ErrorKind, core::store::Item};
use axum::{Router, routing::post};
use client::{Client, NAME};
use http::StatusCode;
use site::{World, site};
use spy::{Fault, Verb};

const MINUTE: Duration = Duration::from_secs(60);

async fn logged_in(node: &Router) -> Client {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client
}

#[tokio::test]
async fn a_two_requests_that_write_different_keys_keep_both() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let mut client = logged_in(&here).await;
    let gate = world.spy.pause_answer(Verb::Load);
    let slow = client.start(&here, "/put/a", "1");
    gate.reached().await;
    client.post(&there, "/put/b", "2").await;
    gate.open();
    assert_eq!(slow.await.expect("an answer").status, StatusCode::OK);
    assert_eq!(client.get(&there, "/get/a").await.text, "1");
    assert_eq!(client.get(&here, "/get/b").await.text, "2");
}

#[tokio::test]
async fn b_a_writer_that_comes_after_a_logout_revives_nothing() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let mut client = logged_in(&here).await;
    let mut thief = client.clone();
    let gate = world.spy.pause_answer(Verb::Load);
    let slow = client.start(&here, "/put/a", "1");
    gate.reached().await;
    client.post(&there, "/logout", "").await;
    gate.open();
    let late = slow.await.expect("an answer");
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.cookies().is_empty());
    assert_eq!(thief.get(&here, "/user").await.text, "nobody");
}

#[tokio::test(start_paused = true)]
async fn c_a_reader_whose_touch_comes_after_a_logout_revives_nothing() {
    let world = World::new();
    let node = world.node();
    let mut client = logged_in(&node).await;
    let mut thief = client.clone();
    world.advance(10 * MINUTE);
    let gate = world.spy.pause(Verb::Touch);
    client.get(&node, "/user").await;
    gate.reached().await;
    client.post(&node, "/logout", "").await;
    gate.open();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.spy.touched().len(), 1);
    assert_eq!(thief.get(&node, "/user").await.text, "nobody");
}

#[tokio::test]
async fn d_a_login_is_committed_whatever_the_handler_answers() {
    for status in [200, 303, 404, 500, 503] {
        let world = World::new();
        let node = world.node();
        let mut client = Client::default();
        client.post(&node, "/put/cart", "apple").await;
        let planted = client.clone();
        let path = format!("/answer/{status}/login");
        let answer = client.post(&node, &path, "ada").await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(client.get(&node, "/user").await.text, "ada", "{status}");
        assert_eq!(client.get(&node, "/get/cart").await.text, "apple");
        let seen = if status < 500 { "yes" } else { "none" };
        assert_eq!(client.get(&node, "/get/seen").await.text, seen, "{status}");
        assert_ne!(client.cookie(), planted.cookie());
    }
}

#[tokio::test]
async fn e_a_request_that_began_before_a_login_neither_writes_nor_sets_a_cookie() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let mut client = Client::default();
    client.post(&here, "/put/cart", "apple").await;
    let gate = world.spy.pause_answer(Verb::Load);
    let slow = client.start(&here, "/put/address", "the attacker's");
    gate.reached().await;
    let before = client.clone();
    client.post(&there, "/login", "ada").await;
    gate.open();
    // One request was admitted before the login, the other one comes with the old id after it.
    let (slow, late) = (slow, before.start(&here, "/put/address", "late"));
    for answer in [slow.await, late.await] {
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, StatusCode::CONFLICT);
        client.keep(&answer.headers);
    }
    assert_eq!(client.get(&here, "/user").await.text, "ada");
    assert_eq!(client.get(&here, "/get/address").await.text, "none");
}

#[tokio::test]
async fn f_an_idle_timeout_that_was_set_survives_other_writes() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let mut client = logged_in(&here).await;
    client.post(&here, "/idle-timeout", "7200").await;
    client.post(&there, "/put/a", "1").await;
    world.advance(119 * MINUTE);
    assert_eq!(client.get(&there, "/user").await.text, "ada");
    world.advance(121 * MINUTE);
    assert_eq!(client.get(&there, "/user").await.text, "nobody");
}

#[tokio::test]
async fn g_saving_twice_writes_once() {
    async fn save_twice(session: Session) -> Result<(), SessionError> {
        session.insert("a", 1).await?;
        session.save().await?;
        session.save().await
    }
    let world = World::new();
    let node = Router::new()
        .route("/", post(save_twice))
        .layer(world.layer());
    let mut client = Client::default();
    client.post(&node, "/", "").await;
    assert_eq!(world.spy.writes(), 1);
    client.post(&node, "/", "").await;
    assert_eq!(world.spy.writes(), 1, "the same value is no change");
}

#[tokio::test]
async fn h_an_id_of_the_clients_choosing_is_never_adopted() {
    let world = World::new();
    let node = world.node();
    let chosen = "A".repeat(43);
    let mut client = Client::with_cookie(&chosen);
    let answer = client.get(&node, "/user").await;
    assert_eq!(answer.text, "nobody");
    assert!(answer.cookies().is_empty());
    client.post(&node, "/put/a", "1").await;
    let given = client.cookie().expect("a session of its own");
    assert_ne!(given[..22], chosen[..22], "not even the handle");
    let mut attacker = Client::with_cookie(&chosen);
    assert_eq!(attacker.get(&node, "/get/a").await.text, "none");
}

#[tokio::test]
async fn i_nothing_is_written_after_a_failed_read() {
    async fn stubborn(session: Session) -> &'static str {
        let read = session.get::<u32>("n").await;
        let written = session.insert("n", 0).await;
        assert!(read.is_err() && written.is_err());
        assert!(session.save().await.is_err());
        "all is well"
    }
    for kind in [ErrorKind::Unavailable, ErrorKind::Corrupt] {
        let world = World::new();
        let mut client = logged_in(&world.node()).await;
        let node = Router::new()
            .route("/", post(stubborn))
            .layer(world.layer());
        let before = world.spy.writes();
        world.spy.next(Verb::Load, Fault::Fail(kind));
        let answer = client.post(&node, "/", "").await;
        assert!(answer.status.is_server_error(), "{}", answer.text);
        assert!(answer.cookies().is_empty());
        assert_eq!(world.spy.writes(), before);
    }
}

#[tokio::test]
async fn j_a_logout_on_one_node_is_seen_on_the_others() {
    let world = World::new();
    let nodes = [world.node(), world.node(), world.node()];
    let mut client = logged_in(&nodes[0]).await;
    let thief = client.clone();
    client.post(&nodes[1], "/logout", "").await;
    for node in &nodes {
        let mut thief = thief.clone();
        assert_eq!(thief.get(node, "/user").await.text, "nobody");
    }
}

#[tokio::test]
async fn k_a_host_cookie_makes_the_round_trip_and_is_removed_with_its_attributes() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    let login = client.post(&node, "/login", "ada").await;
    let set = cookie::Cookie::parse(login.cookies()[0].to_owned()).expect("a cookie");
    assert_eq!(client.get(&node, "/user").await.text, "ada");
    let logout = client.post(&node, "/logout", "").await;
    let removal = cookie::Cookie::parse(logout.cookies()[0].to_owned()).expect("a cookie");
    assert_eq!(removal.value(), "");
    assert!(removal.max_age().is_some_and(|age| age.is_zero()));
    assert!(client.cookie().is_none());
    for cookie in [set, removal] {
        assert_eq!(cookie.name(), NAME);
        assert_eq!(cookie.secure(), Some(true));
        assert_eq!(cookie.http_only(), Some(true));
        assert_eq!(cookie.same_site(), Some(cookie::SameSite::Lax));
        assert_eq!((cookie.path(), cookie.domain()), (Some("/"), None));
    }
}

#[tokio::test]
async fn l_an_untouched_session_costs_no_round_trip_and_no_cookie() {
    let world = World::new();
    let node = site(world.layer());
    let mut client = logged_in(&node).await;
    let before = world.spy.all_calls();
    let answer = client.get(&node, "/idle").await;
    assert_eq!(world.spy.all_calls(), before);
    assert!(answer.cookies().is_empty());
    client.get(&node, "/user").await;
    assert_eq!(
        world.spy.all_calls(),
        before + 1,
        "a read is one round trip"
    );
}

#[tokio::test]
async fn m_a_revoked_session_is_never_saved_again_under_a_new_id() {
    let world = World::new();
    let node = world.node();
    let mut client = logged_in(&node).await;
    client.post(&node, "/put/secret", "ada's").await;
    let gate = world.spy.pause(Verb::Replace);
    let slow = client.start(&node, "/put/a", "1");
    gate.reached().await;
    client.post(&node, "/logout", "").await;
    gate.open();
    let late = slow.await.expect("an answer");
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.cookies().is_empty());
    let items = world.spy.items().await;
    assert!(matches!(items[..], [Item::Tombstone(_)]), "{items:?}");
}
