//! Requests that other sites cause: W-01 to W-03, and the synchroniser token.

mod client;
mod site;
mod spy;

use anynode::{Csrf, LoginByLink, Session, SessionError};
use axum::{Router, body::Body, routing::post};
use client::{Client, NAME, send};
use http::{Method, Request, StatusCode, header};
use site::{World, site};

/// What a request says of where it comes from.
type Said = &'static [(&'static str, &'static str)];

fn request(method: Method, path: &str, cookie: Option<&str>, said: Said) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "shop.example");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, format!("{NAME}={cookie}"));
    }
    for (name, value) in said {
        request = request.header(*name, *value);
    }
    request.body(Body::from("1")).expect("a request")
}

async fn logged_in(node: &Router) -> String {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client.cookie().expect("a session")
}

const SAME: &[Said] = &[
    &[("sec-fetch-site", "same-origin")],
    &[("sec-fetch-site", "none")],
    &[("origin", "https://shop.example")],
    &[("origin", "http://SHOP.example")],
    &[("sec-fetch-site", "same-origin"), ("origin", "null")],
];

const OTHER: &[Said] = &[
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "")],
    &[("sec-fetch-site", "Same-Origin, none")],
    &[
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://shop.example"),
    ],
    &[("origin", "https://evil.example")],
    &[("origin", "https://shop.example.evil.example")],
    &[("origin", "https://evil-shop.example")],
    &[("origin", "https://shop.example:8443")],
    &[("origin", "https://shop.example@evil.example")],
    &[("origin", "https://shop.exampl")],
    &[("origin", "https://")],
    &[("origin", "null")],
    &[("origin", "")],
    &[("origin", "shop.example")],
    &[("origin", "file://shop.example")],
];

#[tokio::test]
async fn w_01_a_change_needs_proof_that_no_other_site_caused_it() {
    let world = World::new();
    let node = world.node();
    let id = logged_in(&node).await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for said in OTHER {
            for cookie in [Some(id.as_str()), None] {
                let calls = world.spy.all_calls();
                let answer = send(&node, request(method.clone(), "/put/a", cookie, said)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {said:?}");
                assert_eq!(world.spy.all_calls(), calls);
            }
        }
    }
    for said in SAME {
        let answer = send(&node, request(Method::POST, "/put/a", Some(&id), said)).await;
        assert_eq!(answer.status, StatusCode::OK, "{said:?}");
    }
}

