//! What the session adds to the head of a response.

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{self, Entry},
};

use super::{GuardedBody, SessionBody, guard};
use crate::{
    config::{AgeHeader, ClearSiteData, Config},
    cookie::CookieConfig,
    csrf,
    error::SessionError,
    session::{CookieChange, Head, Phase, Session, Usage},
};

static CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
static SESSION_AGE: HeaderName = HeaderName::from_static("anynode-session-age");

const NO_STORE: &str = "no-store";

/// The response of a handler once its changes are written, or could not be.
pub(super) fn finish<B>(
    response: Response<B>,
    session: &Session,
    head: Result<Head, SessionError>,
    next: Phase,
) -> Response<B>
where
    B: GuardedBody,
{
    match head {
        Ok(head) => {
            let mut response = guard(response, session, next);
            dress(response.headers_mut(), &session.shared().config, &head);
            tell_version(response.headers_mut(), session, &head);
            tell_age(response.headers_mut(), session);
            response
        }
        Err(error) => {
            tracing::warn!(%error, "a session could not be written; its response was replaced");
            let mut response = answer(error.status(), error.sentence());
            let headers = response.headers_mut();
            dress(headers, &session.shared().config, &session.head());
            no_store(headers);
            response
        }
    }
}

/// A short answer of the layer itself.
pub(super) fn answer<B: GuardedBody>(status: StatusCode, text: &'static str) -> Response<B> {
    let mut response = Response::new(B::from_session(SessionBody::answer(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Tells a browser to empty its jar, so that an oversized one does not lock its owner out.
pub(super) fn clear_cookies<B>(response: &mut Response<B>, cookie: &CookieConfig) {
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie.remove());
    headers.insert(&CLEAR_SITE_DATA, HeaderValue::from_static("\"cookies\""));
}

/// Whether the request is for this very machine.
pub(super) fn is_loopback<R>(request: &Request<R>) -> bool {
    let Some(host) = csrf::host(request) else {
        return false;
    };
    let Ok(authority) = http::uri::Authority::try_from(host) else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The length that the response announces, or that a server is going to announce for it.
pub(super) fn content_length<B: GuardedBody>(response: &Response<B>) -> Option<u64> {
    let Some(length) = response.headers().get(header::CONTENT_LENGTH) else {
        return response.body().size_hint().exact();
    };
    length.to_str().ok()?.parse().ok()
}

fn dress(headers: &mut HeaderMap, config: &Config, head: &Head) {
    if head.usage == Usage::Used {
        vary_by_cookie(headers);
        keep_from_shared_caches(headers);
    }
    let value = match head.cookie {
        CookieChange::Keep => return,
        CookieChange::Set(id) => config.cookie.set(&id),
        CookieChange::Remove => config.cookie.remove(),
        CookieChange::LogOut => {
            if config.clear_site_data == ClearSiteData::Sent {
                let everything = HeaderValue::from_static("\"cache\", \"cookies\", \"storage\"");
                headers.insert(&CLEAR_SITE_DATA, everything);
            }
            config.cookie.remove()
        }
    };
    no_store(headers);
    drop_ours(headers, &config.cookie);
    headers.append(header::SET_COOKIE, value);
}

/// Has the client tell nodes with older copies of what was written.
fn tell_version(headers: &mut HeaderMap, session: &Session, head: &Head) {
    let shared = session.shared();
    let is_over = matches!(head.cookie, CookieChange::Remove | CookieChange::LogOut);
    if let Some(version) = &head.written
        && shared.keeps_copies
        && !is_over
    {
        let value = shared.config.cookie.companion(version);
        headers.append(header::SET_COOKIE, value);
        no_store(headers);
    }
}

/// How old the knowledge is that the request was answered by, if anybody wants to know.
fn tell_age(headers: &mut HeaderMap, session: &Session) {
    if session.shared().config.age_header == AgeHeader::Omitted {
        return;
    }
    let Some(age) = session.staleness() else {
        return;
    };
    let source = match session.tally().is_from_copy() {
        true => "copy",
        false => "store",
    };
    let text = format!("{}; {source}", age.as_micros());
    let value = HeaderValue::try_from(text).expect("digits and a word");
    headers.insert(&SESSION_AGE, value);
}

/// A response must not set one cookie twice (RFC 6265bis section 4.1.1), and ours is right.
fn drop_ours(headers: &mut HeaderMap, cookie: &CookieConfig) {
    let all: Vec<_> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    if !all.iter().any(|value| cookie.is_ours(value)) {
        return;
    }
    headers.remove(header::SET_COOKIE);
    for value in all.into_iter().filter(|value| !cookie.is_ours(value)) {
        headers.append(header::SET_COOKIE, value);
    }
}

fn vary_by_cookie(headers: &mut HeaderMap) {
    let named = |value: &HeaderValue| {
        let mut names = value.as_bytes().split(|byte| *byte == b',');
        names.any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"cookie")
        })
    };
    let cookie = HeaderValue::from_static("Cookie");
    match headers.entry(header::VARY) {
        Entry::Occupied(mut vary) if !vary.iter().any(named) => vary.append(cookie),
        Entry::Occupied(_) => {}
        Entry::Vacant(vary) => drop(vary.insert(cookie)),
    }
}

/// What depends on a session is for its visitor alone. A handler that says `private` or
/// `no-store` keeps its word; anything else would let a shared cache mix visitors up.
fn keep_from_shared_caches(headers: &mut HeaderMap) {
    let is_private = |value: &HeaderValue| {
        let mut directives = value.as_bytes().split(|byte| *byte == b',');
        directives.any(|directive| {
            let directive = directive.trim_ascii();
            directive.eq_ignore_ascii_case(b"private")
                || directive.eq_ignore_ascii_case(b"no-store")
        })
    };
    let no_store = HeaderValue::from_static(NO_STORE);
    match headers.entry(header::CACHE_CONTROL) {
        Entry::Occupied(mut said) if !said.iter().any(is_private) => drop(said.insert(no_store)),
        Entry::Occupied(_) => {}
        Entry::Vacant(said) => drop(said.insert(no_store)),
    }
}

fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
}
