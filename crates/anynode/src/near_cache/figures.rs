//! What is counted of a near cache.

use anynode_core::{
    near::{Condition, Ending, Fill, Why},
    store::Error,
};
use metrics::{counter, gauge};

use super::inner::Inner;

/// Why a request was not answered from a copy.
pub(super) fn missed(why: Why) {
    counter!("anynode_near_misses_total", "reason" => why.as_str()).increment(1);
}

/// What became of the answer of a load. A node that keeps nothing because its answers come from
/// `elsewhere` works, and its store is asked by every request.
pub(super) fn filled(fill: Fill) {
    if fill != Fill::Kept {
        counter!("anynode_near_fills_refused_total", "reason" => fill.as_str()).increment(1);
    }
}

/// A request was answered by a load that another one sent.
pub(super) fn joined() {
    counter!("anynode_near_loads_joined_total").increment(1);
}

/// The channel was lost, or could not be opened.
pub(super) fn lost(error: &Error) {
    let reason = match error.is_refusal() {
        true => "refused",
        false => error.kind().as_str(),
    };
    counter!("anynode_near_channel_lost_total", "reason" => reason).increment(1);
}

/// The open connections of a session were closed.
pub(super) fn closed(ending: Ending) {
    counter!("anynode_open_closed_total", "reason" => ending.as_str()).increment(1);
}

/// The store, or a copy, was asked whether a session with open connections lives.
pub(super) fn asked() {
    counter!("anynode_open_asks_total").increment(1);
}

/// A revocation was not remembered for want of room.
pub(super) fn not_remembered() {
    counter!("anynode_near_revocations_not_remembered_total").increment(1);
}

/// A call of the roll was answered.
pub(super) fn answered() {
    counter!("anynode_near_rolls_answered_total").increment(1);
}

/// What changes with every request is published at every heartbeat.
pub(super) fn publish(inner: &Inner) {
    if let Some(copies) = inner.copies() {
        counter!("anynode_near_hits_total").increment(copies.take_hits());
    }
    let (number, bytes) = inner.size();
    gauge!("anynode_near_copies").set(figure(number));
    gauge!("anynode_near_bytes").set(figure(bytes));
    gauge!("anynode_open_sessions").set(figure(inner.opens.len()));
    publish_condition(inner);
}

/// How the channel stands.
pub(super) fn publish_condition(inner: &Inner) {
    let now = inner.condition();
    for condition in Condition::ALL {
        let is_it = u8::from(condition == now);
        gauge!("anynode_near_condition", "condition" => condition.as_str()).set(is_it);
    }
}

/// Exact up to four billion, and then not larger than that.
fn figure(number: usize) -> f64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}
