//! What the pool says to a claim.

use std::time::Duration;

use anynode_core::balance::{
    AffinityOutcome, BackendId, Choice, Patience, Pool, Route, Source, Want, decide,
};

use crate::affinity::Claim;

/// What the pool says to a claim.
pub(super) enum Found {
    Choice(Choice),
    /// Nobody is left to try.
    Nobody,
    /// Its client is to wait for its backend.
    Refuse,
    /// Those who may have it are full, and this is who it would wait for.
    Full(Want),
}

/// Finds a backend for a request, and says what became of its client's affinity.
pub(super) fn find(
    pool: &mut Pool,
    claim: Claim,
    tried: &[BackendId],
    patience: Patience,
    now: Duration,
) -> (Found, Option<AffinityOutcome>) {
    let (lookup, when_gone) = match claim {
        Claim::None => return (anyone(pool, tried, now), None),
        Claim::Source(source) => return (by_source(pool, source, tried, patience, now), None),
        Claim::Cookie {
            lookup, when_gone, ..
        } => (lookup, when_gone),
    };
    let (route, outcome) = decide(lookup, pool, when_gone, patience, now);
    let found = match route {
        Route::Pinned(choice) => Found::Choice(choice),
        Route::Balance => anyone(pool, tried, now),
        Route::Spill => match anyone(pool, tried, now) {
            Found::Choice(choice) => Found::Choice(choice.once()),
            other => return (other, Some(outcome.unserved())),
        },
        Route::Queue(want) => Found::Full(want),
        Route::Refuse => Found::Refuse,
    };
    (found, Some(outcome))
}

fn anyone(pool: &mut Pool, tried: &[BackendId], now: Duration) -> Found {
    match pool.choose(tried, now) {
        Some(choice) => Found::Choice(choice),
        None => pool.full(tried).map_or(Found::Nobody, Found::Full),
    }
}

fn by_source(
    pool: &mut Pool,
    source: Source,
    tried: &[BackendId],
    patience: Patience,
    now: Duration,
) -> Found {
    let choice = match patience {
        Patience::Left => pool.choose_by_source(source, tried, now),
        Patience::Over => pool.spill_by_source(source, tried, now),
    };
    match choice {
        Some(choice) => Found::Choice(choice),
        None => {
            let want = pool.full_home(source, tried, now);
            want.map_or(Found::Nobody, Found::Full)
        }
    }
}
