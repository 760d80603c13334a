//! The session cookie: read byte by byte, written with every attribute that protects it.

use std::time::Duration;

use anynode_core::{SessionId, Version};
use http::{HeaderMap, HeaderValue, header};
use memchr::memchr;

use crate::companion;

/// Name and attributes of the session cookie.
///
/// The default is `__Host-id=…; Path=/; Secure; HttpOnly; SameSite=Lax` without `Max-Age`:
/// browsers accept a `__Host-` cookie only over TLS (or from localhost), only for one host, so
/// no sibling domain can plant one (RFC 6265bis section 4.1.3.2), and forget it when they are
/// closed. `SameSite=Lax` lets a link from elsewhere find its reader logged in.
///
/// ```
/// # use anynode::{CookieConfig, SameSite};
/// let cookie = CookieConfig::new("__Host-shop")?.with_same_site(SameSite::Strict);
/// # Ok::<_, anynode::CookieError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieConfig {
    name: String,
    same_site: SameSite,
    transport: Transport,
    domain: Option<String>,
    path: String,
    max_age: Option<Duration>,
}

/// When a browser sends the cookie along with requests that other sites cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Never, not even when a link is followed.
    Strict,
    /// When a link is followed; not with forms, images or scripts of other sites.
    #[default]
    Lax,
    /// Always: for applications that are embedded elsewhere. The defence against cross-site
    /// request forgery then rests on the checks of this layer alone.
    None,
}

/// Over what the cookie may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TLS, and localhost where browsers count that as safe.
    Secure,
    /// Plain HTTP to a loopback address, for development.
    Loopback,
}

/// A cookie cannot be configured like this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token of RFC 9110.
    Name,
    /// Domain or path contains a character that would end the attribute.
    Attribute,
    /// A `__Host-` name was combined with another path than `/`, a domain, or plain HTTP.
    HostPrefix,
    /// A `__Secure-` name was combined with plain HTTP.
    SecurePrefix,
    /// Name and value together exceed 4,096 bytes, or an attribute exceeds 1,024
    /// (RFC 6265bis section 5.6).
    TooLong,
    /// Browsers cut a `Max-Age` of more than 400 days (RFC 6265bis section 5.5).
    MaxAge,
}

/// What a request's headers say, as far as its session is concerned.
#[derive(Default)]
pub(crate) struct Glance {
    pub(crate) presented: Presented,
    /// The latest version that a companion of the cookie tells of.
    pub(crate) seen: Option<Version>,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) upgrade: Upgrade,
}

/// Whether the request asks to become something else than HTTP.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// To nothing that a session cares about.
    #[default]
    Other,
    WebSocket,
}

/// What the request's cookies say.
#[derive(Clone, Copy, Default)]
pub(crate) enum Presented {
    /// No cookie of our name.
    #[default]
    Nothing,
    /// One that cannot be an id, being too long or too short.
    Malformed,
    /// One that may be a session id.
    Candidate(Candidate),
    /// More than one of our name: somebody planted one, and nobody can tell which.
    Ambiguous,
    /// More bytes of cookies than are looked at.
    TooLarge,
}

/// Text of the length of a session id. It becomes an id when the session is used; most
/// requests of a page do not use theirs.
#[derive(Clone, Copy)]
pub(crate) struct Candidate([u8; SessionId::LENGTH]);

/// The most bytes of `Cookie` headers that are looked at: beyond it the request is refused.
pub(crate) const COOKIE_BYTES_MAX: usize = 16 * 1024;

const MAX_AGE_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

// === impl CookieConfig ===

impl CookieConfig {
    /// A cookie of this name with the default attributes.
    ///
    /// # Errors
    /// [`CookieError::Name`] when the name is not a token.
    pub fn new(name: impl Into<String>) -> Result<Self, CookieError> {
        let cookie = Self {
            name: name.into(),
            ..Self::default()
        };
        cookie.checked()
    }

    /// Sends the cookie along with other sites' requests as `same_site` says. Default: Lax.
    #[must_use]
    pub fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps the cookie when the browser is closed, for `max_age`. Default: not, because who
    /// holds the machine next should not hold the session (NIST SP 800-63B section 5.1).
    ///
    /// # Errors
    /// [`CookieError::MaxAge`] beyond 400 days.
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, CookieError> {
        self.max_age = Some(max_age);
        self.checked()
    }

