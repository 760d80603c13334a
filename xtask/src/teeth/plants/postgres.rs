//! The planted bugs of the PostgreSQL store, caught on a real server.

use super::{Hang, Plant};

pub(super) const POSTGRES: &[Plant] = &[Plant {
    name: "cursor_by_number",
    bug: "the channel reads on from the last number it saw, so what commits late is never told",
    package: "anynode-lab",
    target: &["--test", "postgres"],
    checks: &["no_commit_is_lost_or_told_twice_while_transactions_overlap"],
    hang: Hang::Survives,
}];
