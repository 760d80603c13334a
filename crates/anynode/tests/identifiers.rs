//! Session identifiers and life cycle: S-01, S-03 to S-08, and S-15.

mod client;
mod site;
mod spy;

use std::{collections::HashSet, time::Duration};

use anynode::core::{Lifetime, Quota, store::Item};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client::{Client, NAME, send};
use http::{Method, StatusCode, header};
use site::{World, site};
use spy::{Fault, Verb};

const MINUTE: Duration = Duration::from_secs(60);
const PLENTY: Quota = Quota {
    burst: 1_000_000,
    per_second: 1_000_000,
};

#[tokio::test]
async fn s_01_ids_are_uniform_distinct_and_of_one_length() {
    const DRAWN: usize = 100_000;
    let world = World::new();
    let node = || site(world.layer().with_anonymous_quota(PLENTY));
    let nodes = [node(), node(), node()];
    let (mut seen, mut ones) = (HashSet::new(), [0_i64; 256]);
    for turn in 0..DRAWN {
        let mut client = Client::default();
        client.post(&nodes[turn % 3], "/count", "").await;
        let id = client.cookie().expect("a session");
        assert_eq!(id.len(), 43);
        let bytes = URL_SAFE_NO_PAD.decode(&id).expect("base64url");
        for (place, count) in ones.iter_mut().enumerate() {
            *count += i64::from(bytes[place / 8] >> (place % 8) & 1);
        }
        assert!(seen.insert(bytes[..16].to_vec()) && seen.insert(bytes[16..].to_vec()));
    }
    // Five standard deviations, squared and times four: (ones - n/2)^2 <= 25 n/4.
    let drawn = i64::try_from(DRAWN).expect("small");
    for (place, ones) in ones.into_iter().enumerate() {
        let bias = 2 * ones - drawn;
        assert!(bias * bias <= 25 * drawn, "bit {place}: {ones} of {drawn}");
    }
}

#[tokio::test]
async fn s_03_login_reauthentication_and_privilege_change_kill_the_old_id_on_every_node() {
    let world = World::new();
    let nodes = [world.node(), world.node(), world.node()];
    let mut client = Client::default();
    client.post(&nodes[0], "/put/cart", "apple").await;
    for (path, body) in [("/login", "ada"), ("/login", "ada"), ("/rotate", "")] {
        let mut old = client.clone();
        client.post(&nodes[1], path, body).await;
        assert_ne!(client.cookie(), old.cookie(), "{path}");
        for node in &nodes {
            assert_eq!(old.get(node, "/user").await.text, "nobody", "{path}");
            assert_eq!(old.get(node, "/get/cart").await.text, "none", "{path}");
            assert_eq!(client.get(node, "/get/cart").await.text, "apple", "{path}");
        }
    }
}

#[tokio::test]
async fn s_04_a_handle_that_is_taken_is_never_written_over() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    world.spy.next(Verb::Create, Fault::Occupy);
    client.post(&node, "/put/a", "mine").await;
    assert_eq!(client.get(&node, "/get/a").await.text, "mine");
    assert_eq!(world.spy.calls(Verb::Create), 2, "another handle was drawn");
    let id = client.cookie().expect("an id");
    let items = world.spy.items().await;
    let other = items.iter().find_map(|item| match item {
        Item::Record(record, _) if !id.starts_with(&record.handle.to_string()[..21]) => {
            Some(record)
        }
        _ => None,
    });
    let payload = &other.expect("the one that was first").payload;
    assert_eq!(payload.as_bytes(), b"another's", "nothing of it changed");
}

#[tokio::test]
async fn s_04_handles_that_are_always_taken_are_an_error_and_no_cookie() {
    let world = World::new();
    world.spy.always(&[Verb::Create], &Fault::Occupy);
    let answer = Client::default().post(&world.node(), "/put/a", "1").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.cookies().is_empty());
}

#[tokio::test]
async fn s_05_a_login_is_one_write_under_the_same_handle() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    client.post(&node, "/put/cart", "apple").await;
    let (before, writes) = (client.cookie().expect("an id"), world.spy.writes());
    client.post(&node, "/login", "ada").await;
    let after = client.cookie().expect("an id");
    assert_eq!(world.spy.writes(), writes + 1);
    assert_eq!(after[..21], before[..21], "the handle stays");
    assert_ne!(after[22..], before[22..], "the secret does not");
}

