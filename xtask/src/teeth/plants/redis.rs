//! The planted bugs of the Redis store, caught on real servers.

use super::{Hang, Plant};

/// The tests of the Redis store that no law can be.
const STORE: &[&str] = &["--test", "redis_store"];

pub(super) const REDIS: &[Plant] = &[
    Plant {
        name: "redis_lost_write_is_none",
        bug: "a write that was sent and not answered is said not to have happened",
        package: "anynode-lab",
        target: STORE,
        checks: &["a_write_that_was_sent_and_not_answered_is_indeterminate"],
        hang: Hang::Survives,
    },
    Plant {
        name: "redis_retry_does_not_know_itself",
        bug: "a write whose reply was lost takes its own record for that of another",
        package: "anynode-lab",
        target: STORE,
        checks: &["a_write_whose_reply_was_lost_recognises_itself"],
        hang: Hang::Survives,
    },
    Plant {
        name: "redis_write_without_guard",
        bug: "a write is performed on the half of a slot that has not moved yet",
        package: "anynode-lab",
        target: STORE,
        checks: &["sessions_are_found_while_and_after_their_slot_moves"],
        hang: Hang::Survives,
    },
];
