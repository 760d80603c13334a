//! A client with a cookie jar on one keep-alive connection.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::program::within;

/// One visitor.
pub(crate) struct Client {
    connection: SendRequest<Full<Bytes>>,
    host: SocketAddr,
    /// The cookie as it is sent back, `name=value`.
    pub(crate) cookie: Option<String>,
    /// Its companion, by which a node knows that its copy is older than what this visitor has seen.
    seen: Option<String>,
    /// The page that a browser says its requests come from.
    pub(crate) from: From,
}

/// Where a page is that makes a browser send a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    SameOrigin,
    OtherSite,
    /// As `OtherSite`, of a browser that does not send `Sec-Fetch-Site`.
    OtherSiteByOrigin,
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) node: String,
    pub(crate) location: String,
    /// How old the knowledge of the session is that it was made from, and whence: `812; copy`.
    pub(crate) age: String,
    pub(crate) body: String,
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(gateway: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(gateway)).await.unwrap();
        let (connection, serving) = within(handshake(TokioIo::new(stream))).await.unwrap();
        tokio::spawn(serving);
        Self {
            connection,
            host: gateway,
            cookie: None,
            seen: None,
            from: From::SameOrigin,
        }
    }

    /// A visitor who has just logged in.
    pub(crate) async fn logged_in(gateway: SocketAddr, name: &str) -> Self {
        Self::logged_in_below(gateway, "", name).await
    }

    /// As [`Client::logged_in`], at the shop whose paths begin like this.
    pub(crate) async fn logged_in_below(gateway: SocketAddr, base: &str, name: &str) -> Self {
        let mut client = Self::connect(gateway).await;
        let login = format!("{base}/login");
        let answer = client.post(&login, &format!("name={name}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        assert!(client.cookie.is_some(), "{answer:?}");
        client
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    /// Sends a form, as a browser does from the site's own page.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, form).await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, form: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.host.to_string());
        let (field, value) = match self.from {
            From::SameOrigin => ("sec-fetch-site", "same-origin"),
            From::OtherSite => ("sec-fetch-site", "cross-site"),
            From::OtherSiteByOrigin => ("origin", "http://other.example"),
        };
        request = request.header(field, value);
        if !form.is_empty() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let cookies: Vec<&str> = [&self.cookie, &self.seen]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let body = Full::new(Bytes::copy_from_slice(form.as_bytes()));
        let request = request.body(body).unwrap();
        within(self.connection.ready()).await.unwrap();
        let response = within(self.connection.send_request(request)).await;
        let (head, body) = response.unwrap().into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        self.keep_cookie(&head.headers);
        let field = |name| {
            let value = head.headers.get(name);
            value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        Answer {
            status: head.status,
            node: field("x-anynode-node"),
            location: field("location"),
            age: field("anynode-session-age"),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    fn keep_cookie(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let pair = line.split(';').next().unwrap();
            let is_removed = line.contains("Max-Age=0");
            let kept = (!is_removed).then(|| pair.to_owned());
            match pair.split_once('=').unwrap().0.ends_with("-seen") {
                true => self.seen = kept,
                false => self.cookie = kept,
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    /// What stands after the first `name="` in the body.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        let (_, after) = self.body.split_once(&format!(" {name}=\"")).unwrap();
        after.split_once('"').unwrap().0
    }

    /// The body of an answer that has to be 200 and JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}
