//! A load for one request: how fresh the answer has to be, and how fresh it is.

use std::time::Duration;

use crate::{
    near::Freshness,
    session::{Handle, Live, SecretHash, Version},
};

/// What a request wants to know of a session, for a store that may answer from a copy.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The session.
    pub handle: Handle,
    /// The hash of the secret that was presented: a copy that it does not open is no answer,
    /// because the login may just have happened on another node. `None` takes any copy.
    pub secret: Option<SecretHash>,
    /// The version that this client is known to have seen: a copy of another one is not for them.
    pub seen: Option<Version>,
    /// How old the knowledge may be.
    pub freshness: Freshness,
    /// When the request came in, on the node's boot clock.
    pub arrived: Duration,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The record, while it is alive.
    pub live: Option<Live>,
    /// As of when that is known, on the node's boot clock, if it was known before the call or
    /// asked for by another one. `None` when the store was asked within the call.
    pub as_of: Option<Duration>,
}

// === impl Wanted ===

impl Wanted {
    /// Whatever copy there is of a session, for a request that came in then.
    pub fn new(handle: Handle, freshness: Freshness, arrived: Duration) -> Self {
        Self {
            handle,
            secret: None,
            seen: None,
            freshness,
            arrived,
        }
    }
}

// === impl Found ===

impl Found {
    /// What the store answered when it was asked within the call.
    pub fn asked(live: Option<Live>) -> Self {
        Self { live, as_of: None }
    }
}
