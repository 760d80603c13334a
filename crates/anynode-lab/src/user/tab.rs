//! One connection of a virtual user, opened again when it was closed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST};
use hyper::{HeaderMap, Method, Request};

use super::answer::Answer;
use crate::clock::boot_time;
use crate::history::{Kind, Outcome, name_of};
use crate::wire::Connection;

/// A connection idle for longer is not used again: the gateway may be closing it.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// One connection of a virtual user.
#[derive(Debug)]
pub(super) struct Tab {
    gateway: SocketAddr,
    from: Ipv4Addr,
    connection: Option<Connection>,
    used: Duration,
}

/// What to ask for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) user: u32,
    pub(super) kind: Kind,
    pub(super) cookies: Option<String>,
}

/// What came of it, and when it was invoked and known.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) invoked: Duration,
    pub(super) ended: Duration,
    pub(super) answer: Answer,
    pub(super) headers: HeaderMap,
}

// === impl Tab ===

impl Tab {
    pub(super) fn new(gateway: SocketAddr, from: Ipv4Addr) -> Self {
        Self {
            gateway,
            from,
            connection: None,
            used: Duration::ZERO,
        }
    }

    /// Goes on from another address, which no open connection can.
    pub(super) fn move_to(&mut self, from: Ipv4Addr) {
        if self.from != from {
            self.from = from;
            self.connection = None;
        }
    }

    /// Asks once; nothing is repeated, so that nothing that fails is hidden.
    pub(super) async fn ask(&mut self, ask: Ask) -> Heard {
        let invoked = boot_time();
        let request = request(&self.gateway, &ask);
        let response = match self.open().await {
            Ok(mut connection) => {
                let response = connection.send(request).await;
                if response.is_ok() {
                    self.connection = Some(connection);
                }
                response.map_err(|_| Outcome::Unknown)
            }
            Err(_) => Err(Outcome::Failed),
        };
        let ended = boot_time();
        self.used = ended;
        let (answer, headers) = match response {
            Ok(response) => (
                Answer::read(ask.kind, &response),
                response.headers().clone(),
            ),
            Err(outcome) => (Answer::missing(outcome), HeaderMap::new()),
        };
        Heard {
            invoked,
            ended,
            answer,
            headers,
        }
    }

    async fn open(&mut self) -> Result<Connection, anyhow::Error> {
        let is_fresh = boot_time().saturating_sub(self.used) < IDLE_MAX;
        if let Some(mut connection) = self.connection.take()
            && is_fresh
            && connection.is_open().await
        {
            return Ok(connection);
        }
        Connection::open(self.gateway, Some(self.from)).await
    }
}

/// What a browser would send.
fn request(gateway: &SocketAddr, ask: &Ask) -> Request<Full<Bytes>> {
    let (method, path, form) = match ask.kind {
        Kind::Login => (
            Method::POST,
            "/login",
            format!("name={}", name_of(ask.user)),
        ),
        Kind::Visit => (Method::POST, "/visit", String::new()),
        Kind::WhoAmI => (Method::GET, "/whoami", String::new()),
        Kind::Cart => (Method::POST, "/cart", "item=apples".to_owned()),
        Kind::Logout => (Method::POST, "/logout", String::new()),
        Kind::LogoutEverywhere => (Method::POST, "/logout-everywhere", String::new()),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, gateway.to_string())
        .header("sec-fetch-site", "same-origin");
    if !form.is_empty() {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    if let Some(cookies) = &ask.cookies {
        request = request.header(COOKIE, cookies);
    }
    request
        .body(Full::new(form.into()))
        .expect("its parts are in order")
}
