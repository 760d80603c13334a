//! The near cache's protocol, explored exhaustively: what may be trusted, until when, and why.
//!
//! This is a model of the *protocol* and shares no code with the crate. A store with a replica,
//! nodes with a copy and a lease, channels, loads, writers and faults are a few small structs;
//! [`step`] lists everything that can happen next, and stateright visits every state that any
//! order of such steps can reach. [`checks`] says what must hold in each of them, [`bounds`] in
//! which configurations, and [`mutants`] what breaks when one rule is left out: each of those has
//! to be noticed by the check that its row names, in a shortest counterexample.
//!
//! # What is left out, and why that hides nothing
//! - **One session of one user.** Sessions meet in their user's entry, which is here, and in a
//!   generation that several share, where an event of another can only keep an answer out.
//! - **Time is ticks**, and steps within one take none. A lease of `lease` ticks by the node's
//!   clock is L by real time: the rate error is folded into it. That S2 is seen says that the
//!   bound is not generous by even one tick.
//! - **Nothing happens before it is chosen.** So every message, answer and node may be late by
//!   any number of ticks, and a hang, a delayed reply and a paused node are among the orders.
//! - **A hit is no step.** Any request may come at any moment, so that a state in which a hit is
//!   possible is judged as if it happened. So is joining a load, at the moment of its answer.
//! - **A load that is lost** is one that was never sent, and a copy that is not there.
//! - **A barrier is taken the moment it is sent**, and only its answer may be late: were the
//!   request late, its answer would come behind more events and its lease would end no later.
//! - **A generation is a mark on what is under way**: whether it moved on since. A counter that
//!   never comes round says the same. A flush removes the copy at once.
//! - **Evicting** a copy makes a hit a miss, and no check breaks by a hit that is not there. That
//!   revocations are never evicted is a rule of the memory that keeps them, and not here.
//! - **A store that loses acknowledged writes** at a fail-over is outside the claim: a lost write
//!   is owed to nobody, but by nodes that were told of a revocation (I3, S5).
//! - Not here: channels validated per read (they have no lease), the gap list of MySQL, sparing
//!   one session, `stale_ok`, the companion cookie (it can only turn hits into misses), and
//!   whatever must happen *eventually*, which the simulation looks at.
//!
//! States are told apart by a hash of 64 bits: among a million, two are alike by chance once in
//! forty million runs.
//!
//! `cargo test -p anynode-core --test near_model -- --nocapture` prints the table.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod store;

mod channel;
mod faults;
mod load;
mod node;
mod own;
mod step;

mod checks;
mod mutants;
mod report;

use crate::{
    checks::Check,
    mutants::{Killer, Row},
    report::{holds, killed},
};

#[test]
fn a_push_channel_that_dies_in_silence_is_trusted_for_l_and_no_longer() {
    holds(bounds::PUSH);
}

#[test]
fn loads_that_overtake_each_other_leave_no_old_copy() {
    holds(bounds::OVERTAKING);
}

#[test]
fn a_node_sees_its_own_changes() {
    holds(bounds::OWN_CHANGE);
}

#[test]
fn a_node_sees_its_own_revocations() {
    holds(bounds::OWN_REVOKE);
}

#[test]
fn a_login_lives_whatever_was_revoked_before_it() {
    holds(bounds::LOGIN);
    holds(bounds::LOGIN_CLUSTER);
}

#[test]
fn a_login_on_one_node_is_not_refused_by_another() {
    holds(bounds::TWO_NODES);
}

#[test]
fn a_user_on_another_shard_is_revoked_as_fast_as_a_session() {
    holds(bounds::CLUSTER);
}

#[test]
fn a_deposed_primary_is_believed_for_d_and_no_longer() {
    holds(bounds::FAIL_OVER);
    holds(bounds::FAIL_OVER_CHANGE);
    holds(bounds::FAIL_OVER_REVOKE);
}

#[test]
fn a_revocation_that_was_lost_is_brought_back_by_whoever_was_told() {
    holds(bounds::TWO_NODES_RESTART);
}

#[test]
fn a_restart_that_loses_writes_leaves_no_old_copy() {
    holds(bounds::RESTART);
}

#[test]
fn a_cursor_misses_no_commit_whichever_way_transactions_overlap() {
    holds(bounds::CURSOR);
}

#[test]
fn a_server_that_stops_to_push_gets_no_barrier_through() {
    holds(bounds::SILENCE);
}

#[test]
fn a_channel_that_drops_an_event_is_bounded_by_the_maximum_age() {
    holds(bounds::LOSSY);
    holds(bounds::LOSSY_CLUSTER);
}

#[test]
fn a_machine_that_was_suspended_trusts_nothing_longer_for_it() {
    holds(bounds::SUSPEND);
}

#[test]
fn a_session_that_ends_by_itself_is_never_served_late() {
    holds(bounds::EXPIRY);
}

#[test]
fn each_mutant_of_the_channel_is_killed_by_its_check() {
    killed(mutants::CHANNEL);
}

#[test]
fn each_mutant_of_the_copies_is_killed_by_its_check() {
    killed(mutants::COPIES);
}

#[test]
fn each_mutant_of_the_writes_is_killed_by_its_check() {
    killed(mutants::WRITES);
}

#[test]
fn each_mutant_of_the_authority_is_killed_by_its_check() {
    killed(mutants::AUTHORITY);
}

#[test]
fn each_check_kills_a_mutant() {
    let tables = [
        mutants::CHANNEL,
        mutants::COPIES,
        mutants::WRITES,
        mutants::AUTHORITY,
    ];
    for check in Check::ALL {
        let kills = |row: &Row| row.killer == Killer::Broken(*check);
        let mut rows = tables.iter().copied().flatten();
        assert!(rows.any(kills), "no mutant breaks {}", check.name());
    }
}
