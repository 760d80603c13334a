//! A login replaces the id in the cookie, and what was in the cart before stays.
//!
//! ```text
//! cargo run --example login
//! curl -c jar -b jar -X POST http://localhost:3000/cart/apple
//! curl -c jar -b jar -X POST -H "Origin: http://localhost:3000" http://localhost:3000/login/ada
//! curl -c jar -b jar http://localhost:3000/
//! ```
//! Compare the cookie in `jar` before and after: the first half, the handle, stays, and the
//! secret half is another. An id planted before the login is worth nothing after it.

use anynode::{CookieConfig, Session, SessionError, SessionLayer, store::sqlite::SqliteStore};
use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};

async fn home(session: Session) -> Result<String, SessionError> {
    let user = session.user().await?;
    let name = user.map_or("nobody".to_owned(), |user| user.as_str().to_owned());
    let cart: Vec<String> = session.get("cart").await?.unwrap_or_default();
    Ok(format!("{name} with {cart:?}\n"))
}

async fn add(session: Session, Path(item): Path<String>) -> Result<(), SessionError> {
    // Two tabs that add at once both succeed: the function runs again on the newer cart.
    session
        .update("cart", move |cart: Option<Vec<String>>| {
            let mut cart = cart.unwrap_or_default();
            cart.push(item.clone());
            cart
        })
        .await?;
    Ok(())
}

/// A real application checks a password first.
async fn login(session: Session, Path(name): Path<String>) -> Result<(), SessionError> {
    session.bind(name).await
}

async fn logout(session: Session) -> Result<(), SessionError> {
    session.revoke().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = SqliteStore::open("login.db")?;
    let sessions = SessionLayer::new(store).with_cookie(CookieConfig::insecure_loopback());
    let app = Router::new()
        .route("/", get(home))
        .route("/cart/{item}", post(add))
        .route("/login/{name}", post(login))
        .route("/logout", post(logout))
        .layer(sessions);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("shopping on http://localhost:3000/");
    axum::serve(listener, app).await?;
    Ok(())
}
