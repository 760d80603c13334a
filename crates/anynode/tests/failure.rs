//! A store that fails, hangs, or leaves it open what it did.

mod client;
mod site;
mod spy;

use std::time::Duration;

use anynode::{
    FailurePolicy, Session, SessionError,
    core::{ErrorKind, store::Item},
};
use axum::{Router, routing::post};
use client::{Answer, Client};
use http::{StatusCode, header};
use site::{World, site};
use spy::{Fault, Verb};

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert!(answer.cookies().is_empty());
}

async fn logged_in(node: &Router) -> Client {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client
}

#[tokio::test]
async fn fail_closed_answers_503_whatever_the_handler_made_of_the_error() {
    async fn stubborn(session: Session) -> &'static str {
        assert!(session.user().await.is_err());
        "welcome"
    }
    let world = World::new();
    let node = Router::new()
        .route("/", post(stubborn))
        .layer(world.layer());
    let mut client = logged_in(&world.node()).await;
    world.spy.go_down();
    assert_unavailable(&client.post(&node, "/", "").await);
    for path in ["/put/a", "/login", "/logout", "/rotate", "/count"] {
        assert_unavailable(&client.post(&world.node(), path, "eve").await);
    }
    let idle = client.get(&world.node(), "/idle").await;
    assert_eq!(
        idle.status,
        StatusCode::OK,
        "what needs no session is served"
    );
    world.spy.recover();
    assert_eq!(client.get(&world.node(), "/user").await.text, "ada");
}

#[tokio::test]
async fn read_only_stale_reads_what_this_node_saw_and_writes_nothing() {
    let world = World::new();
    let minute = Duration::from_secs(60);
    let stale = || {
        let policy = FailurePolicy::ReadOnlyStale(minute);
        site(world.layer().with_failure_policy(policy))
    };
    let (here, there) = (stale(), stale());
    let mut client = logged_in(&here).await;
    client.get(&here, "/user").await;
    world.spy.go_down();
    let writes = world.spy.writes();
    let read = client.get(&here, "/user").await;
    assert_eq!((read.text.as_str(), read.cookies().len()), ("ada", 0));
    assert_unavailable(&client.get(&there, "/user").await);
    for path in ["/put/a", "/login", "/logout", "/rotate", "/count"] {
        assert_unavailable(&client.post(&here, path, "eve").await);
    }
    assert_eq!(world.spy.writes(), writes);
    let chosen = Client::with_cookie(&"A".repeat(43))
        .get(&here, "/user")
        .await;
    assert_unavailable(&chosen);
}

#[tokio::test]
async fn read_only_stale_honours_no_copy_older_than_its_bound_or_ended_here() {
    let world = World::new();
    let policy = |bound| {
        world
            .layer()
            .with_failure_policy(FailurePolicy::ReadOnlyStale(bound))
    };
    let (never, minute) = (Duration::ZERO, Duration::from_secs(60));
    let (strict, lenient) = (site(policy(never)), site(policy(minute)));
    let mut client = logged_in(&strict).await;
    let mut gone = logged_in(&lenient).await;
    client.get(&strict, "/user").await;
    gone.get(&lenient, "/user").await;
    let mut thief = gone.clone();
    gone.post(&lenient, "/logout", "").await;
    world.spy.go_down();
    assert_unavailable(&client.get(&strict, "/user").await);
    assert_unavailable(&thief.get(&lenient, "/user").await);
}

#[tokio::test]
async fn read_only_stale_rotates_nothing_even_if_the_store_is_back_for_writes() {
    let world = World::new();
    let hour = Duration::from_secs(3_600);
    let rotation = anynode::core::Rotation {
        period: Duration::from_secs(60),
        grace: Duration::from_secs(10),
    };
    let layer = world.layer().with_rotation(rotation);
    let node = site(layer.with_failure_policy(FailurePolicy::ReadOnlyStale(hour)));
    let mut client = logged_in(&world.node()).await;
    world.advance(Duration::from_secs(61));
    let other = site(
        world
            .layer()
            .with_failure_policy(FailurePolicy::ReadOnlyStale(hour)),
    );
    client.get(&other, "/user").await;
    let gone = Fault::Fail(ErrorKind::Unavailable);
    // A read that rotates nothing, since its rotation finds no store, leaves a copy behind.
    world.spy.next(Verb::Replace, gone.clone());
    client.get(&node, "/user").await;
    let writes = world.spy.writes();
    world.spy.next(Verb::Load, gone);
    let answer = client.get(&node, "/user").await;
    assert_eq!((answer.text.as_str(), answer.cookies().len()), ("ada", 0));
    assert_eq!(world.spy.writes(), writes);
}

