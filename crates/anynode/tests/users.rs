//! Sessions of a user: to list them and to end them; S-11.

mod client;
mod site;
mod spy;

use anynode::{
    AdminSessions, Session, SessionError,
    core::{Effect, Handle, UserId},
};
use axum::{
    Router,
    routing::{get, post},
};
use client::Client;
use http::StatusCode;
use site::World;

/// The site, and its page of sessions.
fn node(world: &World) -> Router {
    let pages = Router::new()
        .route("/handle", get(handle))
        .route("/sessions", get(list))
        .route("/sessions/end", post(end))
        .route("/sessions/end-others", post(end_others))
        .route("/sessions/end-all", post(end_all))
        .route("/sessions/confirmed/end", post(end_confirmed))
        .route("/sessions/confirmed/end-others", post(end_others_confirmed))
        .route("/sessions/confirmed/end-all", post(end_all_confirmed))
        .layer(world.layer());
    pages.merge(world.node())
}

async fn handle(session: Session) -> Result<String, SessionError> {
    let handle = session.handle().await?;
    Ok(handle.map_or_else(String::new, |handle| handle.to_string()))
}

async fn list(session: Session) -> Result<String, SessionError> {
    let (sessions, _) = session.sessions().await?.list(None).await?;
    let lines = sessions.iter().map(|info| {
        assert!(info.created_at <= info.listed_at);
        assert!(info.last_used.is_some_and(|used| used <= info.listed_at));
        let mark = if info.is_current { "*" } else { "" };
        format!("{}{mark}", info.handle)
    });
    Ok(lines.collect::<Vec<_>>().join(" "))
}

async fn end(session: Session, handle: String) -> Result<String, SessionError> {
    let handle = handle.parse().expect("a handle");
    let ended = session.sessions().await?.revoke(handle).await?;
    Ok(ended.to_string())
}

async fn end_others(session: Session) -> Result<(), SessionError> {
    session.sessions().await?.revoke_others().await.map(|_| ())
}

async fn end_all(session: Session) -> Result<(), SessionError> {
    session.sessions().await?.revoke_all().await.map(|_| ())
}

async fn end_confirmed(session: Session, handle: String) -> Result<String, SessionError> {
    let handle = handle.parse().expect("a handle");
    let ended = session.sessions().await?.revoke_and_confirm(handle).await?;
    Ok(format!("{} {}", ended.0, ended.1))
}

async fn end_others_confirmed(session: Session) -> Result<String, SessionError> {
    let sessions = session.sessions().await?;
    Ok(sessions.revoke_others_and_confirm().await?.1.to_string())
}

async fn end_all_confirmed(session: Session) -> Result<String, SessionError> {
    let sessions = session.sessions().await?;
    Ok(sessions.revoke_all_and_confirm().await?.1.to_string())
}

async fn logged_in(node: &Router, user: &str) -> (Client, String) {
    let mut client = Client::default();
    client.post(node, "/login", user).await;
    let handle = client.get(node, "/handle").await.text;
    (client, handle)
}

async fn user_of(node: &Router, client: &Client) -> String {
    client.clone().get(node, "/user").await.text
}

#[tokio::test]
async fn s_11_a_user_lists_and_ends_their_own_sessions_and_nobody_elses() {
    let world = World::new();
    let node = node(&world);
    let (mut ada, here) = logged_in(&node, "ada").await;
    let (phone, there) = logged_in(&node, "ada").await;
    let (eve, hers) = logged_in(&node, "eve").await;
    let listed = ada.get(&node, "/sessions").await.text;
    let mut expected = [format!("{here}*"), there.clone()];
    expected.sort();
    let mut listed: Vec<_> = listed.split(' ').collect();
    listed.sort_unstable();
    assert_eq!(listed, expected);
    assert_eq!(ada.post(&node, "/sessions/end", &hers).await.text, "false");
    assert_eq!(user_of(&node, &eve).await, "eve");
    assert_eq!(ada.post(&node, "/sessions/end", &there).await.text, "true");
    assert_eq!(ada.post(&node, "/sessions/end", &there).await.text, "false");
    assert_eq!(user_of(&node, &phone).await, "nobody");
    assert_eq!(user_of(&node, &ada).await, "ada");
    assert_eq!(ada.post(&node, "/sessions/end", &here).await.text, "true");
    assert_eq!(ada.cookie(), None, "its own end takes the cookie away");
}

