//! Cookies: K-01 to K-04, K-06, K-08, K-09 and K-11.

mod client;
mod cookie_headers;
mod site;
mod spy;

use anynode::{ClearSiteData, CookieConfig, CookieError, SameSite};
use axum::{Router, response::AppendHeaders, routing::post};
use client::{Client, NAME, send};
use cookie_headers::{NOT_OURS, OURS, TWICE};
use http::{HeaderValue, Method, StatusCode, header};
use site::{World, site};

fn filled(text: &[u8], id: &str) -> HeaderValue {
    let mut filled = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if let Some(tail) = rest.strip_prefix(b"ID".as_slice())
            && !filled.ends_with(b"__HOST-")
            && !filled.ends_with(b"__Host-")
        {
            filled.extend_from_slice(id.as_bytes());
            rest = tail;
        } else if *first == b'X' {
            filled.extend_from_slice(&[b'A'; 43]);
            rest = tail;
        } else {
            filled.push(*first);
            rest = tail;
        }
    }
    HeaderValue::from_bytes(&filled).expect("bytes that a header may hold")
}

async fn user_of(node: &Router, lines: &[HeaderValue]) -> client::Answer {
    let mut request = Client::default().request(Method::GET, "/user", "");
    for line in lines {
        request.headers_mut().append(header::COOKIE, line.clone());
    }
    send(node, request).await
}

async fn logged_in(node: &Router) -> String {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client.cookie().expect("a session")
}

#[tokio::test]
async fn k_01_every_cookie_has_all_its_attributes_and_no_others() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    let login = client.post(&node, "/login", "ada").await;
    let value = client.cookie().expect("an id");
    let attributes = "Path=/; HttpOnly; SameSite=Lax; Secure";
    assert_eq!(login.cookies(), [format!("{NAME}={value}; {attributes}")]);
    let logout = client.post(&node, "/logout", "").await;
    let expired = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(
        logout.cookies(),
        [format!("{NAME}=; {expired}; {attributes}")]
    );
}

