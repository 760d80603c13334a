//! Whether a copy may be used for a request, and whether an answer is later than a copy.

use std::time::Duration;

use super::{Answer, Limits};
use crate::near::{
    Ask, Freshness, Hit, Horizon, StoreShard, Token, Why, copies::Slot, horizon::UserSlot,
};
use crate::{
    session::{Live, Version},
    time::Timestamp,
};

/// Where to look for what is known of the user of a copy, if it has one.
type User = Option<(UserSlot, StoreShard)>;

/// Whether this copy may be used for this request.
pub(super) fn judge(
    slot: &Slot,
    ask: &Ask<'_>,
    horizon: &Horizon,
    limits: &Limits,
) -> Result<Hit, Why> {
    let packed = slot.packed.as_ref().ok_or(Why::Absent)?;
    let (sent, now) = (slot.sent.time(), ask.now);
    if slot.ends.time() <= now {
        return Err(Why::Ended);
    }
    // What was heard is looked at after the lease: the lease says that it is complete.
    let as_of = known(ask.shard, slot.user, horizon);
    if is_revoked(slot.user, slot.token, horizon) {
        return Err(Why::Outdated);
    }
    let as_of = fresh(slot, ask, as_of, horizon)?;
    let age_max = match ask.freshness {
        Freshness::StaleOk(age) => age.max(limits.age_max),
        Freshness::Strict | Freshness::Bounded => limits.age_max,
    };
    if !crate::planted("copy_without_maximum_age") && sent.saturating_add(age_max) <= now {
        return Err(Why::Aged);
    }
    if ask
        .seen
        .is_some_and(|seen| is_unseen(packed.version(), seen))
    {
        return Err(Why::Unseen);
    }
    let is_other = |secret| !packed.admits(secret, now.saturating_sub(sent));
    // A mismatch is no refusal: the login may just have happened on another node.
    if !crate::planted("secret_mismatch_refused") && ask.secret.is_some_and(is_other) {
        return Err(Why::Secret);
    }
    Ok(Hit {
        handle: slot.handle,
        packed: packed.clone(),
        sent: slot.sent,
        ends: slot.ends,
        as_of,
    })
}

/// As of when the copy is known to be right, if that is fresh enough.
fn fresh(
    slot: &Slot,
    ask: &Ask<'_>,
    as_of: Option<Duration>,
    horizon: &Horizon,
) -> Result<Duration, Why> {
    let sent = slot.sent.time();
    let is_flushed = is_flushed(ask.shard, slot.user, slot.token, horizon);
    let known = as_of.filter(|_| !is_flushed).map(|as_of| as_of.max(sent));
    let why = match (ask.freshness, as_of) {
        (Freshness::Strict, _) if !horizon.is_validated() => Why::Strict,
        (_, Some(as_of)) if horizon.suffices(as_of, ask.arrived, ask.now) => match known {
            Some(known) => return Ok(known),
            None => Why::Outdated,
        },
        _ => Why::Untrusted,
    };
    match ask.freshness {
        Freshness::StaleOk(age) => {
            let known = known.unwrap_or(sent);
            let is_ok = ask.now < known.saturating_add(age);
            is_ok.then_some(known).ok_or(why)
        }
        Freshness::Strict | Freshness::Bounded => Err(why),
    }
}

/// As of when everything is known that concerns a record with this user: both leases are needed,
/// since a revocation of the user is told on the user's shard.
pub(super) fn known(shard: StoreShard, user: User, horizon: &Horizon) -> Option<Duration> {
    let as_of = horizon.as_of(shard)?;
    match user {
        Some((_, user_shard)) if !crate::planted("one_lease_for_two_shards") => {
            Some(as_of.min(horizon.as_of(user_shard)?))
        }
        _ => Some(as_of),
    }
}

/// Whether something that outdates a copy was heard since its token was taken, beside what is
/// heard of its handle.
pub(super) fn is_outdated(shard: StoreShard, user: User, token: Token, horizon: &Horizon) -> bool {
    is_flushed(shard, user, token, horizon) || is_revoked(user, token, horizon)
}

/// Whether the copy that is there, if it may still be used at all, is later than the answer.
///
/// One that was flushed or is too old does not count: a store that lost writes goes on with lower
/// versions, and may not have said so.
pub(super) fn is_later(
    slot: &Slot,
    answer: &Answer<'_>,
    now: Duration,
    horizon: &Horizon,
    age_max: Duration,
) -> bool {
    let Some(packed) = &slot.packed else {
        return false;
    };
    let too_old = slot.sent.time().saturating_add(age_max);
    let is_over = slot.ends.time().min(too_old) <= now;
    if is_over || is_outdated(answer.shard, slot.user, slot.token, horizon) {
        return false;
    }
    let (kept, new) = (packed.version(), answer.live.record.version);
    match kept.counter.cmp(&new.counter) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => slot.sent.time() > answer.sent,
        std::cmp::Ordering::Less => false,
    }
}

/// When the session ends by this answer: counted from when it was asked for, since the time of the
/// store that it bears is later than that.
pub(in crate::near) fn ends(live: &Live, sent: Duration) -> Duration {
    let deadline = live.idle_deadline.min(live.record.deadline);
    sent.saturating_add(early(deadline.since(live.now)))
}

/// A hundredth less, so that no clock within its error makes a session end late, and a millisecond,
/// up to which the store may have been further on than it said.
pub(super) fn early(left: Duration) -> Duration {
    (left - left / 100).saturating_sub(Timestamp::GRAIN)
}

fn is_flushed(shard: StoreShard, user: User, token: Token, horizon: &Horizon) -> bool {
    let is_users_flushed = |(_, shard)| horizon.flushed_since(shard, token);
    horizon.flushed_since(shard, token) || user.is_some_and(is_users_flushed)
}

fn is_revoked(user: User, token: Token, horizon: &Horizon) -> bool {
    user.is_some_and(|(slot, _)| horizon.revoked_since(slot, token))
}

/// Whether the client has seen another version than this one.
///
/// A greater number is not always the later one: a fail-over that lost writes goes on with lower
/// numbers, and a client may have written since. Nobody but the store can tell the two apart.
pub(in crate::near) fn is_unseen(kept: Version, seen: Version) -> bool {
    if crate::planted("greater_version_passes_for_later") {
        return kept.counter < seen.counter || (kept.counter == seen.counter && kept != seen);
    }
    kept != seen
}
