//! What an application on tower-sessions answers while our store cannot be reached.

use anynode::{
    SessionLayer,
    adapter::StoreAdapter,
    core::{
        Channel, Create, Draft, Error, ErrorKind, Facts, Found, Handle, Item, Listing, Live,
        NodeEntry, NodeId, Page, Replace, Revoke, Revoked, Roll, SessionId, Store, Swept, Touch,
        UserId, Version, Wanted, store::Result,
    },
};
use http::StatusCode;

use super::{ask, routes};
use crate::{
    SessionAdapterLayer,
    tower_sessions::{SessionStore, session::Id, session_store},
};

/// A store that is not there.
#[derive(Debug)]
struct Down;

fn down<T>(verb: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Unavailable, "down", verb))
}

#[async_trait::async_trait]
impl Store for Down {
    async fn create(&self, _: &Draft) -> Result<Create> {
        down("create")
    }

    async fn load(&self, _: &Handle) -> Result<Option<Live>> {
        down("load")
    }

    fn keeps_copies(&self) -> bool {
        false
    }

    fn copy(&self, _: &Wanted) -> Option<Found> {
        None
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.load(&wanted.handle).await.map(Found::asked)
    }

    async fn replace(&self, _: &Version, _: &Draft) -> Result<Replace> {
        down("replace")
    }

    async fn touch(&self, _: &[Touch]) -> Result<()> {
        down("touch")
    }

    async fn revoke(&self, _: &Revoke) -> Result<Revoked> {
        down("revoke")
    }

    async fn list(&self, _: &UserId, _: &Page) -> Result<Listing> {
        down("list")
    }

    async fn scan(&self, _: Option<&Handle>, _: usize) -> Result<Vec<Item>> {
        down("scan")
    }

    async fn watch(&self, _: &NodeId) -> Result<Box<dyn Channel>> {
        down("watch")
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        down("nodes")
    }

    async fn leave(&self, _: &NodeId) -> Result<()> {
        down("leave")
    }

    async fn call_roll(&self) -> Result<Roll> {
        down("call_roll")
    }

    async fn inspect(&self) -> Result<Facts> {
        down("inspect")
    }

    async fn sweep(&self, _: usize) -> Result<Swept> {
        down("sweep")
    }
}

#[tokio::test]
async fn the_adapter_tells_an_unreachable_store_from_an_absent_session() {
    let adapter = StoreAdapter::new(Down);
    let loaded = SessionStore::load(&adapter, &Id(1)).await;
    let Err(session_store::Error::Backend(text)) = loaded else {
        panic!("{loaded:?}");
    };
    assert!(text.contains("load"), "{text}");
}

/// Whatever the handler makes of the error, axum-login's 500 included, the client is told to
/// come back, and keeps its cookie.
#[tokio::test]
async fn our_layer_answers_503_and_leaves_the_cookie_alone() {
    let app = routes()
        .route(
            "/fails",
            axum::routing::get(async |session: crate::tower_sessions::Session| {
                let read = session.get::<u32>("n").await;
                assert!(read.is_err());
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .layer(SessionAdapterLayer::default())
        .layer(SessionLayer::new(Down));
    let id = "A".repeat(SessionId::LENGTH);
    let answer = ask(&app, "/fails", Some(("__Host-id", &id))).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.cookie.is_none());
    let untouched = ask(&app, "/", Some(("__Host-id", &id))).await;
    assert_eq!(untouched.status, StatusCode::OK);
    let first = ask(&app, "/insert", None).await;
    assert_eq!(first.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(first.cookie.is_none());
}
