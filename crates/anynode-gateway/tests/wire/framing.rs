//! Requests whose end could be disputed, and requests that are not for a gateway.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::world::{Node, full, gateway, raw};

/// Sends `bytes` and returns the first status line and how many requests the backend saw.
async fn outcome(bytes: &[u8]) -> (String, usize) {
    let node = Node::named("reached").await;
    let gateway = gateway(&[&node]);
    let answer = raw(&gateway, bytes).await;
    let status = answer.lines().next().unwrap_or_default();
    (status.to_owned(), node.requests())
}

#[tokio::test]
async fn what_is_no_clear_request_is_refused_and_reaches_no_backend() {
    let close = "Connection: close\r\n";
    for (expected, request) in [
        ("400", "GET / HTTP/1.1\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: user@a\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\"b\r\n"),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n",
        ),
        (
            "501",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
        ),
        ("400", "GET / HTTP/1.1\r\nHost : a\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n"),
        ("501", "TRACE / HTTP/1.1\r\nHost: a\r\n"),
        ("501", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n"),
    ] {
        let (status, requests) = outcome(format!("{request}{close}\r\n").as_bytes()).await;
        assert!(
            status.starts_with(&format!("HTTP/1.1 {expected}"))
                || status.starts_with(&format!("HTTP/1.0 {expected}")),
            "{request:?}: {status}"
        );
        assert_eq!(requests, 0, "{request:?}");
    }
}

#[tokio::test]
async fn a_chunked_body_of_a_get_arrives_and_does_not_become_a_request() {
    let node = Node::answering(|request: Request<Incoming>| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Response::new(full(Box::leak(text.into_boxed_str())))
    })
    .await;
    let gateway = gateway(&[&node]);
    let bytes =
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        5\r\nhello\r\n0\r\n\r\n";
    let answer = raw(&gateway, bytes).await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(node.requests(), 1);
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_continue() {
    let (status, requests) = outcome(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
    )
    .await;
    assert_eq!((status.as_str(), requests), ("HTTP/1.1 100 Continue", 1));
}
