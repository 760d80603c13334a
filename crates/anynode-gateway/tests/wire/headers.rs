//! Which header fields a backend and a client get to see.

use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response, StatusCode};

use crate::world::{Body, Client, Node, config, empty, full, gateway, raw, request, start};

/// Answers with the fields it received, one a line, and some that must not pass back.
async fn mirror() -> Node {
    Node::answering(|request: Request<Incoming>| async move {
        let lines: String = fields(request.headers());
        let mut response: Response<Body> = Response::new(full(Box::leak(lines.into_boxed_str())));
        for (name, value) in [
            ("connection", "x-of-this-hop"),
            ("x-of-this-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("server", "sample/1"),
            ("x-of-the-application", "1"),
        ] {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    })
    .await
}

fn fields(headers: &HeaderMap) -> String {
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.concat()
}

async fn seen_by_backend(fields: &[(&'static str, &'static str)]) -> String {
    seen_behind(&[], fields).await
}

/// The same where these prefixes are trusted.
async fn seen_behind(trusted: &[&str], fields: &[(&'static str, &'static str)]) -> String {
    let node = mirror().await;
    let mut config = config(&[&node]);
    let prefixes = trusted.iter().map(|prefix| prefix.parse().unwrap());
    config.trusted_proxies = prefixes.collect();
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    let mut request = request("GET", "/", empty());
    for &(name, value) in fields {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = client.ask(request).await;
    String::from_utf8(answer.body.to_vec()).unwrap()
}

const OF_THE_GATEWAY: &str = "forwarded: for=127.0.0.1;host=\"shop.example\";proto=http\n\
    host: shop.example\n\
    x-forwarded-for: 127.0.0.1\n\
    x-forwarded-host: shop.example\n\
    x-forwarded-proto: http\n";

#[tokio::test]
async fn hop_by_hop_fields_of_a_request_do_not_reach_the_backend() {
    let seen = seen_by_backend(&[
        ("connection", "keep-alive, x-of-this-hop"),
        ("x-of-this-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic eA=="),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("expect", "100-continue"),
        ("upgrade", "h2c"),
    ])
    .await;
    assert_eq!(seen, OF_THE_GATEWAY);
}

#[tokio::test]
async fn what_a_client_claims_about_itself_is_replaced_by_what_the_socket_says() {
    let seen = seen_by_backend(&[
        ("x-forwarded-for", "10.9.9.9"),
        ("x-forwarded-for", "10.9.9.8"),
        ("x_forwarded_for", "10.9.9.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank.example"),
        ("x-real-ip", "10.9.9.6"),
        ("forwarded", "for=10.9.9.5"),
    ])
    .await;
    assert_eq!(seen, OF_THE_GATEWAY);
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_any_other_is_not() {
    let said = [
        ("x-forwarded-for", "10.9.9.9, 192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-anynode-user", "ada"),
    ];
    assert_eq!(seen_behind(&["10.0.0.0/8"], &said).await, OF_THE_GATEWAY);
    let seen = seen_behind(&["10.0.0.0/8", "127.0.0.0/8"], &said).await;
    let expected = "forwarded: for=192.0.2.1;host=\"shop.example\";proto=https, for=127.0.0.1\n\
        host: shop.example\n\
        x-forwarded-for: 192.0.2.1, 127.0.0.1\n\
        x-forwarded-host: shop.example\n\
        x-forwarded-proto: https\n";
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn fields_of_the_application_pass_in_both_directions() {
    let seen = seen_by_backend(&[("cookie", "a=b"), ("cookie", "c=d"), ("accept", "*/*")]).await;
    let expected = format!("accept: */*\ncookie: a=b\ncookie: c=d\n{OF_THE_GATEWAY}");
    assert_eq!(seen, expected);

    let node = mirror().await;
    let gateway = gateway(&[&node]);
    let answer = Client::connect(&gateway).await.get("/").await;
    assert_eq!(answer.headers["server"], "sample/1");
    assert_eq!(answer.headers["x-of-the-application"], "1");
}

#[tokio::test]
async fn hop_by_hop_fields_of_an_answer_do_not_reach_the_client() {
    let node = mirror().await;
    let gateway = gateway(&[&node]);
    let answer = Client::connect(&gateway).await.get("/").await;
    for name in [
        "connection",
        "x-of-this-hop",
        "keep-alive",
        "proxy-authenticate",
    ] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn an_absolute_target_decides_the_host_and_arrives_as_a_path() {
    let node = Node::answering(|request: Request<Incoming>| async move {
        let line = format!("{} {:?}", request.uri(), request.headers()["host"]);
        Response::new(full(Box::leak(line.into_boxed_str())))
    })
    .await;
    let gateway = gateway(&[&node]);
    let bytes =
        b"GET http://shop.example/cart?a=1 HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n";
    let answer = raw(&gateway, bytes).await;
    assert!(
        answer.ends_with("\r\n\r\n/cart?a=1 \"shop.example\""),
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_to_head_keeps_its_length() {
    let node = Node::answering(|_| async { Response::new(full("twelve bytes")) }).await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..2 {
        let answer = client.ask(request("HEAD", "/", empty())).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-length"], "12");
        assert!(answer.body.is_empty());
    }
}
