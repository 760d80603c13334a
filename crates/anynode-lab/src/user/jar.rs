//! The cookies of one virtual user, which has only ever heard of one site.

use std::collections::BTreeMap;

use cookie::Cookie;
use hyper::HeaderMap;
use hyper::header::SET_COOKIE;

/// The session's cookie, by the name that the sample application gives it without TLS.
const SESSION: &str = "id";

/// The cookies of one virtual user. Their values open sessions, so `Debug` does not show them.
#[derive(Clone, Default)]
pub(super) struct Jar {
    values: BTreeMap<String, String>,
}

// === impl Jar ===

impl Jar {
    /// Keeps what an answer sets, and drops what it ends.
    pub(super) fn take_in(&mut self, headers: &HeaderMap) {
        let fields = headers.get_all(SET_COOKIE).iter();
        let texts = fields.filter_map(|field| field.to_str().ok());
        for cookie in texts.filter_map(|text| Cookie::parse(text).ok()) {
            let is_ended = cookie.max_age().is_some_and(|age| age.whole_seconds() <= 0);
            if is_ended {
                self.values.remove(cookie.name());
            } else {
                self.values
                    .insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    /// Drops the cookie of a session that was refused, so that the next login begins another one
    /// even where the old one still lives on some node.
    pub(super) fn drop_session(&mut self) {
        self.values.remove(SESSION);
    }

    /// The `Cookie` header of the next request; none when there is no cookie.
    pub(super) fn header(&self) -> Option<String> {
        let pairs = self.values.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_in(fields: &[&str]) -> Option<String> {
        let mut jar = Jar::default();
        for field in fields {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, field.parse().unwrap());
            jar.take_in(&headers);
        }
        jar.header()
    }

    #[test]
    fn a_cookie_is_kept_replaced_and_ended() {
        assert_eq!(taken_in(&[]), None);
        assert_eq!(taken_in(&["a=1; Path=/; HttpOnly"]).unwrap(), "a=1");
        assert_eq!(taken_in(&["a=1", "b=2", "a=3"]).unwrap(), "a=3; b=2");
        assert_eq!(taken_in(&["a=1", "a=; Max-Age=0"]), None);
    }

    #[test]
    fn values_are_not_shown() {
        let mut jar = Jar::default();
        jar.values.insert("a".to_owned(), "hunter2".to_owned());
        assert_eq!(format!("{jar:?}"), "[\"a\"]");
    }
}