#[tokio::test]
async fn anonymous_serves_strangers_and_says_no_to_writes() {
    let world = World::new();
    let node = site(world.layer().with_failure_policy(FailurePolicy::Anonymous));
    let mut client = logged_in(&node).await;
    world.spy.go_down();
    let writes = world.spy.writes();
    let read = client.get(&node, "/user").await;
    assert_eq!((read.text.as_str(), read.cookies().len()), ("nobody", 0));
    for path in ["/put/a", "/login", "/logout", "/rotate", "/count"] {
        assert_unavailable(&client.post(&node, path, "eve").await);
    }
    assert_eq!(world.spy.writes(), writes);
    assert_unavailable(&Client::default().post(&node, "/put/a", "1").await);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_cut_off_at_the_deadline() {
    let world = World::new();
    let layer = || world.layer().with_call_timeout(Duration::from_secs(2));
    let node = site(layer());
    let mut client = logged_in(&node).await;
    let begun = tokio::time::Instant::now();
    for verb in [Verb::Load, Verb::Replace] {
        world.spy.always(&[verb], &Fault::Hang);
        assert_unavailable(&client.post(&node, "/put/a", "1").await);
        world.spy.recover();
    }
    world.spy.always(&[Verb::Create], &Fault::Hang);
    assert_unavailable(&Client::default().post(&node, "/put/a", "1").await);
    world.spy.always(&[Verb::Revoke], &Fault::Hang);
    assert_unavailable(&client.post(&node, "/logout", "").await);
    assert!(begun.elapsed() <= Duration::from_secs(2 * 10), "ten calls");
    world.spy.recover();
    assert_eq!(client.get(&node, "/user").await.text, "ada");
}

/// What a store may do to a write, and how often the client's increment must count then.
const LOST: &[(&[Fault], u32)] = &[
    (&[Fault::LostCall], 1),
    (&[Fault::LostAnswer], 1),
    (&[Fault::LostCall, Fault::LostAnswer], 1),
    (&[Fault::LostCall, Fault::LostCall, Fault::LostAnswer], 1),
    (&[Fault::LostCall, Fault::LostCall, Fault::LostCall], 0),
];

#[tokio::test]
async fn a_write_with_an_unknown_outcome_is_looked_for_and_counts_once() {
    for verb in [Verb::Replace, Verb::Create] {
        for (faults, counted) in LOST {
            let world = World::new();
            let node = world.node();
            let mut client = Client::default();
            if verb == Verb::Replace {
                client.post(&node, "/login", "ada").await;
            }
            for fault in *faults {
                world.spy.next(verb, fault.clone());
            }
            let answer = client.post(&node, "/count", "").await;
            assert_eq!(answer.status.is_success(), *counted == 1, "{faults:?}");
            let next = client.post(&node, "/count", "").await;
            assert_eq!(next.text, (counted + 1).to_string(), "{verb:?} {faults:?}");
            assert_eq!(world.spy.items().await.len(), 1, "{verb:?} {faults:?}");
        }
    }
}

/// Increments, ignores what came of it, and increments again if it failed.
async fn insistent(session: Session) -> String {
    let mut tries = Vec::new();
    for _ in 0..3 {
        let tried = session.update_now("n", |n: Option<u32>| n.unwrap_or(0) + 1);
        match tried.await {
            Ok(n) => tries.push(n.to_string()),
            Err(SessionError::Store(error)) => tries.push(error.kind().to_string()),
            Err(error) => tries.push(error.to_string()),
        }
        if tries.last().is_some_and(|last| last.parse::<u32>().is_ok()) {
            break;
        }
    }
    tries.join(" ")
}

#[tokio::test]
async fn an_increment_is_never_counted_twice_after_an_unknown_outcome() {
    // The increment is performed, its answer lost, and somebody else writes before this node
    // can look: nobody can tell any more, so it is an error and is never tried again.
    for unreadable in [false, true] {
        let world = World::new();
        let site = world.node();
        let node = Router::new()
            .route("/", post(insistent))
            .layer(world.layer());
        let mut client = logged_in(&site).await;
        world.spy.next(Verb::Replace, Fault::LostAnswer);
        world.spy.next(Verb::Load, Fault::None);
        let gate = match unreadable {
            true => None,
            false => Some(world.spy.pause(Verb::Load)),
        };
        if unreadable {
            world
                .spy
                .next(Verb::Load, Fault::Fail(ErrorKind::Unavailable));
        }
        let slow = client.start(&node, "/", "");
        if let Some(gate) = gate {
            gate.reached().await;
            client.post(&site, "/put/a", "1").await;
            gate.open();
        }
        let answer = slow.await.expect("an answer");
        assert_unavailable(&answer);
        assert_eq!(client.post(&site, "/count", "").await.text, "2");
    }
}

#[tokio::test]
async fn an_increment_that_failed_for_certain_may_be_tried_again() {
    let world = World::new();
    let node = Router::new()
        .route("/", post(insistent))
        .layer(world.layer());
    let mut client = logged_in(&world.node()).await;
    let fault = Fault::Fail(ErrorKind::Unavailable);
    world.spy.next(Verb::Replace, fault.clone());
    world.spy.next(Verb::Replace, fault);
    let answer = client.post(&node, "/", "").await;
    assert_eq!(answer.text, "unavailable unavailable 1");
    assert_eq!(client.post(&world.node(), "/count", "").await.text, "2");
}

#[tokio::test]
async fn a_save_that_is_cancelled_halfway_is_reported_and_not_repeated() {
    async fn impatient(session: Session) -> &'static str {
        let count = session.update_now("n", |n: Option<u32>| n.unwrap_or(0) + 1);
        tokio::time::timeout(Duration::ZERO, count).await.ok();
        "counted"
    }
    let world = World::new();
    let node = Router::new()
        .route("/", post(impatient))
        .layer(world.layer());
    let mut client = logged_in(&world.node()).await;
    let _never_opened = world.spy.pause_answer(Verb::Replace);
    assert_unavailable(&client.post(&node, "/", "").await);
    assert_eq!(client.post(&world.node(), "/count", "").await.text, "2");
}