#[tokio::test]
async fn k_01_the_development_cookie_serves_this_machine_only() {
    let world = World::new();
    let node = site(world.layer().with_cookie(CookieConfig::insecure_loopback()));
    let hosts = [
        ("localhost", true),
        ("LocalHost:3000", true),
        ("127.0.0.1:8080", true),
        ("127.9.9.9", true),
        ("[::1]:3000", true),
        ("shop.example", false),
        ("localhost.shop.example", false),
        ("192.168.1.4", false),
        ("0.0.0.0", false),
        ("[::]", false),
        ("127.0.0.1.nip.example", false),
    ];
    for (host, served) in hosts {
        let mut request = Client::default().request(Method::POST, "/login", "ada");
        let value = host.parse().expect("a host");
        request.headers_mut().insert(header::HOST, value);
        let answer = send(&node, request).await;
        assert_eq!(answer.status == StatusCode::OK, served, "{host}");
        assert_eq!(!answer.cookies().is_empty(), served, "{host}");
    }
    let mut nameless = Client::default().request(Method::POST, "/login", "ada");
    nameless.headers_mut().remove(header::HOST);
    let refused = send(&node, nameless).await;
    assert_eq!(refused.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn k_02_nothing_but_our_exact_name_is_our_cookie() {
    let world = World::new();
    let node = world.node();
    let id = logged_in(&node).await;
    assert!(NOT_OURS.len() + OURS.len() + TWICE.len() >= 60);
    for text in NOT_OURS {
        let calls = world.spy.all_calls();
        let answer = user_of(&node, &[filled(text, &id)]).await;
        assert_eq!(answer.text, "nobody", "{}", text.escape_ascii());
        assert_eq!(world.spy.all_calls(), calls, "{}", text.escape_ascii());
    }
}

#[tokio::test]
async fn k_02_our_cookie_is_found_whatever_stands_beside_it() {
    let world = World::new();
    let node = world.node();
    let id = logged_in(&node).await;
    for text in OURS {
        let answer = user_of(&node, &[filled(text, &id)]).await;
        assert_eq!(answer.text, "ada", "{}", text.escape_ascii());
    }
    let lines = [filled(b"a=b", &id), filled(b"__Host-id=ID", &id)];
    assert_eq!(user_of(&node, &lines).await.text, "ada");
}

#[tokio::test]
async fn k_03_two_cookies_of_our_name_are_no_session_and_are_cleared() {
    let world = World::new();
    let node = world.node();
    let id = logged_in(&node).await;
    let calls = world.spy.all_calls();
    for (first, second) in TWICE {
        let answer = user_of(&node, &[filled(first, &id), filled(second, &id)]).await;
        assert_eq!(answer.text, "nobody", "{}", first.escape_ascii());
        assert!(answer.cookies()[0].starts_with("__Host-id=; Max-Age=0"));
        assert_eq!(answer.cookies().len(), 1);
    }
    assert_eq!(world.spy.all_calls(), calls);
}

#[test]
fn k_04_a_cookie_that_browsers_would_refuse_cannot_be_configured() {
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let cookie = |name: &str| CookieConfig::new(name);
    let long = "a".repeat(4_054);
    let refused = [
        (cookie(""), CookieError::Name),
        (cookie("a b"), CookieError::Name),
        (cookie("a=b"), CookieError::Name),
        (cookie("é"), CookieError::Name),
        (cookie(&long), CookieError::TooLong),
        (
            cookie("__Host-a").and_then(|c| c.with_domain("a.example")),
            CookieError::HostPrefix,
        ),
        (
            cookie("__HOST-a").and_then(|c| c.with_path("/a")),
            CookieError::HostPrefix,
        ),
        (
            cookie("a").and_then(|c| c.with_domain("a; Secure")),
            CookieError::Attribute,
        ),
        (
            cookie("a").and_then(|c| c.with_domain("a\r\nb")),
            CookieError::Attribute,
        ),
        (
            cookie("a").and_then(|c| c.with_path("/".repeat(1_025))),
            CookieError::TooLong,
        ),
        (
            cookie("a").and_then(|c| c.with_max_age(401 * day)),
            CookieError::MaxAge,
        ),
    ];
    for (config, expected) in refused {
        assert_eq!(config, Err(expected));
    }
    let longest = cookie(&long[..4_053]).expect("4096 bytes");
    assert_eq!(longest.name().len() + 43, 4_096);
    assert!(cookie("a").and_then(|c| c.with_max_age(400 * day)).is_ok());
}

#[tokio::test]
async fn k_04_a_response_sets_our_cookie_once_and_leaves_others_alone() {
    let world = World::new();
    let login = async |session: anynode::Session| {
        session.bind("ada").await?;
        let own = format!("{NAME}=mine; Path=/");
        let cookies = [own.clone(), "theme=dark".to_owned(), own];
        let lines = cookies.map(|line| (header::SET_COOKIE, line));
        Ok::<_, anynode::SessionError>(AppendHeaders(lines))
    };
    let node = Router::new().route("/", post(login)).layer(world.layer());
    let mut client = Client::default();
    let answer = client.post(&node, "/", "").await;
    assert_eq!(answer.cookies()[0], "theme=dark");
    assert!(answer.cookies()[1].starts_with(NAME));
    assert_eq!(answer.cookies().len(), 2);
    assert_eq!(client.cookie().map(|id| id.len()), Some(43));
}

#[tokio::test]
async fn k_06_a_late_response_clears_no_newer_cookie() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    client.post(&node, "/login", "ada").await;
    let dead = client.clone();
    client.post(&node, "/logout", "").await;
    let late = dead.clone().get(&node, "/user").await;
    client.post(&node, "/login", "ada").await;
    client.keep(&late.headers);
    assert_eq!(client.get(&node, "/user").await.text, "ada");
    assert!(late.cookies().is_empty());
}

#[tokio::test]
async fn k_08_a_logout_clears_what_the_site_left_in_the_browser() {
    for (choice, expected) in [
        (
            ClearSiteData::Sent,
            Some("\"cache\", \"cookies\", \"storage\""),
        ),
        (ClearSiteData::Omitted, None),
    ] {
        let world = World::new();
        let node = site(world.layer().with_clear_site_data(choice));
        let mut client = Client::default();
        let login = client.post(&node, "/login", "ada").await;
        assert!(!login.headers.contains_key("clear-site-data"));
        let logout = client.post(&node, "/logout", "").await;
        let sent = logout.headers.get("clear-site-data");
        assert_eq!(sent.map(|value| value.to_str().expect("ASCII")), expected);
    }
}

#[tokio::test]
async fn k_09_a_cookie_bomb_is_refused_and_defused() {
    let world = World::new();
    let node = world.node();
    let mut request = Client::default().request(Method::GET, "/user", "");
    for number in 0..50 {
        let bomb = format!("bomb{number}={}", "x".repeat(4_000));
        let bomb = bomb.parse().expect("a header");
        request.headers_mut().append(header::COOKIE, bomb);
    }
    let answer = send(&node, request).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(answer.headers["clear-site-data"], "\"cookies\"");
    assert!(answer.cookies()[0].starts_with("__Host-id=; Max-Age=0"));
    // A browser that did as it was told comes back with an empty jar.
    let recovered = Client::default().get(&node, "/user").await;
    assert_eq!(recovered.status, StatusCode::OK);
}

#[tokio::test]
async fn k_11_a_cookie_outlives_the_browser_only_where_that_was_chosen() {
    let world = World::new();
    let login = Client::default().post(&world.node(), "/login", "ada").await;
    assert!(!login.cookies()[0].contains("Max-Age"));
    assert!(!login.cookies()[0].contains("Expires"));
    let month = std::time::Duration::from_secs(30 * 24 * 60 * 60);
    let cookie = CookieConfig::default().with_same_site(SameSite::Strict);
    let node = site(
        world
            .layer()
            .with_cookie(cookie.with_max_age(month).expect("in bounds")),
    );
    let login = Client::default().post(&node, "/login", "ada").await;
    assert!(login.cookies()[0].contains("; Max-Age=2592000;"));
    assert!(login.cookies()[0].contains("; SameSite=Strict;"));
}
