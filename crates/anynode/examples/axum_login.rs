//! An application on axum-login, with its sessions in a store of ours.
//!
//! `cargo run -p anynode --example axum_login --features tower-sessions-014`, then open
//! <http://localhost:3000> and log in as `ada` with the password `lovelace`.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
};

use anynode::{
    CookieConfig, SessionLayer, SystemClock, adapter::tower_sessions_014::SessionAdapterLayer,
    core::MemoryStore,
};
use axum::{
    Form, Router,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_login::{AuthManager, AuthUser, AuthnBackend, login_required};
use serde::Deserialize;
use tower::layer::layer_fn;

/// What axum-login calls the session of somebody who may be logged in.
type AuthSession = axum_login::AuthSession<Users>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    // Plain HTTP, for this machine only: a real application keeps the default cookie.
    let sessions = SessionLayer::from_arc(store).with_cookie(CookieConfig::insecure_loopback());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://localhost:3000: log in as ada, password lovelace");
    axum::serve(listener, app(Users::default(), sessions)).await?;
    Ok(())
}

/// The application. Its handlers know axum-login only, but for the page that lists sessions.
pub(crate) fn app(users: Users, sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/password", post(change_password))
        .route("/logout-everywhere", post(log_out_everywhere))
        .route_layer(login_required!(Users, login_url = "/login"))
        .route("/login", get(login_form).post(log_in))
        .route("/logout", post(log_out))
        // In place of axum-login's own `AuthManagerLayer`, which brings tower-sessions along:
        .layer(layer_fn(move |inner| {
            AuthManager::new(inner, users.clone(), "axum-login.data")
        }))
        .layer(SessionAdapterLayer::default())
        .layer(sessions)
}

// === the users ===

/// The users and their passwords, in memory. A real application stores password hashes.
#[derive(Clone, Debug)]
pub(crate) struct Users(Arc<RwLock<HashMap<u32, User>>>);

/// A user.
#[derive(Clone)]
pub(crate) struct User {
    id: u32,
    name: &'static str,
    password: String,
    /// Changes with the password, so that sessions from before end.
    password_version: [u8; 4],
}

/// The form in which they log in.
#[derive(Clone, Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
}

impl Default for Users {
    fn default() -> Self {
        let user = |id, name, password: &str| User {
            id,
            name,
            password: password.to_owned(),
            password_version: [0; 4],
        };
        let users = [user(1, "ada", "lovelace"), user(2, "grace", "hopper")];
        let users = users.into_iter().map(|user| (user.id, user));
        Self(Arc::new(RwLock::new(users.collect())))
    }
}

impl Users {
    fn set_password(&self, id: u32, password: String) {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = users.get_mut(&id) {
            let version = u32::from_be_bytes(user.password_version);
            user.password_version = (version + 1).to_be_bytes();
            user.password = password;
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.id)
    }
}

impl AuthUser for User {
    type Id = u32;

    fn id(&self) -> u32 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.password_version
    }
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, given: Credentials) -> Result<Option<User>, Infallible> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut users = users.values();
        let user = users.find(|user| user.name == given.name && user.password == given.password);
        Ok(user.cloned())
    }

    async fn get_user(&self, id: &u32) -> Result<Option<User>, Infallible> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(users.get(id).cloned())
    }
}

// === the pages ===

async fn home(auth: AuthSession, session: anynode::Session) -> Result<Html<String>, Response> {
    let name = auth.user.map_or("nobody", |user| user.name);
    let sessions = session
        .sessions()
        .await
        .map_err(IntoResponse::into_response)?;
    let (sessions, _) = sessions
        .list(None)
        .await
        .map_err(IntoResponse::into_response)?;
    let mut page = format!("<h1>Hello {name}</h1><ul>");
    for session in sessions {
        let here = if session.is_current {
            " (this one)"
        } else {
            ""
        };
        page.push_str(&format!("<li>session {}{here}</li>", session.handle));
    }
    page.push_str(
        "</ul><form method=post action=/logout><button>Log out</button></form>\
         <form method=post action=/logout-everywhere><button>Log out everywhere</button></form>\
         <form method=post action=/password><input type=password name=password>\
         <button>Change password</button></form>",
    );
    Ok(Html(page))
}

async fn login_form() -> Html<&'static str> {
    Html(
        "<form method=post><input name=name><input type=password name=password>\
         <button>Log in</button></form>",
    )
}

async fn log_in(mut auth: AuthSession, Form(credentials): Form<Credentials>) -> Response {
    let user = match auth.authenticate(credentials).await {
        Ok(Some(user)) => user,
        Ok(None) => return (StatusCode::UNAUTHORIZED, "Wrong name or password.").into_response(),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    match auth.login(&user).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn log_out(mut auth: AuthSession) -> Response {
    match auth.logout().await {
        Ok(_) => Redirect::to("/login").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn log_out_everywhere(session: anynode::Session) -> Result<Redirect, anynode::SessionError> {
    session.sessions().await?.revoke_all().await?;
    Ok(Redirect::to("/login"))
}

async fn change_password(auth: AuthSession, Form(new): Form<NewPassword>) -> Redirect {
    if let Some(user) = &auth.user {
        auth.backend.set_password(user.id, new.password);
    }
    Redirect::to("/login")
}