#[tokio::test]
async fn s_11_ending_the_others_spares_this_one_and_ending_all_spares_none() {
    let world = World::new();
    let node = node(&world);
    let (mut ada, _) = logged_in(&node, "ada").await;
    let (phone, _) = logged_in(&node, "ada").await;
    let (eve, _) = logged_in(&node, "eve").await;
    ada.post(&node, "/sessions/end-others", "").await;
    assert_eq!(user_of(&node, &phone).await, "nobody");
    assert_eq!(user_of(&node, &ada).await, "ada");
    ada.post(&node, "/put/a", "1").await;
    assert_eq!(
        ada.get(&node, "/get/a").await.text,
        "1",
        "it can still write"
    );
    let (again, _) = logged_in(&node, "ada").await;
    let thief = ada.clone();
    ada.post(&node, "/sessions/end-all", "").await;
    assert_eq!(ada.cookie(), None);
    for client in [&thief, &again] {
        assert_eq!(user_of(&node, client).await, "nobody");
    }
    assert_eq!(user_of(&node, &eve).await, "eve");
}

/// Nodes that keep no copies have nothing to confirm; `near_cache` has those that do.
#[tokio::test]
async fn a_user_is_told_who_has_confirmed_the_end_of_their_sessions() {
    let world = World::new();
    let node = node(&world);
    let (mut ada, _) = logged_in(&node, "ada").await;
    let (phone, there) = logged_in(&node, "ada").await;
    let ended = ada.post(&node, "/sessions/confirmed/end", &there).await;
    assert!(ended.text.starts_with("true no node keeps copies, "));
    assert_eq!(user_of(&node, &phone).await, "nobody");
    let (tablet, _) = logged_in(&node, "ada").await;
    for (path, left) in [("end-others", "ada"), ("end-all", "nobody")] {
        let path = format!("/sessions/confirmed/{path}");
        let ended = ada.clone().post(&node, &path, "").await;
        assert!(ended.text.starts_with("no node keeps copies, "));
        assert_eq!(user_of(&node, &tablet).await, "nobody");
        assert_eq!(user_of(&node, &ada).await, left);
    }
}

#[tokio::test]
async fn s_11_strangers_have_no_list() {
    let world = World::new();
    let node = node(&world);
    let mut stranger = Client::default();
    stranger.post(&node, "/put/a", "1").await;
    for path in ["/sessions/end-others", "/sessions/end-all"] {
        let answer = stranger.post(&node, path, "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(stranger.get(&node, "/get/a").await.text, "1");
}

#[tokio::test]
async fn s_11_an_administrator_ends_any_session() {
    let world = World::new();
    let node = node(&world);
    let admin = AdminSessions::new(world.spy.clone());
    let (phone, handle) = logged_in(&node, "ada").await;
    let (laptop, _) = logged_in(&node, "ada").await;
    let ada = UserId::new("ada").expect("a name");
    assert_eq!(admin.list(&ada, None).await.expect("memory").0.len(), 2);
    let handle: Handle = handle.parse().expect("a handle");
    let found = admin.find(handle).await.expect("memory").expect("is alive");
    assert_eq!((found.handle, found.user), (handle, Some(ada.clone())));
    let revoked = admin.revoke(handle).await.expect("memory");
    assert_eq!(revoked.effect, Effect::Session);
    assert_eq!(admin.find(handle).await.expect("memory"), None);
    assert_eq!(user_of(&node, &phone).await, "nobody");
    assert_eq!(user_of(&node, &laptop).await, "ada");
    admin.revoke_user(&ada).await.expect("memory");
    assert_eq!(user_of(&node, &laptop).await, "nobody");
    assert!(admin.list(&ada, None).await.expect("memory").0.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s_11_a_revoke_all_racing_logins_leaves_each_session_dead_or_alive_everywhere() {
    let world = World::new();
    let nodes = [node(&world), node(&world), node(&world)];
    let mut before = Vec::new();
    for turn in 0..50 {
        before.push(logged_in(&nodes[turn % 3], "ada").await.0);
    }
    let stranger = Client::default();
    let logins = (0..50).map(|turn| stranger.start(&nodes[turn % 3], "/login", "ada"));
    let mut logins: Vec<_> = logins.collect();
    let revoked = before[0].start(&nodes[1], "/sessions/end-all", "");
    assert_eq!(revoked.await.expect("an answer").status, StatusCode::OK);
    for client in &before {
        assert_eq!(user_of(&nodes[2], client).await, "nobody");
    }
    let listed = AdminSessions::new(world.spy.clone());
    let mut alive = 0;
    for login in logins.drain(..) {
        let mut client = Client::default();
        client.keep(&login.await.expect("an answer").headers);
        let mut seen = Vec::new();
        for node in &nodes {
            seen.push(user_of(node, &client).await);
        }
        assert!(
            seen.iter().all(|user| *user == seen[0]),
            "half dead: {seen:?}"
        );
        alive += usize::from(seen[0] == "ada");
    }
    let ada = UserId::new("ada").expect("a name");
    assert_eq!(
        listed.list(&ada, None).await.expect("memory").0.len(),
        alive
    );
    let (after, _) = logged_in(&nodes[0], "ada").await;
    assert_eq!(user_of(&nodes[1], &after).await, "ada");
}
