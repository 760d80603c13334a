//! The planted bugs of the PostgreSQL store, caught on a real server.

use super::{Hang, Plant};

pub(super) const POSTGRES: &[Plant] = &[
    Plant {
        name: "cursor_by_number",
        bug: "the channel reads on from the last number it saw, so what commits late is never told",
        package: "anynode-lab",
        target: &["--test", "postgres"],
        checks: &["no_commit_is_lost_or_told_twice_while_transactions_overlap"],
        hang: Hang::Survives,
    },
    Plant {
        name: "deposed_is_believed",
        bug: "a primary that proved once that it is one is believed for ever",
        package: "anynode-lab",
        target: &["--test", "postgres"],
        checks: &["a_deposed_primary_is_not_believed"],
        hang: Hang::Survives,
    },
    Plant {
        name: "reserve_stays",
        bug: "a revocation that meets a full disk leaves the reserve where it is",
        package: "anynode-lab",
        target: &["--test", "postgres"],
        checks: &["a_full_disk_refuses_sessions_and_still_revokes_and_registers"],
        hang: Hang::Survives,
    },
    Plant {
        name: "ordinary_write_frees_the_reserve",
        bug: "on a full disk an ordinary write takes the room that is kept for revocations",
        package: "anynode-lab",
        target: &["--test", "postgres"],
        checks: &["ordinary_writes_wait_until_the_reserve_is_there_again"],
        hang: Hang::Survives,
    },
];
