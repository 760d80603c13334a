//! One request, from the client's head to the backend's answer.

use std::mem;
use std::sync::Arc;

use anynode_core::balance::AddressPrefix;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

use crate::backends::Backends;
use crate::body::{AnswerBody, RequestBody, Silence};
use crate::config::{AfterSilence, Limits};
use crate::forwarded::{self, Client, Glance, Peer, check_authority};
use crate::lazy_timer::LazyTimer;
use crate::upgrade;
use crate::upstream::{Lease, Outcome, Upstream, Via};
use crate::worker::OpenConnection;

/// What every connection of one worker shares.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) backends: Backends,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) after_silence: AfterSilence,
    pub(crate) trusted_proxies: Arc<[AddressPrefix]>,
    pub(crate) limits: Limits,
}

/// Why a request is answered by the gateway itself.
///
/// The texts name no backend and no address: clients learn nothing of what is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// No host, more than one, or one that is no authority.
    BadHost,
    /// A target that is neither a path nor a URL.
    BadTarget,
    /// A target longer than the limit.
    TargetTooLong,
    /// A method that would make the gateway a tunnel or a mirror.
    Method,
    /// A transfer coding besides `chunked`, which the gateway could only pass on undecoded and unnamed.
    TransferCoding,
    /// A body that is not what its head or its chunks say.
    BadBody,
    /// The request's body stopped coming.
    ClientTimedOut,
    /// No backend could be reached; nothing was sent.
    NoBackend,
    /// The request was sent and may have been run, but there is no answer to pass.
    NoAnswer,
    /// The request was sent and may still be running.
    BackendTimedOut,
}

// === impl Proxy ===

impl Proxy {
    /// Answers one request, by a backend if one can be reached.
    pub(crate) async fn answer(
        &self,
        peer: &Peer,
        open: &Arc<OpenConnection>,
        request: Request<Incoming>,
    ) -> Response<AnswerBody> {
        match self.pass(peer, open, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn pass(
        &self,
        peer: &Peer,
        open: &Arc<OpenConnection>,
        mut request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        check_method(request.method())?;
        let glance = Glance::at(request.headers());
        check_transfer_coding(request.headers(), glance)?;
        check_target(
            request.method(),
            request.uri(),
            self.limits.target_bytes_max,
        )?;
        let host = host_of(&request, peer)?;
        let client = Client::of(request.headers(), peer.address(), &self.trusted_proxies);
        let websocket = if glance.hop_by_hop {
            upgrade::asked_for(&mut request)
        } else {
            None
        };

        to_origin_form(&mut request, &host);
        forwarded::prepare_request(request.headers_mut(), glance, &client, peer, &host);
        let silence_timeout = self.limits.silence_timeout;
        *request.version_mut() = Version::HTTP_11;
        request.extensions_mut().clear();
        let mut request = request.map(|body| RequestBody::new(body, silence_timeout));
        if websocket.is_some() {
            upgrade::mark(request.headers_mut());
        }
        let method = request.method().clone();
        let (mut response, lease) = self.forward(request, &open.answer_timer).await?;
        let glance = Glance::at(response.headers());
        if let Err(refusal) = check_answer(&response, glance) {
            if cfg!(planted = "reused_after_doubt") {
                lease.give_back();
            }
            // Without its lease the connection is closed: who knows what else comes over it.
            return Err(refusal);
        }

        let lease = (!may_bring_more(&method, &response, glance)).then_some(lease);
        let is_websocket = glance.hop_by_hop && upgrade::is_websocket(response.headers());
        forwarded::strip_hop_by_hop(response.headers_mut(), glance);
        *response.version_mut() = Version::HTTP_11;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response.map(|body| AnswerBody::Backend {
                body,
                lease,
                silence: Silence::new(silence_timeout),
            }));
        }
        let client_side = websocket
            .filter(|_| is_websocket)
            .ok_or(Refusal::NoAnswer)?;
        upgrade::tunnel(
            client_side,
            &mut response,
            Arc::clone(open),
            silence_timeout,
        );
        upgrade::mark(response.headers_mut());
        Ok(response.map(|_| AnswerBody::Text(None)))
    }

    /// Sends the request to one backend after the other until one has it.
    ///
    /// Another backend is tried only when nothing was sent, each at most once.
    /// The one exception is [`AfterSilence::RetrySafeOnce`].
    async fn forward(
        &self,
        mut request: Request<RequestBody>,
        timer: &LazyTimer,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let mut unreachable = Vec::new();
        let mut spare = self.spare(&request);
        let mut via = match spare {
            Some(_) => Via::Idle,
            None => Via::IdleAfterCheck,
        };
        loop {
            let target = self
                .backends
                .choose(&unreachable)
                .ok_or(Refusal::NoBackend)?;
            match self.upstream.attempt(target, request, via, timer).await {
                Outcome::Answered(response, lease) => return Ok((response, lease)),
                Outcome::NotSent(back) => {
                    unreachable.push(target.choice.backend());
                    request = back;
                }
                Outcome::Silence => {
                    request = spare.take().ok_or(Refusal::NoAnswer)?;
                    // The other idle connections may be as dead as this one was.
                    via = Via::New;
                }
                Outcome::BadBody => return Err(Refusal::BadBody),
                Outcome::Failed => return Err(Refusal::NoAnswer),
                Outcome::BackendTimedOut => return Err(Refusal::BackendTimedOut),
                Outcome::ClientTimedOut => return Err(Refusal::ClientTimedOut),
            }
        }
    }

