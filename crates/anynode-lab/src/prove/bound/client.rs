//! A client of one node, with an HTTP connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use anynode_core::{Handle, SessionId};
use cookie::Cookie;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Deserialize;

use crate::clock::boot_time;
use crate::history::{Age, Ask, Source, Told};
use crate::wire::Connection;

/// The session's cookie, by the name that the sample application gives it without TLS. The other
/// one, which tells a node what its client wrote, is not sent: others have not heard of it.
const SESSION: &str = "id";

/// How old the knowledge is that an answer was made from.
const AGE: &str = "anynode-session-age";

/// A client of one node.
#[derive(Debug)]
pub(super) struct Client {
    /// The number of the node, from 0.
    pub(super) node: usize,
    address: SocketAddr,
    connection: Option<Connection>,
}

/// A session that somebody logged in to.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) number: u32,
    pub(super) user: String,
    pub(super) handle: Handle,
    /// It opens the session, so it is not shown.
    cookie: String,
}

/// The part of an answer that matters here.
#[derive(Default, Deserialize)]
struct Body {
    user: Option<String>,
    visits: u64,
}

// === impl Client ===

impl Client {
    pub(super) fn new(node: usize, address: SocketAddr) -> Self {
        Self {
            node,
            address,
            connection: None,
        }
    }

    /// Begins a session of this user.
    ///
    /// # Errors
    /// When it is not begun.
    pub(super) async fn log_in(&mut self, user: &str, number: u32) -> Result<Opened, Error> {
        let mut request = self.request(Method::POST, "/login", None);
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = Bytes::from(format!("name={user}"));
        let (_, answer) = self.send(request.body(Full::new(form))?).await?;
        let cookie = session_in(answer.headers());
        let Some(cookie) = cookie.filter(|_| answer.status() == StatusCode::SEE_OTHER) else {
            bail!("a login is answered {}", answer.status());
        };
        let id = SessionId::parse(cookie.as_bytes()).context("a cookie is no session id")?;
        Ok(Opened {
            number,
            user: user.to_owned(),
            handle: id.handle(),
            cookie,
        })
    }

    /// Asks for a session.
    pub(super) async fn ask(&mut self, session: &Opened) -> Ask {
        let request = self.request(Method::GET, "/whoami", Some(session));
        let request = request.body(Full::default());
        let begun = boot_time();
        let answered = match request {
            Ok(request) => self.send(request).await,
            Err(error) => Err(error.into()),
        };
        let (sent, told) = match answered {
            Ok((sent, answer)) => (sent, told(session, &answer)),
            Err(_) => (begun, Told::Unanswered),
        };
        Ask {
            session: session.number,
            node: u8::try_from(self.node).unwrap_or(u8::MAX),
            sent,
            heard: boot_time(),
            told,
        }
    }

    /// Counts one more visit, and answers how many there are.
    ///
    /// # Errors
    /// When it was not counted, as far as is known.
    pub(super) async fn visit(&mut self, session: &Opened) -> Result<u64, Error> {
        let request = self.request(Method::POST, "/visit", Some(session));
        let (_, answer) = self.send(request.body(Full::default())?).await?;
        if answer.status() != StatusCode::OK {
            bail!("a visit is answered {}", answer.status());
        }
        Ok(serde_json::from_slice::<Body>(answer.body())?.visits)
    }

    /// Ends sessions, as this path says.
    ///
    /// # Errors
    /// When that is not acknowledged.
    pub(super) async fn end(&mut self, session: &Opened, path: &str) -> Result<(), Error> {
        let request = self.request(Method::POST, path, Some(session));
        let (_, answer) = self.send(request.body(Full::default())?).await?;
        if answer.status() != StatusCode::SEE_OTHER {
            bail!("a revocation is answered {}", answer.status());
        }
        Ok(())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        session: Option<&Opened>,
    ) -> hyper::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header("sec-fetch-site", "same-origin");
        if let Some(session) = session {
            request = request.header(COOKIE, format!("{SESSION}={}", session.cookie));
        }
        request
    }

    /// The answer, and when the request was about to be sent.
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Duration, Response<Bytes>), Error> {
        let mut connection = self.open().await?;
        let sent = boot_time();
        let answer = connection.send(request).await?;
        self.connection = Some(connection);
        Ok((sent, answer))
    }

    async fn open(&mut self) -> Result<Connection, Error> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_open().await
        {
            return Ok(connection);
        }
        Connection::open(self.address, None).await
    }
}

fn session_in(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(SET_COOKIE).iter();
    let texts = fields.filter_map(|field| field.to_str().ok());
    let mut cookies = texts.filter_map(|text| Cookie::parse(text).ok());
    let session = cookies.find(|cookie| cookie.name() == SESSION)?;
    Some(session.value().to_owned())
}

fn told(session: &Opened, answer: &Response<Bytes>) -> Told {
    if answer.status() != StatusCode::OK {
        return Told::Unavailable;
    }
    let Ok(body) = serde_json::from_slice::<Body>(answer.body()) else {
        return Told::Unavailable;
    };
    match body.user {
        None => Told::Refused,
        Some(user) if user != session.user => Told::Foreign,
        Some(_) => Told::Accepted {
            visits: body.visits,
            age: age_in(answer.headers()),
        },
    }
}

/// How old the knowledge is: `1234; copy`, in microseconds.
fn age_in(headers: &HeaderMap) -> Option<Age> {
    let (micros, from) = headers.get(AGE)?.to_str().ok()?.split_once("; ")?;
    let from = match from {
        "copy" => Source::Copy,
        "store" => Source::Store,
        _ => return None,
    };
    let old = Duration::from_micros(micros.parse().ok()?);
    Some(Age { old, from })
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_knowledge_is_read_from_its_header() {
        let age = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AGE, text.parse().unwrap());
            age_in(&headers)
        };
        let copy = Age {
            old: Duration::from_micros(1_234),
            from: Source::Copy,
        };
        assert_eq!(age("1234; copy"), Some(copy));
        assert_eq!(age("0; store").unwrap().from, Source::Store);
        assert_eq!(age("1234"), None);
        assert_eq!(age_in(&HeaderMap::new()), None);
    }
}