#[tokio::test]
async fn w_01_a_client_that_says_nothing_is_refused_its_session_unless_that_was_chosen() {
    let world = World::new();
    let (strict, off) = (world.node(), site(world.layer().with_csrf(Csrf::off())));
    let lenient = site(
        world
            .layer()
            .with_csrf(Csrf::default().with_silent_clients()),
    );
    let id = logged_in(&strict).await;
    let silent = |cookie| request(Method::POST, "/put/a", cookie, &[]);
    let refused = send(&strict, silent(Some(id.as_str()))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&strict, silent(None)).await.status, StatusCode::OK);
    for node in [lenient, off] {
        assert_eq!(send(&node, silent(Some(&id))).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn w_01_a_trusted_origin_is_matched_whole() {
    let world = World::new();
    let csrf = Csrf::default().with_trusted_origin("https://pay.example");
    let node = site(world.layer().with_csrf(csrf));
    let id = logged_in(&node).await;
    let cases: [(Said, StatusCode); 4] = [
        (
            &[
                ("origin", "https://pay.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            StatusCode::OK,
        ),
        (&[("origin", "http://pay.example")], StatusCode::FORBIDDEN),
        (
            &[("origin", "https://pay.example.evil.example")],
            StatusCode::FORBIDDEN,
        ),
        (
            &[("origin", "https://pay.example:444")],
            StatusCode::FORBIDDEN,
        ),
    ];
    for (said, status) in cases {
        let answer = send(&node, request(Method::POST, "/put/a", Some(&id), said)).await;
        assert_eq!(answer.status, status, "{said:?}");
    }
}

#[tokio::test]
async fn w_01_the_token_of_the_session_is_proof_and_no_other_token_is() {
    async fn token(session: Session) -> Result<String, SessionError> {
        Ok(session.csrf_token().await?.unwrap_or_default())
    }
    async fn form(session: Session, token: String) -> String {
        session.verify_csrf_token(&token).to_string()
    }
    let world = World::new();
    let node = Router::new()
        .route("/token", post(token))
        .route("/form", post(form))
        .layer(world.layer());
    let (ada, eve) = (
        logged_in(&world.node()).await,
        logged_in(&world.node()).await,
    );
    let mut client = Client::with_cookie(&ada);
    let good = client.post(&node, "/token", "").await.text;
    let bad = Client::with_cookie(&eve)
        .post(&node, "/token", "")
        .await
        .text;
    assert!(good.len() == 43 && good != bad && !good.contains(&ada[22..]));
    let cases = [
        (good.as_str(), 200),
        (bad.as_str(), 403),
        ("", 403),
        (&good[..42], 403),
    ];
    for (token, status) in cases {
        let mut silent = request(Method::POST, "/token", Some(&ada), &[]);
        let value = token.parse().expect("a header");
        silent.headers_mut().insert("x-csrf-token", value);
        assert_eq!(send(&node, silent).await.status.as_u16(), status, "{token}");
    }
    assert_eq!(client.post(&node, "/form", &good).await.text, "true");
    assert_eq!(client.post(&node, "/form", &bad).await.text, "false");
    let stranger = Client::default().post(&node, "/token", "").await;
    assert_eq!((stranger.text.as_str(), stranger.cookies().len()), ("", 0));
}

#[tokio::test]
async fn w_02_a_web_socket_opens_for_its_own_origin_only() {
    let world = World::new();
    let node = world.node();
    let id = logged_in(&node).await;
    for (said, status) in SAME
        .iter()
        .map(|said| (said, StatusCode::OK))
        .chain(OTHER.iter().map(|said| (said, StatusCode::FORBIDDEN)))
    {
        for upgrade in ["websocket", "WebSocket", "h2c, websocket"] {
            let mut handshake = request(Method::GET, "/user", Some(&id), said);
            let value = upgrade.parse().expect("a header");
            handshake.headers_mut().insert(header::UPGRADE, value);
            assert_eq!(send(&node, handshake).await.status, status, "{said:?}");
        }
    }
    let silent = request(Method::CONNECT, "/user", Some(&id), &[]);
    assert_eq!(send(&node, silent).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn w_03_a_link_logs_nobody_in() {
    let world = World::new();
    let node = world.node();
    let id = logged_in(&node).await;
    for method in [Method::GET, Method::HEAD] {
        for said in [&[("sec-fetch-site", "cross-site")] as Said, SAME[0]] {
            for cookie in [None, Some(id.as_str())] {
                let link = request(method.clone(), "/login-by-link", cookie, said);
                let answer = send(&node, link).await;
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
                assert!(answer.cookies().is_empty());
            }
        }
    }
    let allowed = world.layer().with_login_by_link(LoginByLink::Allowed);
    let answer = Client::default()
        .get(&site(allowed), "/login-by-link")
        .await;
    assert_eq!(answer.cookies().len(), 1);
}

#[tokio::test]
async fn w_03_no_get_of_the_site_changes_who_is_logged_in() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::with_cookie(&logged_in(&node).await);
    let before = client.cookie();
    let paths = [
        "/idle", "/count", "/get/a", "/user", "/login", "/logout", "/rotate",
    ];
    for path in paths {
        client.get(&node, path).await;
        assert_eq!(client.cookie(), before, "{path}");
        assert_eq!(client.get(&node, "/user").await.text, "ada", "{path}");
    }
}
