//! Strangers: unknown and malformed ids, and visitors without a session; S-02, S-17, S-18.

mod client;
mod site;
mod spy;

use std::time::Duration;

use anynode::core::Quota;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client::{Client, NAME, send};
use http::{Method, StatusCode, header};
use proptest::prelude::*;
use site::{World, site};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn s_02_ten_thousand_unknown_ids_create_nothing_and_are_not_echoed() {
    let world = World::new();
    let node = world.node();
    for number in 0..10_000_u32 {
        let mut bytes = [0x5a; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let id = URL_SAFE_NO_PAD.encode(bytes);
        let answer = Client::with_cookie(&id).get(&node, "/user").await;
        assert_eq!(answer.text, "nobody");
        assert!(answer.cookies().is_empty());
        assert!(!format!("{:?}", answer.headers).contains(&id));
    }
    assert!(world.spy.items().await.is_empty());
    assert_eq!(world.spy.writes(), 0);
}

#[tokio::test]
async fn s_17_a_hundred_thousand_visits_without_a_cookie_create_nothing() {
    let world = World::new();
    let node = world.node();
    for turn in 0..100_000 {
        let path = if turn % 2 == 0 { "/idle" } else { "/get/cart" };
        let answer = Client::default().get(&node, path).await;
        assert!(answer.cookies().is_empty());
    }
    assert_eq!(world.spy.all_calls(), 0);
}

#[tokio::test]
async fn s_17_anonymous_sessions_have_a_quota_that_leaves_logins_alone() {
    let world = World::new();
    let quota = Quota {
        burst: 3,
        per_second: 0,
    };
    let node = site(world.layer().with_anonymous_quota(quota));
    for turn in 0..5 {
        let answer = Client::default().post(&node, "/count", "").await;
        assert_eq!(answer.status.is_success(), turn < 3);
        assert_eq!(answer.cookies().is_empty(), turn >= 3);
    }
    let refused = Client::default().post(&node, "/count", "").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    let login = Client::default().post(&node, "/login", "ada").await;
    assert_eq!(login.status, StatusCode::OK);
}

#[tokio::test]
async fn s_17_anonymous_sessions_live_shorter_than_users() {
    let world = World::new();
    let node = world.node();
    let (mut stranger, mut ada) = (Client::default(), Client::default());
    stranger.post(&node, "/put/a", "1").await;
    ada.post(&node, "/login", "ada").await;
    world.advance(14 * MINUTE);
    assert_eq!(stranger.get(&node, "/get/a").await.text, "1");
    world.advance(MINUTE);
    assert_eq!(stranger.get(&node, "/get/a").await.text, "none");
    assert_eq!(ada.get(&node, "/user").await.text, "ada");
}

/// Sends `value` as the session cookie of a request that reads its session.
async fn calls_for(value: &[u8]) -> usize {
    let world = World::new();
    let mut request = Client::default().request(Method::GET, "/user", "");
    let cookie = [NAME.as_bytes(), b"=", value].concat();
    let Ok(cookie) = http::HeaderValue::from_bytes(&cookie) else {
        // No server hands such a header on.
        return 0;
    };
    request.headers_mut().insert(header::COOKIE, cookie);
    send(&world.node(), request).await;
    world.spy.all_calls()
}

#[tokio::test]
async fn s_18_no_malformed_id_reaches_the_store() {
    let long = vec![b'A'; 1 << 20];
    let cases: [&[u8]; 14] = [
        b"",
        b"../../../../etc/passwd",
        b"..%2f..%2fetc%2fpasswd",
        b"' OR '1'='1",
        b"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
        b"AAAA\r\nSet-Cookie: a=b",
        b"AAAA\0AAAA",
        b"%00AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+/",
        &[0xff; 43],
        &long,
    ];
    for case in cases {
        assert_eq!(
            calls_for(case).await,
            0,
            "{:?}",
            &case[..case.len().min(50)]
        );
    }
    assert_eq!(calls_for(&[b'A'; 43]).await, 1, "a well-formed one does");
}

proptest! {
    #[test]
    fn s_18_no_text_but_a_canonical_id_reaches_the_store(
        value in proptest::collection::vec(any::<u8>(), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let calls = runtime.expect("a runtime").block_on(calls_for(&value));
        prop_assert_eq!(calls, 0);
    }
}
