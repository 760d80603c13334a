//! Affinity at the edge: the cookie out of the request, the next one into the response.
//!
//! What a cookie means, and where its request goes, is decided in [`anynode_core::balance`].

mod last;

use std::net::IpAddr;

use anynode_core::balance::{
    AffinityCookies, Choice, CookieRulesError, Lookup, Source, SourceAffinity, WhenGone,
    without_cookie,
};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, COOKIE, HeaderName, HeaderValue, SET_COOKIE};

use self::last::Known;
pub(crate) use self::last::LastCookie;
use crate::clock::unix_seconds;
use crate::config;

/// The fields besides `Cache-Control` that tell a cache what to keep, and override it (RFC 9213).
const CACHE_CONTROL_OF_CDNS: [HeaderName; 2] = [
    HeaderName::from_static("cdn-cache-control"),
    HeaderName::from_static("surrogate-control"),
];

/// What keeps a client on one backend, ready for use.
#[derive(Debug)]
pub(crate) enum Affinity {
    None,
    Cookie {
        cookies: AffinityCookies,
        when_gone: WhenGone,
    },
    Source(SourceAffinity),
}

/// The backend that a request claims to belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    /// None in particular.
    None,
    /// That of its client's address.
    Source(Source),
    /// That of its cookie, as far as it can be believed.
    Cookie {
        lookup: Lookup,
        when_gone: WhenGone,
        /// When it was looked up, in seconds since 1970.
        now: u64,
    },
}

// === impl Affinity ===

impl Affinity {
    pub(crate) fn new(config: &config::Affinity) -> Result<Self, CookieRulesError> {
        Ok(match config {
            config::Affinity::None => Self::None,
            config::Affinity::Cookie(rules) => Self::Cookie {
                cookies: AffinityCookies::new(rules)?,
                when_gone: rules.when_gone,
            },
            config::Affinity::Source(rules) => Self::Source(*rules),
        })
    }

    /// Reads what a request claims, and takes it out: no application ever sees an affinity cookie.
    ///
    /// `last` is of the request's connection.
    pub(crate) fn claim(
        &self,
        headers: &mut HeaderMap,
        client: IpAddr,
        last: &LastCookie,
    ) -> Claim {
        match self {
            Self::None => Claim::None,
            Self::Source(rules) => Claim::Source(Source::of(client, *rules)),
            Self::Cookie { cookies, when_gone } => {
                let now = unix_seconds();
                let lookup = last
                    .take_out_again(headers, cookies, now)
                    .unwrap_or_else(|| take_out(headers, cookies, now, last));
                Claim::Cookie {
                    lookup,
                    when_gone: *when_gone,
                    now,
                }
            }
        }
    }

    /// Gives the client its cookie for the backend that answered, if it needs one.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, claim: Claim, choice: Choice) {
        let Self::Cookie { cookies, .. } = self else {
            return;
        };
        let Claim::Cookie { lookup, now, .. } = claim else {
            return;
        };
        let Some(cookie) = cookies.issue(lookup.pin(), choice, now) else {
            return;
        };
        let cookie = HeaderValue::try_from(cookie).expect("a cookie is visible ASCII");
        headers.append(SET_COOKIE, cookie);
        keep_from_shared_caches(headers);
    }
}

// === impl Claim ===

impl Claim {
    /// Tells whether the client would rather wait than change its backend.
    pub(crate) fn is_strict(&self) -> bool {
        match self {
            Self::Cookie { when_gone, .. } => *when_gone == WhenGone::Refuse,
            Self::None | Self::Source(_) => false,
        }
    }
}

fn take_out(
    headers: &mut HeaderMap,
    cookies: &AffinityCookies,
    now: u64,
    last: &LastCookie,
) -> Lookup {
    let fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let lookup = cookies.look_up(fields, now);
    if lookup == Lookup::Absent || anynode_core::planted("affinity_cookie_passed_on") {
        return lookup;
    }
    let before = only_cookies(headers).and_then(last::copy);
    strip(headers, cookies.name());
    if let (Some(before), Lookup::Valid(pin)) = (before, lookup) {
        let after = headers.get(COOKIE).cloned();
        last.keep(Known { before, pin, after });
    }
    lookup
}

