//! The smallest application with sessions that any node can serve.
//!
//! Run it, and count in a browser or with curl:
//! ```text
//! cargo run --example counter
//! curl -c jar -b jar http://localhost:3000/
//! ```
//! Start it twice, the second time with `PORT=3001`: both count the same visits.

use anynode::{CookieConfig, Session, SessionError, SessionLayer, store::sqlite::SqliteStore};
use axum::{Router, routing::get};

async fn home(session: Session) -> Result<String, SessionError> {
    let visits = session
        .update("visits", |n: Option<u32>| n.unwrap_or(0) + 1)
        .await?;
    Ok(format!("visit {visits}\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = SqliteStore::open("counter.db")?;
    // Without TLS a cookie may only travel to this machine; drop the line in production.
    let sessions = SessionLayer::new(store).with_cookie(CookieConfig::insecure_loopback());
    let app = Router::new().route("/", get(home)).layer(sessions);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("counting on http://localhost:{port}/");
    axum::serve(listener, app).await?;
    Ok(())
}