    /// Sends the cookie to `domain` and everything below it. Default: to the host that set it
    /// and no other. Needs a name without `__Host-`.
    ///
    /// # Errors
    /// [`CookieError`] when the domain cannot stand in the header or the name forbids it.
    pub fn with_domain(mut self, domain: impl Into<String>) -> Result<Self, CookieError> {
        self.domain = Some(domain.into());
        self.checked()
    }

    /// Sends the cookie for paths below `path`. Default: `/`. Needs a name without `__Host-`.
    ///
    /// # Errors
    /// [`CookieError`] when the path cannot stand in the header or the name forbids it.
    pub fn with_path(mut self, path: impl Into<String>) -> Result<Self, CookieError> {
        self.path = path.into();
        self.checked()
    }

    /// A cookie named `id` that also travels over plain HTTP, for development on this machine.
    ///
    /// The layer warns when it starts, and refuses every request whose `Host` is not a
    /// loopback address or localhost, so that it cannot reach production unnoticed.
    pub fn insecure_loopback() -> Self {
        Self {
            name: "id".to_owned(),
            transport: Transport::Loopback,
            ..Self::default()
        }
    }

    /// Another name, for an application beside another on one host. Default: `__Host-id`, or
    /// `id` on loopback.
    ///
    /// # Errors
    /// [`CookieError`] when the name is not a token or promises what the attributes do not keep.
    pub fn with_name(mut self, name: impl Into<String>) -> Result<Self, CookieError> {
        self.name = name.into();
        self.checked()
    }

    /// The name of the cookie.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// Looks once through the headers of a request for all that a session wants of them, and
    /// has whoever prints them leave its cookies out.
    ///
    /// Cookies are read as bytes, because everything cleverer has been used to smuggle one past
    /// a name prefix: only space and tab are trimmed, names are compared exactly, nothing is
    /// decoded or unquoted, and a pair without a name has none.
    pub(crate) fn glance(&self, headers: &mut HeaderMap) -> Glance {
        let mut glance = Glance::default();
        let mut bytes = 0;
        for (name, value) in headers.iter_mut() {
            if name == header::COOKIE {
                bytes += value.len();
                if bytes > COOKIE_BYTES_MAX {
                    glance.presented = Presented::TooLarge;
                    return glance;
                }
                self.read(value.as_bytes(), &mut glance);
                value.set_sensitive(!anynode_core::planted("cookie_in_logs"));
            } else if name == header::USER_AGENT {
                glance.user_agent = Some(value.clone());
            } else if name == header::UPGRADE && names_websocket(value.as_bytes()) {
                glance.upgrade = Upgrade::WebSocket;
            }
        }
        glance
    }

    /// Notes what one more line of cookies says.
    fn read(&self, line: &[u8], glance: &mut Glance) {
        for pair in pairs(line) {
            if let Some(value) = self.value(pair) {
                glance.presented = match glance.presented {
                    Presented::Nothing => parse(value),
                    _ if anynode_core::planted("last_of_two_cookies") => parse(value),
                    _ => Presented::Ambiguous,
                };
            } else if let Some(version) = companion::seen(pair, &self.name) {
                let latest = glance.seen.filter(|seen| seen.counter > version.counter);
                glance.seen = Some(latest.unwrap_or(version));
            }
        }
    }

