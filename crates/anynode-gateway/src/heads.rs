//! What is refused of a request's head before it is passed on, and of an answer's.

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use crate::forwarded::{Glance, Peer, check_authority};
use crate::refusal::Refusal;

/// Refuses what would make the gateway a tunnel or a mirror.
pub(crate) fn check_method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::CONNECT | Method::TRACE => Err(Refusal::Method),
        _ => Ok(()),
    }
}

/// Refuses a body that is coded more than once.
///
/// What is unclear about lengths the [guard](crate::guard) has refused before.
pub(crate) fn check_transfer_coding(headers: &HeaderMap, glance: Glance) -> Result<(), Refusal> {
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
pub(crate) fn check_target(method: &Method, uri: &Uri, bytes_max: usize) -> Result<(), Refusal> {
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
pub(crate) fn check_answer(response: &Response<Incoming>, glance: Glance) -> Result<(), Refusal> {
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
pub(crate) fn may_bring_more(
    method: &Method,
    response: &Response<Incoming>,
    glance: Glance,
) -> bool {
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
pub(crate) fn host_of(request: &Request<Incoming>, peer: &Peer) -> Result<HeaderValue, Refusal> {
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