    /// A copy of a request that may be sent twice.
    fn spare(&self, request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
        let is_safe = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        let is_empty = matches!(request.body(), RequestBody::Empty);
        if self.after_silence == AfterSilence::Fail || !is_safe || !is_empty {
            return None;
        }
        let mut spare = Request::new(RequestBody::Empty);
        spare.method_mut().clone_from(request.method());
        spare.uri_mut().clone_from(request.uri());
        spare.headers_mut().clone_from(request.headers());
        Some(spare)
    }
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::CONNECT | Method::TRACE => Err(Refusal::Method),
        _ => Ok(()),
    }
}

/// Refuses a body that is coded more than once.
///
/// What is unclear about lengths the [guard](crate::guard) has refused before.
fn check_transfer_coding(headers: &HeaderMap, glance: Glance) -> Result<(), Refusal> {
    if !glance.hop_by_hop {
        return Ok(());
    }
    match only(headers, &TRANSFER_ENCODING) {
        None => Ok(()),
        Some(Ok(only)) if only.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::TransferCoding),
    }
}

/// Refuses a target that is too long or none of those a request may have (RFC 9112, 3.2).
fn check_target(method: &Method, uri: &Uri, bytes_max: usize) -> Result<(), Refusal> {
    let authority = uri
        .authority()
        .map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    if authority + path.len() > bytes_max {
        return Err(Refusal::TargetTooLong);
    }
    match (uri.scheme_str(), uri.authority()) {
        (None, None) if path.starts_with('/') => Ok(()),
        (None, None) if path == "*" && *method == Method::OPTIONS => Ok(()),
        (Some("http" | "https"), Some(_)) => Ok(()),
        _ => Err(Refusal::BadTarget),
    }
}

/// Refuses an answer of which two readers could see different ends.
fn check_answer(response: &Response<Incoming>, glance: Glance) -> Result<(), Refusal> {
    let length = only(response.headers(), &CONTENT_LENGTH);
    let coding = if glance.hop_by_hop {
        only(response.headers(), &TRANSFER_ENCODING)
    } else {
        None
    };
    let is_length = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match (length, coding) {
        (None, None) => Ok(()),
        (Some(Ok(length)), None) if is_length(length) => Ok(()),
        (None, Some(Ok(coding))) if coding.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::NoAnswer),
    }
}

/// Tells whether a body may follow where none belongs, which would be taken for the next answer.
///
/// Python's own server answers HEAD like GET if its handler does, and writes the body after the head.
fn may_bring_more(method: &Method, response: &Response<Incoming>, glance: Glance) -> bool {
    let has_none = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    let length = response.headers().get(CONTENT_LENGTH);
    let says_body = length.is_some_and(|length| length != "0")
        || glance.hop_by_hop && response.headers().contains_key(TRANSFER_ENCODING);
    *method == Method::HEAD || has_none && says_body
}

/// A field occurs more than once.
struct Repeated;

/// Returns the one value of a field.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Result<&'a [u8], Repeated>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    Some(values.next().map_or(Ok(first), |_| Err(Repeated)))
}

/// Returns the one authority the request is for; that of an absolute target wins (RFC 9112, 3.2.2).
fn host_of(request: &Request<Incoming>, peer: &Peer) -> Result<HeaderValue, Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refusal::BadHost);
    };
    if let Some(authority) = request.uri().authority() {
        check_authority(authority).ok_or(Refusal::BadHost)?;
        return HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadHost);
    }
    if !peer.asked_before(host) {
        let authority = Authority::try_from(host.as_bytes()).map_err(|_| Refusal::BadHost)?;
        check_authority(&authority).ok_or(Refusal::BadHost)?;
    }
    Ok(host.clone())
}

/// Leaves of a target what a server expects, path and query, and names its host in the head.
fn to_origin_form(request: &mut Request<Incoming>, host: &HeaderValue) {
    if request.uri().authority().is_none() {
        return;
    }
    let uri = mem::take(request.uri_mut());
    let path = uri.into_parts().path_and_query;
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request.headers_mut().insert(HOST, host.clone());
}

// === impl Refusal ===

impl Refusal {
    fn into_response(self) -> Response<AnswerBody> {
        let (status, text) = match self {
            Self::BadHost => (StatusCode::BAD_REQUEST, "the request names no valid host\n"),
            Self::BadTarget => (
                StatusCode::BAD_REQUEST,
                "the request's target is neither a path nor a URL\n",
            ),
            Self::TargetTooLong => (
                StatusCode::URI_TOO_LONG,
                "the request's target is too long\n",
            ),
            Self::Method => (StatusCode::NOT_IMPLEMENTED, "this method is not served\n"),
            Self::TransferCoding => (
                StatusCode::NOT_IMPLEMENTED,
                "no transfer coding but chunked is understood\n",
            ),
            Self::BadBody => (
                StatusCode::BAD_REQUEST,
                "the request's body cannot be read\n",
            ),
            Self::ClientTimedOut => (StatusCode::REQUEST_TIMEOUT, "the request did not arrive\n"),
            Self::NoBackend => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no server is available, try again in a moment\n",
            ),
            Self::NoAnswer => (
                StatusCode::BAD_GATEWAY,
                "the server did not answer, the request may have been carried out\n",
            ),
            Self::BackendTimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "the server did not answer in time, the request may have been carried out\n",
            ),
        };
        let mut response = Response::new(AnswerBody::text(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        match self {
            Self::NoBackend => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::NoAnswer => {}
            // What is in doubt about this request is in doubt about what comes after it.
            _ => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }
}
