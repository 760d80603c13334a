//! What every program that serves the application has in common: its visitors, and how it tells
//! of them.

use std::io::{BufRead, Write};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// Visitors, so that no single record is always at hand.
pub(crate) const SESSIONS: usize = 1_000;

/// What the application answers to who has a session, and to who has none.
pub(crate) const KNOWN: &str = "7";
pub(crate) const UNKNOWN: &str = "0";

/// Seven texts; with the counter, eight keys and 500 encoded bytes.
pub(crate) fn texts() -> impl Iterator<Item = (String, String)> {
    (0..7).map(|key| (format!("key-{key}"), "x".repeat(58)))
}

/// Has the application fill a session for each visitor, and answers their cookies.
pub(crate) async fn fill(router: &Router) -> Vec<String> {
    let mut cookies = Vec::new();
    for _ in 0..SESSIONS {
        let request = Request::get("/fill").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let line = response.headers()[header::SET_COOKIE].to_str().unwrap();
        cookies.push(line.split(';').next().unwrap().to_owned());
    }
    cookies
}

/// Tells the parent where the application listens and who its visitors are, and ends this
/// process when the parent does.
pub(crate) fn announce(port: u16, cookies: &[String]) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{port}").unwrap();
    for cookie in cookies {
        writeln!(out, "{cookie}").unwrap();
    }
    writeln!(out).unwrap();
    out.flush().unwrap();
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().read_until(0, &mut Vec::new());
        std::process::exit(0);
    });
}

/// Sends each visitor's request through the application and then so many more, without network.
pub(crate) async fn repeat(router: &Router, cookies: &[String], count: usize) {
    for cookie in cookies.iter().chain(cookies.iter().cycle().take(count)) {
        // What runs beside requests has its turn.
        tokio::task::yield_now().await;
        let response = router.clone().oneshot(request(cookie)).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, KNOWN);
    }
}

pub(crate) fn request(cookie: &str) -> Request<Body> {
    let request = Request::get("/")
        .header("host", "localhost")
        .header("cookie", cookie);
    request.body(Body::empty()).unwrap()
}
