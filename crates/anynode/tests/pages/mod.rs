//! Pages for the calls of the API that the small site has none for.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::Arc;

use anynode::{
    AdminSessions, Session, SessionError,
    core::{Handle, UserId},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};

use crate::site::World;

type Admin = State<Arc<AdminSessions>>;
type Done = Result<(), SessionError>;

/// The site, with a page for every call of the API.
pub(crate) fn node(world: &World) -> Router {
    let admin = AdminSessions::new(world.store());
    let pages = Router::new()
        .route("/number", get(number))
        .route("/handle", get(handle))
        .route("/remove/{key}", post(remove))
        .route("/count-now", post(count_now))
        .route("/sessions", get(list))
        .route("/sessions/end", post(end))
        .route("/sessions/end-others", post(end_others))
        .route("/sessions/end-all", post(end_all))
        .route("/admin", get(admin_list))
        .route("/admin/find", post(admin_find))
        .route("/admin/end", post(admin_end))
        .route("/admin/end-user", post(admin_end_user))
        .with_state(Arc::new(admin))
        .layer(world.layer());
    pages.merge(world.node())
}

async fn number(session: Session) -> Result<String, SessionError> {
    let number = session.get::<u32>("n").await?;
    Ok(number.unwrap_or(0).to_string())
}

async fn handle(session: Session) -> Result<String, SessionError> {
    let handle = session.handle().await?;
    Ok(handle.map_or_else(String::new, |handle| handle.to_string()))
}

async fn remove(session: Session, Path(key): Path<String>) -> Done {
    session.remove::<String>(&key).await.map(drop)
}

async fn count_now(session: Session) -> Done {
    let count = |n: Option<u32>| n.unwrap_or(0) + 1;
    session.update_now("n", count).await.map(drop)
}

async fn list(session: Session) -> Done {
    session.sessions().await?.list(None).await.map(drop)
}

async fn end(session: Session, handle: String) -> Done {
    session
        .sessions()
        .await?
        .revoke(of(&handle))
        .await
        .map(drop)
}

async fn end_others(session: Session) -> Done {
    session.sessions().await?.revoke_others().await.map(drop)
}

async fn end_all(session: Session) -> Done {
    session.sessions().await?.revoke_all().await.map(drop)
}

async fn admin_list(State(admin): Admin) -> Result<String, SessionError> {
    let (sessions, _) = admin.list(&ada(), None).await?;
    Ok(sessions.len().to_string())
}

async fn admin_find(State(admin): Admin, handle: String) -> Done {
    admin.find(of(&handle)).await.map(drop)
}

async fn admin_end(State(admin): Admin, handle: String) -> Done {
    admin.revoke(of(&handle)).await.map(drop)
}

async fn admin_end_user(State(admin): Admin) -> Done {
    admin.revoke_user(&ada()).await.map(drop)
}

fn of(handle: &str) -> Handle {
    handle.parse().expect("a handle")
}

fn ada() -> UserId {
    UserId::new("ada").expect("a name")
}
