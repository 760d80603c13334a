//! A user lists their sessions and ends all others with one write.
//!
//! ```text
//! cargo run --example log_out_everywhere
//! origin="Origin: http://localhost:3000"
//! curl -c phone  -b phone  -A phone  -X POST -H "$origin" http://localhost:3000/login/ada
//! curl -c laptop -b laptop -A laptop -X POST -H "$origin" http://localhost:3000/login/ada
//! curl -c laptop -b laptop http://localhost:3000/sessions
//! curl -c laptop -b laptop -X POST -H "$origin" http://localhost:3000/log-out-elsewhere
//! curl -c phone  -b phone  http://localhost:3000/sessions
//! ```
//! The last line answers "Log in first.": the phone's session is dead on every node.

use std::fmt::Write;

use anynode::{CookieConfig, Session, SessionError, SessionLayer, store::sqlite::SqliteStore};
use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};

async fn login(session: Session, Path(name): Path<String>) -> Result<(), SessionError> {
    session.bind(name).await
}

async fn list(session: Session) -> Result<String, SessionError> {
    let (sessions, _next_page) = session.sessions().await?.list(None).await?;
    let mut text = String::new();
    for info in sessions {
        let device = info.device.label.as_deref().unwrap_or("unknown");
        let here = if info.is_current { " (here)" } else { "" };
        let _ = writeln!(text, "{} {device}{here}", info.handle);
    }
    Ok(text)
}

async fn log_out_elsewhere(session: Session) -> Result<&'static str, SessionError> {
    session.sessions().await?.revoke_others().await?;
    Ok("all others are logged out\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = SqliteStore::open("everywhere.db")?;
    let sessions = SessionLayer::new(store).with_cookie(CookieConfig::insecure_loopback());
    let app = Router::new()
        .route("/login/{name}", post(login))
        .route("/sessions", get(list))
        .route("/log-out-elsewhere", post(log_out_elsewhere))
        .layer(sessions);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://localhost:3000/");
    axum::serve(listener, app).await?;
    Ok(())
}