#[tokio::test]
async fn a_committed_login_is_told_even_if_the_request_fails_later() {
    async fn login(session: Session) -> Result<(), SessionError> {
        session.bind("ada").await?;
        session.save().await?;
        session.insert("greeting", "hello").await
    }
    let world = World::new();
    let node = Router::new().route("/", post(login)).layer(world.layer());
    let mut client = Client::default();
    client.post(&world.node(), "/put/cart", "apple").await;
    world.spy.next(Verb::Replace, Fault::None);
    world
        .spy
        .next(Verb::Replace, Fault::Fail(ErrorKind::Unavailable));
    let answer = client.post(&node, "/", "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.get(&world.node(), "/user").await.text, "ada");
}

#[tokio::test]
async fn a_revocation_with_an_unknown_outcome_is_repeated_until_it_is_certain() {
    let world = World::new();
    let node = world.node();
    let mut client = logged_in(&node).await;
    world.spy.next(Verb::Revoke, Fault::LostCall);
    world.spy.next(Verb::Revoke, Fault::LostAnswer);
    let answer = client.post(&node, "/logout", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(matches!(world.spy.items().await[..], [Item::Tombstone(_)]));
    let mut other = logged_in(&node).await;
    world.spy.always(&[Verb::Revoke], &Fault::LostCall);
    let kept = other.cookie();
    assert_unavailable(&other.post(&node, "/logout", "").await);
    assert_eq!(other.cookie(), kept, "what may be alive keeps its cookie");
}