#[tokio::test]
async fn s_06_a_cookie_replayed_after_logout_is_refused_on_every_node() {
    let world = World::new();
    let nodes = [world.node(), world.node(), world.node()];
    let mut client = Client::default();
    client.post(&nodes[0], "/login", "ada").await;
    let replayed = client.clone();
    client.post(&nodes[0], "/logout", "").await;
    for node in nodes.iter().cycle().take(9) {
        assert_eq!(replayed.clone().get(node, "/user").await.text, "nobody");
    }
    let items = world.spy.items().await;
    assert!(matches!(items[..], [Item::Tombstone(_)]), "{items:?}");
}

#[tokio::test]
async fn s_07_no_order_of_logout_and_writes_leaves_the_session_alive() {
    for verb in [Verb::Load, Verb::Replace] {
        for before in [true, false] {
            let world = World::new();
            let node = world.node();
            let mut client = Client::default();
            client.post(&node, "/login", "ada").await;
            let mut replayed = client.clone();
            let gate = match before {
                true => world.spy.pause(verb),
                false => world.spy.pause_answer(verb),
            };
            let slow = client.start(&node, "/put/a", "1");
            gate.reached().await;
            client.post(&node, "/logout", "").await;
            gate.open();
            slow.await.expect("an answer");
            let user = replayed.get(&node, "/user").await.text;
            assert_eq!(user, "nobody", "{verb:?} {before}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s_08_a_session_in_use_lives_on_and_one_that_is_not_ends() {
    let world = World::new();
    // So short that a use is soon worth a touch: the store's clock is moved by hand, and the
    // node's own, which spaces touches, is not. And half of it is longer than a machine stands
    // still between a use and its touch.
    let lifetime = Lifetime {
        idle: Duration::from_millis(800),
        absolute: 1_000 * MINUTE,
    };
    let node = || site(world.layer().with_lifetime(lifetime));
    let nodes = [node(), node()];
    let mut client = Client::default();
    client.post(&nodes[0], "/login", "ada").await;
    for turn in 0..10 {
        world.advance(lifetime.idle / 2);
        let touches = world.spy.calls(Verb::Touch);
        for _ in 0..100_000 {
            assert_eq!(client.get(&nodes[turn % 2], "/user").await.text, "ada");
            tokio::time::sleep(Duration::from_millis(250)).await;
            if world.spy.calls(Verb::Touch) > touches {
                break;
            }
        }
    }
    world.advance(lifetime.idle);
    for node in &nodes {
        assert_eq!(client.get(node, "/user").await.text, "nobody");
    }
}

#[tokio::test(start_paused = true)]
async fn s_08_a_thousand_uses_are_one_touch() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    client.post(&node, "/login", "ada").await;
    for _ in 0..10 {
        world.advance(MINUTE / 2);
        for _ in 0..100 {
            client.get(&node, "/user").await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(world.spy.touched().len(), 1);
    assert_eq!(client.get(&node, "/user").await.text, "ada");
}

#[tokio::test]
async fn s_08_an_absolute_deadline_is_not_moved_by_use() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    client.post(&node, "/login", "ada").await;
    for _ in 0..(12 * 3 - 1) {
        world.advance(20 * MINUTE);
        client.post(&node, "/count", "").await;
        assert_eq!(client.get(&node, "/user").await.text, "ada");
    }
    world.advance(20 * MINUTE);
    assert_eq!(client.get(&node, "/user").await.text, "nobody");
}

#[tokio::test]
async fn s_15_an_id_is_read_from_the_cookie_and_from_nowhere_else() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    client.post(&node, "/login", "ada").await;
    let id = client.cookie().expect("an id");
    let path = format!("/user?{NAME}={id}&id={id}");
    let elsewhere = [
        (header::AUTHORIZATION, format!("Bearer {id}")),
        (header::SET_COOKIE, format!("{NAME}={id}")),
        (header::HeaderName::from_static("x-session-id"), id.clone()),
        (
            header::HeaderName::from_static("cookie2"),
            format!("{NAME}={id}"),
        ),
        (header::COOKIE, format!("id={id}; {id}")),
    ];
    for (name, value) in elsewhere {
        let body = format!("{NAME}={id}");
        let mut request = Client::default().request(Method::GET, &path, &body);
        let value = value.parse().expect("a header");
        request.headers_mut().insert(name.clone(), value);
        assert_eq!(send(&node, request).await.text, "nobody", "{name}");
    }
}
