//! A browser as far as sessions go: one cookie jar, same-origin requests.
#![allow(dead_code, reason = "each test program uses a part of it")]

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// A browser with its jar; it knows one cookie, ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    jar: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The `Set-Cookie` lines.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        let lines = self.headers.get_all(header::SET_COOKIE).iter();
        lines.map(|line| line.to_str().expect("ASCII")).collect()
    }
}

/// The name of the cookie.
pub(crate) const NAME: &str = "__Host-id";

impl Client {
    pub(crate) fn with_cookie(value: &str) -> Self {
        Self {
            jar: Some(value.to_owned()),
        }
    }

    /// The value of the cookie in the jar.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.jar.clone()
    }

    pub(crate) async fn get(&mut self, node: &Router, path: &str) -> Answer {
        self.send(node, Method::GET, path, "").await
    }

    pub(crate) async fn post(&mut self, node: &Router, path: &str, body: &str) -> Answer {
        self.send(node, Method::POST, path, body).await
    }

    pub(crate) async fn send(
        &mut self,
        node: &Router,
        method: Method,
        path: &str,
        body: &str,
    ) -> Answer {
        let answer = send(node, self.request(method, path, body)).await;
        self.keep(&answer.headers);
        answer
    }

    /// The request that the browser would send now.
    pub(crate) fn request(&self, method: Method, path: &str, body: &str) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "shop.example")
            .header("sec-fetch-site", "same-origin");
        if let Some(value) = &self.jar {
            request = request.header(header::COOKIE, format!("{NAME}={value}"));
        }
        let request = request.body(Body::from(body.to_owned()));
        request.expect("a request")
    }

    /// Sends a POST that runs beside the others; its cookie is kept with [`Client::keep`].
    pub(crate) fn start(&self, node: &Router, path: &str, body: &str) -> JoinHandle<Answer> {
        let (node, request) = (node.clone(), self.request(Method::POST, path, body));
        tokio::spawn(async move { send(&node, request).await })
    }

    /// Does to the jar what a response asks for.
    pub(crate) fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().expect("ASCII");
            let (name, rest) = line.split_once('=').expect("a pair");
            let value = rest.split(';').next().expect("a value");
            if name == NAME {
                self.jar = Some(value.to_owned()).filter(|value| !value.is_empty());
            }
        }
    }
}

/// Sends a request as it is.
pub(crate) async fn send(node: &Router, request: Request<Body>) -> Answer {
    let response = node.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a whole body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).expect("text"),
    }
}
