//! What happened at all, so that nothing is proved by doing nothing.

use std::{collections::BTreeMap, fmt};

use anynode_core::near::Fill;

macro_rules! counts {
    ($($name:ident: $what:literal,)*) => {
        /// How often each thing happened.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Counts {
            pub(crate) runs: u64,
            pub(crate) misses: BTreeMap<&'static str, u64>,
            $(pub(crate) $name: u64,)*
        }

        impl Counts {
            /// By what it is called.
            fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($what, self.$name),)*].into_iter()
            }

            pub(crate) fn add(&mut self, other: &Self) {
                self.runs += other.runs;
                for (why, times) in &other.misses {
                    *self.misses.entry(why).or_default() += times;
                }
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    accepted: "requests accepted",
    hits: "hits",
    stale: "hits on what was outdated, within the bound",
    joined: "loads joined after they were sent",
    asked_again: "requests that asked again",
    turned_away: "requests turned away",
    unavailable: "requests answered 503",
    raced: "fills refused: raced",
    untrusted: "fills refused: untrusted",
    older: "fills refused: older",
    known_dead: "fills refused: known to be revoked",
    from_refused: "fills refused: heartbeat refused",
    writes: "writes",
    own_writes_kept: "own writes kept",
    conflicts: "conflicts",
    indeterminate: "writes without an answer",
    revocations: "revocations by nodes",
    unconfirmed: "revocations unconfirmed",
    owed: "revocations owed",
    reasserted: "revocations brought back",
    touches: "touches",
    leases_lost: "leases lost",
    flushes: "channels opened anew",
    resumed: "channels resumed",
    fail_overs: "fail-overs",
    writes_lost: "writes lost by them",
    refused: "answers refused by deposed primaries",
    outages: "outages",
    cuts: "channels cut",
    half_open: "channels half-open",
    hangs: "channels that hung",
    untracked: "channels without pushes",
    events_dropped: "events dropped",
    answers_lost: "answers lost",
    pauses: "pauses",
    restarts: "restarts",
    stood_still: "clocks that stood still",
    clock_slow: "clocks found slow",
    full: "revocations without room",
}

// === impl Counts ===

impl Counts {
    pub(crate) fn filled(&mut self, fill: Fill) {
        match fill {
            Fill::Raced => self.raced += 1,
            Fill::Untrusted => self.untrusted += 1,
            Fill::Older => self.older += 1,
            Fill::Revoked => self.known_dead += 1,
            Fill::Refused => self.from_refused += 1,
            Fill::Kept | Fill::Ended | Fill::Elsewhere => {}
        }
    }

    /// What never happened.
    pub(crate) fn never(&self) -> Vec<&'static str> {
        let misses = [
            "absent",
            "strict",
            "untrusted",
            "outdated",
            "aged",
            "ended",
            "unseen",
            "secret",
        ];
        let missing = misses
            .into_iter()
            .filter(|why| !self.misses.contains_key(why));
        let zero = self.all().filter(|(_, times)| *times == 0);
        missing.chain(zero.map(|(what, _)| what)).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs", self.runs)?;
        for (what, times) in self.all() {
            write!(f, ", {times} {what}")?;
        }
        for (why, times) in &self.misses {
            write!(f, ", {times} misses: {why}")?;
        }
        Ok(())
    }
}