    /// The value of a pair that bears our name. A name has neither `=` nor blanks in it, so that
    /// what begins with it and goes on with `=` is named so.
    fn value<'a>(&self, pair: &'a [u8]) -> Option<&'a [u8]> {
        let rest = trim_start(pair).strip_prefix(self.name.as_bytes())?;
        trim_start(rest).strip_prefix(b"=").map(trim)
    }

    /// The `Set-Cookie` header that hands `id` to its owner.
    pub(crate) fn set(&self, id: &SessionId) -> HeaderValue {
        let mut text = format!("{}={}", self.name, id.expose());
        if let Some(max_age) = self.max_age {
            text.push_str(&format!("; Max-Age={}", max_age.as_secs()));
        }
        self.header(text)
    }

    /// The `Set-Cookie` header that takes the cookie away. It bears the same attributes, or
    /// browsers would keep the cookie.
    pub(crate) fn remove(&self) -> HeaderValue {
        self.header(format!(
            "{}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            self.name
        ))
    }

    /// The `Set-Cookie` header by which a client tells for a while that it has seen `version`.
    pub(crate) fn companion(&self, version: &Version) -> HeaderValue {
        let (value, max_age) = (companion::value(version), companion::MAX_AGE.as_secs());
        self.header(format!("{}-seen={value}; Max-Age={max_age}", self.name))
    }

    /// Whether a `Set-Cookie` header sets the cookie of our name.
    pub(crate) fn is_ours(&self, set_cookie: &HeaderValue) -> bool {
        let pair = set_cookie.as_bytes().split(|byte| *byte == b';').next();
        pair.is_some_and(|pair| self.value(pair).is_some())
    }

    fn header(&self, mut text: String) -> HeaderValue {
        text.push_str("; Path=");
        text.push_str(&self.path);
        if let Some(domain) = &self.domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        text.push_str("; HttpOnly; SameSite=");
        text.push_str(match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        });
        if self.transport == Transport::Secure {
            text.push_str("; Secure");
        }
        let mut value = HeaderValue::from_str(&text).expect("every part was checked");
        // Keeps the id out of anything that prints headers.
        value.set_sensitive(true);
        value
    }

    fn checked(self) -> Result<Self, CookieError> {
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            return Err(CookieError::Name);
        }
        let attributes = [Some(&self.path), self.domain.as_ref()];
        for attribute in attributes.into_iter().flatten() {
            if attribute.is_empty() || !attribute.bytes().all(is_attribute) {
                return Err(CookieError::Attribute);
            }
            if attribute.len() > 1_024 {
                return Err(CookieError::TooLong);
            }
        }
        let secure = self.transport == Transport::Secure;
        if has_prefix(&self.name, "__Host-")
            && (!secure || self.domain.is_some() || self.path != "/")
        {
            return Err(CookieError::HostPrefix);
        }
        if has_prefix(&self.name, "__Secure-") && !secure {
            return Err(CookieError::SecurePrefix);
        }
        if self.name.len() + SessionId::LENGTH > 4_096 {
            return Err(CookieError::TooLong);
        }
        if self.max_age.is_some_and(|max_age| max_age > MAX_AGE_MAX) {
            return Err(CookieError::MaxAge);
        }
        Ok(self)
    }
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "__Host-id".to_owned(),
            same_site: SameSite::default(),
            transport: Transport::Secure,
            domain: None,
            path: "/".to_owned(),
            max_age: None,
        }
    }
}

// === impl Candidate ===

impl Candidate {
    /// The id, if the text is one.
    pub(crate) fn id(&self) -> Option<SessionId> {
        SessionId::parse(&self.0)
    }
}

// === impl CookieError ===

impl std::fmt::Display for CookieError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "a cookie name consists of letters, digits and !#$%&'*+-.^_`|~",
            Self::Attribute => "a domain or path has no control characters, `;` or spaces",
            Self::HostPrefix => "a __Host- cookie needs TLS, the path / and no domain",
            Self::SecurePrefix => "a __Secure- cookie needs TLS",
            Self::TooLong => "a cookie has at most 4096 bytes, an attribute at most 1024",
            Self::MaxAge => "browsers keep a cookie for at most 400 days",
        })
    }
}

impl std::error::Error for CookieError {}

/// The parts of a `Cookie` header between semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let Some(end) = memchr(b';', line) else {
            rest = None;
            return Some(line);
        };
        rest = Some(&line[end + 1..]);
        Some(&line[..end])
    })
}

fn names_websocket(upgrade: &[u8]) -> bool {
    let mut tokens = upgrade.split(|byte| *byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

fn parse(value: &[u8]) -> Presented {
    let text = value.try_into().map(Candidate);
    text.map_or(Presented::Malformed, Presented::Candidate)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_attribute(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';'
}

/// Browsers compare the prefixes without regard to case, so this does as well.
fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
