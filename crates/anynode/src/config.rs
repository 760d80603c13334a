//! What an application may choose about its sessions.

use std::time::Duration;

use anynode_core::{Budget, Freshness, Lifetime, Quota, Rotation};

use crate::{codec::Sealer, cookie::CookieConfig, csrf::Csrf};

/// What happens to a request that needs its session while the store cannot be reached.
///
/// Under all but the first, writes are errors and no cookie is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The request is answered 503 with `Retry-After`, whatever its handler made of the
    /// error. The default: what cannot be proved alive is not honoured.
    #[default]
    FailClosed,
    /// A copy of the session that this node read at most this long ago is used for reading.
    /// A session revoked meanwhile is honoured for that long.
    ReadOnlyStale(Duration),
    /// The request runs as if it had brought no session.
    Anonymous,
}

/// Whether a request by GET may bind a session to a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginByLink {
    /// It may not: a link on another site could log its reader in as somebody else.
    #[default]
    Refused,
    /// It may, as the return from an identity provider needs. The application has checked a
    /// `state` parameter that it put into this very session.
    Allowed,
}

/// Whether a logout asks the browser to forget what the site left in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClearSiteData {
    /// `Clear-Site-Data: "cache", "cookies", "storage"`, so that the next person at the
    /// machine finds no pages of the last one. The default.
    #[default]
    Sent,
    /// No such header; for sites that keep things of their own in the browser.
    Omitted,
}

/// Whether a response tells how old the knowledge is that it was answered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgeHeader {
    /// It does not. The default: it is nobody's business.
    #[default]
    Omitted,
    /// `anynode-session-age: 1234; copy`: in microseconds, and whether it was a copy or the
    /// store. For tests and proofs.
    Sent,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) cookie: CookieConfig,
    pub(crate) csrf: Csrf,
    pub(crate) sealer: Sealer,
    pub(crate) budget: Budget,
    pub(crate) lifetime: Lifetime,
    pub(crate) anonymous: Lifetime,
    pub(crate) quota: Quota,
    pub(crate) rotation: Option<Rotation>,
    pub(crate) failure: FailurePolicy,
    pub(crate) login_by_link: LoginByLink,
    pub(crate) clear_site_data: ClearSiteData,
    pub(crate) call_timeout: Duration,
    pub(crate) sweep_every: Option<Duration>,
    pub(crate) freshness: Freshness,
    pub(crate) age_header: AgeHeader,
}

/// Half an hour of idleness and twelve hours in all: within NIST SP 800-63B AAL2 and the
/// habits of a working day.
pub(crate) const LIFETIME: Lifetime = Lifetime {
    idle: Duration::from_secs(30 * 60),
    absolute: Duration::from_secs(12 * 60 * 60),
};

/// Shorter, since a stranger can have as many as they like.
pub(crate) const ANONYMOUS: Lifetime = Lifetime {
    idle: Duration::from_secs(15 * 60),
    absolute: Duration::from_secs(2 * 60 * 60),
};

impl Default for Config {
    fn default() -> Self {
        Self {
            cookie: CookieConfig::default(),
            csrf: Csrf::default(),
            sealer: Sealer::default(),
            budget: Budget::default(),
            lifetime: LIFETIME,
            anonymous: ANONYMOUS,
            quota: Quota::default(),
            rotation: None,
            failure: FailurePolicy::default(),
            login_by_link: LoginByLink::default(),
            clear_site_data: ClearSiteData::default(),
            call_timeout: Duration::from_secs(5),
            sweep_every: Some(Duration::from_secs(60)),
            freshness: Freshness::default(),
            age_header: AgeHeader::default(),
        }
    }
}