/// Takes the cookies of this name out of all `Cookie` fields, and out the fields that held nothing else.
fn strip(headers: &mut HeaderMap, name: &str) {
    if let Some(only) = only_cookies(headers) {
        let rest = without(only, name);
        return replace_cookies(headers, rest);
    }
    let rest: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| without(field, name))
        .collect();
    headers.remove(COOKIE);
    for field in rest {
        headers.append(COOKIE, field);
    }
}

/// The `Cookie` field, if there is one and no second one.
fn only_cookies(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut fields = headers.get_all(COOKIE).iter();
    fields.next().filter(|_| fields.next().is_none())
}

fn replace_cookies(headers: &mut HeaderMap, field: Option<HeaderValue>) {
    match field {
        Some(field) => drop(headers.insert(COOKIE, field)),
        None => drop(headers.remove(COOKIE)),
    }
}

/// What is left of a field, `None` if it is nothing.
fn without(field: &HeaderValue, name: &str) -> Option<HeaderValue> {
    let Some(rest) = without_cookie(field.as_bytes(), name) else {
        return Some(field.clone());
    };
    if rest.is_empty() {
        return None;
    }
    let rest = HeaderValue::from_maybe_shared(Bytes::from(rest));
    Some(rest.expect("it is a part of a field's value"))
}

/// Keeps a response with one client's cookie out of caches that serve others too.
///
/// `Set-Cookie` alone does not (RFC 9111, 7.3).
fn keep_from_shared_caches(headers: &mut HeaderMap) {
    for name in CACHE_CONTROL_OF_CDNS {
        headers.remove(name);
    }
    let mut kept = Vec::new();
    let fields = headers.get_all(CACHE_CONTROL).iter();
    for directive in fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b',')) {
        let directive = directive.trim_ascii();
        let name = directive.split(|byte| *byte == b'=').next();
        let name = name.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        match name.as_slice() {
            b"no-store" => return,
            // `private="field"` is about that field only, so it goes as well.
            b"" | b"public" | b"s-maxage" | b"private" => {}
            _ => kept.push(directive),
        }
    }
    kept.push(b"private");
    let value = HeaderValue::from_bytes(&kept.join(&b", "[..]));
    let value = value.unwrap_or(HeaderValue::from_static("private"));
    headers.insert(CACHE_CONTROL, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn our_cookie_is_taken_out_of_every_field_and_an_empty_field_with_it() {
        for (before, after) in [
            (&["aff=1"][..], &[][..]),
            (&["a=1; aff=1"], &["a=1"]),
            (&["aff=1", "a=1"], &["a=1"]),
            (&["a=1; aff=1", "b=2", "aff=2"], &["a=1", "b=2"]),
        ] {
            let mut headers = headers(COOKIE, before);
            strip(&mut headers, "aff");
            let left: Vec<_> = headers.get_all(COOKIE).iter().collect();
            assert_eq!(left, after, "{before:?}");
        }
    }

    #[test]
    fn a_response_with_a_cookie_is_for_its_client_alone() {
        for (before, after) in [
            (&[][..], "private"),
            (&["max-age=60"], "max-age=60, private"),
            (&["public, s-maxage=9, max-age=60"], "max-age=60, private"),
            (&["Public", "no-cache"], "no-cache, private"),
            (&["private"], "private"),
            (&["no-store"], "no-store"),
        ] {
            let mut headers = headers(CACHE_CONTROL, before);
            headers.insert("cdn-cache-control", HeaderValue::from_static("max-age=9"));
            keep_from_shared_caches(&mut headers);
            let left: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
            assert_eq!(left, [after], "{before:?}");
            assert!(!headers.contains_key("cdn-cache-control"));
        }
    }
}
