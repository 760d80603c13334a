//! S-13: no id, secret, token or data in logs, errors or `Debug`, and none in the store.

mod client;
mod site;
mod spy;

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex, OnceLock},
};

use anynode::{
    FailurePolicy, Session, SessionError,
    core::{Budget, ErrorKind, SessionId, store::Item},
};
use axum::{Router, body::Body, routing::post};
use client::{Client, NAME};
use http::{Request, header};
use site::{World, site};
use spy::{Fault, Verb};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// A subscriber that writes down everything, at every level.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("memory");
    }
}

impl Everything {
    fn note(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Fields<'_>)) {
        let mut text = self.0.lock().expect("no panic while it is held");
        write!(text, "\n{} {}", metadata.level(), metadata.target()).expect("memory");
        record(&mut Fields(&mut text));
    }

    fn text(&self) -> String {
        self.0.lock().expect("no panic while it is held").clone()
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        self.note(attributes.metadata(), |fields| attributes.record(fields));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut text = self.0.lock().expect("no panic while it is held");
        values.record(&mut Fields(&mut text));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn log() -> &'static Everything {
    static LOG: OnceLock<Everything> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Everything::default();
        tracing::subscriber::set_global_default(log.clone()).expect("the only subscriber");
        log
    })
}

const DATA: &str = "4111-1111-1111-1111";

/// Uses every part of a session and logs what can be printed of it, as a careless
/// application does.
async fn careless(session: Session, request: Request<Body>) -> Result<String, SessionError> {
    session.insert("card", DATA).await?;
    session.save().await?;
    let mismatch = session.get::<u32>("card").await.expect_err("no number");
    let refused = session
        .update("card", |n: Option<u32>| n.unwrap_or(0))
        .await;
    let sessions = session.sessions().await;
    tracing::error!(?session, %mismatch, ?mismatch, ?refused, ?sessions, "careless");
    tracing::error!(headers = ?request.headers(), extensions = ?request.extensions(), "more");
    session.insert("huge", DATA.repeat(2_000)).await?;
    let too_large = session.save().await.expect_err("over budget");
    tracing::error!(%too_large, ?too_large, source = ?std::error::Error::source(&too_large));
    Err(too_large)
}

#[tokio::test]
async fn s_13_no_id_secret_or_data_is_ever_logged() {
    let log = log();
    let world = World::new();
    let layer = || {
        let policy = FailurePolicy::ReadOnlyStale(std::time::Duration::from_secs(60));
        world
            .layer()
            .with_budget(Budget::new(60))
            .with_failure_policy(policy)
    };
    tracing::error!(layer = ?layer(), "configuration");
    let node = Router::new()
        .route("/careless", post(careless))
        .layer(layer())
        .merge(site(layer()));
    let mut client = Client::default();
    let mut ids = Vec::new();
    for path in [
        "/put/card",
        "/login",
        "/rotate",
        "/login",
        "/careless",
        "/count",
    ] {
        let answer = client.post(&node, path, DATA).await;
        tracing::error!(headers = ?answer.headers, "a response");
        assert!(!answer.text.contains(DATA));
        ids.push(client.cookie().expect("an id"));
    }
    for fault in [
        Fault::Fail(ErrorKind::Corrupt),
        Fault::LostCall,
        Fault::LostAnswer,
    ] {
        for verb in [Verb::Load, Verb::Replace, Verb::Revoke] {
            world.spy.next(verb, fault.clone());
            client.clone().post(&node, "/put/card", DATA).await;
        }
    }
    let twice = format!("{NAME}={}; {NAME}={}", ids[0], ids[1]);
    let mut request = client.request(http::Method::GET, "/user", "");
    let value = twice.parse().expect("a header");
    request.headers_mut().insert(header::COOKIE, value);
    client::send(&node, request).await;
    client.post(&node, "/logout", "").await;

    let text = log.text();
    assert!(text.contains("careless") && text.contains("half of its budget"));
    assert!(!text.contains(DATA), "{text}");
    for id in &ids {
        assert!(!text.contains(&id[22..]), "a secret is in the log: {text}");
        let id = SessionId::parse(id.as_bytes()).expect("an id");
        assert!(!text.contains(&id.csrf_token()));
    }
}

#[tokio::test]
async fn s_13_the_store_keeps_no_id_and_no_secret() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let world = World::new();
    let mut client = Client::default();
    client.post(&world.node(), "/login", "ada").await;
    let id = client.cookie().expect("an id");
    let bytes = URL_SAFE_NO_PAD.decode(&id).expect("base64url");
    let items = world.spy.items().await;
    let [Item::Record(record, _)] = &items[..] else {
        panic!("one record: {items:?}");
    };
    let kept = record.secret.as_bytes();
    assert!(!kept.windows(16).any(|window| *window == bytes[16..]));
    assert!(!format!("{items:?}").contains(&id[22..]));
}
