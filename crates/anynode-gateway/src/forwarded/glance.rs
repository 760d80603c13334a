//! One look at the names of a head, which tells which of the rare fields it holds.
//!
//! Most heads hold none of them. A lookup by name costs a hash, and without the glance every
//! message would cost two dozen.

use hyper::HeaderMap;
use hyper::header::HeaderName;

use super::{is_claim, is_reserved};

/// Which kinds of fields a head holds that are not simply passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    /// A field about one connection, `Connection` and `Transfer-Encoding` among them.
    pub(crate) hop_by_hop: bool,
    /// A field that says who the client is, or that only the gateway writes.
    pub(super) claim: bool,
    /// `Expect`.
    pub(super) expect: bool,
}

// === impl Glance ===

impl Glance {
    pub(crate) fn at(headers: &HeaderMap) -> Self {
        let mut glance = Self::default();
        for name in headers.keys() {
            glance.hop_by_hop |= is_hop_by_hop(name);
            glance.claim |= is_claim(name.as_str()) || is_reserved(name.as_str());
            glance.expect |= name.as_str() == "expect";
        }
        glance
    }
}

/// Tells whether a field is about one connection, whether `Connection` names it or not.
///
/// Text, because the compiler makes of it one comparison of the length and seldom a second one.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}
