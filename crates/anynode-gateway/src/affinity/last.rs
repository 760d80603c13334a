//! The `Cookie` field that a connection brought last, because browsers bring the same one with every request.
//!
//! Verifying a cookie and taking it out of the others costs more than everything else that the gateway does
//! to a request. What is the same byte for byte needs neither.

use std::fmt;
use std::sync::{Mutex, MutexGuard};

use anynode_core::balance::{AffinityCookies, Lookup, Pin};
use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::{only_cookies, replace_cookies};

/// The most bytes of a field that is remembered; a longer one is looked up each time.
const REMEMBERED_BYTES_MAX: usize = 4 * 1024;

/// The last field of a connection that held a valid affinity cookie.
///
/// It is of one gateway, whose keys do not change while it runs.
#[derive(Debug, Default)]
pub(crate) struct LastCookie {
    known: Mutex<Option<Known>>,
}

/// A field, and what was found in it.
pub(super) struct Known {
    pub(super) before: HeaderValue,
    pub(super) pin: Pin,
    /// What is left of the field, `None` if it is nothing.
    pub(super) after: Option<HeaderValue>,
}

/// Copies a field that is to be kept, because the field itself holds the whole buffer it was read into.
pub(super) fn copy(field: &HeaderValue) -> Option<HeaderValue> {
    let bytes = field.as_bytes();
    if bytes.len() > REMEMBERED_BYTES_MAX {
        return None;
    }
    HeaderValue::from_bytes(bytes).ok()
}

// === impl LastCookie ===

impl LastCookie {
    /// Does to the request what was done to the last one, if its `Cookie` field is the same and still counts.
    pub(super) fn take_out_again(
        &self,
        headers: &mut HeaderMap,
        cookies: &AffinityCookies,
        now: u64,
    ) -> Option<Lookup> {
        let known = self.known();
        let known = known.as_ref()?;
        if only_cookies(headers)? != known.before {
            return None;
        }
        let lookup = cookies.judge_again(known.pin, now);
        if matches!(lookup, Lookup::Valid(_)) {
            replace_cookies(headers, known.after.clone());
            return Some(lookup);
        }
        None
    }

    pub(super) fn keep(&self, known: Known) {
        *self.known() = Some(known);
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().expect("no holder of a cookie panics")
    }
}

// === impl Known ===

impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Known").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::time::Duration;

    use anynode_core::balance::{BackendId, CookieAffinity, Incarnation, KeyRing, Pool, Rules};
    use hyper::header::COOKIE;

    use super::super::take_out;
    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// The cookies of a gateway, and one of them.
    fn cookies() -> (AffinityCookies, String) {
        let key = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let rules = CookieAffinity::new(KeyRing::new([(1, key)]).unwrap());
        let cookies = AffinityCookies::new(&rules).unwrap();
        let mut pool = Pool::new(Rules::default());
        let (id, incarnation) = (BackendId::of("a"), Incarnation::new(7));
        pool.insert(id, incarnation, NonZeroU16::MIN).unwrap();
        let choice = pool.choose(&[], Duration::ZERO).unwrap();
        let set = cookies.issue(None, choice, NOW).unwrap();
        (cookies, set.split(';').next().unwrap().to_owned())
    }

    fn request(fields: &[&str]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|field| (COOKIE, HeaderValue::from_str(field).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn the_same_field_again_is_taken_out_as_before_and_another_one_is_looked_up() {
        let (cookies, ours) = cookies();
        let last = LastCookie::default();
        for rest in [&["a=1"][..], &[]] {
            let field = [rest, &[ours.as_str()]].concat().join("; ");
            let (mut first, mut second) = (request(&[&field]), request(&[&field]));
            assert_eq!(last.take_out_again(&mut second, &cookies, NOW), None);
            let lookup = take_out(&mut first, &cookies, NOW, &last);
            let again = last.take_out_again(&mut second, &cookies, NOW + 1);
            assert_eq!(again, Some(lookup));
            assert_eq!([&first, &second], [&request(rest); 2]);
            for other in [
                &[format!("{field}; b=2").as_str()][..],
                &[&field, "b=2"],
                &[&field.replace('=', "=x")],
                &[],
            ] {
                let mut other = request(other);
                assert_eq!(last.take_out_again(&mut other, &cookies, NOW), None);
            }
        }
    }

    #[test]
    fn what_was_remembered_expires_like_what_is_looked_up() {
        let (cookies, ours) = cookies();
        let last = LastCookie::default();
        let _ = take_out(&mut request(&[&ours]), &cookies, NOW, &last);
        let day_later = NOW + 24 * 60 * 60;
        for (now, counts) in [(day_later - 1, true), (day_later, false)] {
            let again = last.take_out_again(&mut request(&[&ours]), &cookies, now);
            assert_eq!(again.is_some(), counts);
        }
    }
}
