//! What may be done while sessions end and are written, and to whom.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Act, Fault as Wire, Way, Which};
use crate::prove::home::Store;
use crate::server::Kind;

/// What is done while sessions end and are written.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Situation {
    /// Nothing
    Healthy,
    /// Connections of two nodes are closed and reset, and they get no others for a while
    Cut,
    /// The store's ends of two nodes' connections are closed and the nodes not told
    HalfOpen,
    /// What two nodes send is swallowed
    HoleToStore,
    /// What is sent to two nodes is swallowed
    HoleFromStore,
    /// Every answer to two nodes comes 500 ms later
    Slow,
    /// Some answers to two nodes come late
    LateReplies,
    /// Everything that two nodes send and are sent comes up to 300 ms later
    Jitter,
    /// Some answers to two nodes are garbage
    Malformed,
    /// What is sent to two nodes comes late, and then not at all
    SlowThenSilent,
    /// The primary stands still
    StorePaused,
    /// The primary is killed and started again
    StoreKilled,
    /// The primary is killed and another takes its place
    FailOver,
    /// The primary is cut off together with one node, and another takes its place
    Deposed,
    /// A node stands still for longer than a lease
    NodePaused,
    /// The clock of a node goes one hour forward and back
    ClockMoved,
}

/// What is done to the connections of nodes, and for how long.
pub(super) type Script = Vec<(Wire, Duration)>;

/// How long things are done as a rule: twice a lease and more.
const LASTING: Duration = Duration::from_millis(2_500);

// === impl Situation ===

impl Situation {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; 16] = [
        Self::Healthy,
        Self::Cut,
        Self::HalfOpen,
        Self::HoleToStore,
        Self::HoleFromStore,
        Self::Slow,
        Self::LateReplies,
        Self::Jitter,
        Self::Malformed,
        Self::SlowThenSilent,
        Self::StorePaused,
        Self::StoreKilled,
        Self::FailOver,
        Self::Deposed,
        Self::NodePaused,
        // Last, because it takes other nodes.
        Self::ClockMoved,
    ];

    /// Those that stand for all.
    pub(super) const QUICK: [Self; 6] = [
        Self::Healthy,
        Self::Cut,
        Self::HoleFromStore,
        Self::LateReplies,
        Self::StorePaused,
        Self::NodePaused,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Cut => "cut",
            Self::HalfOpen => "half-open",
            Self::HoleToStore => "hole-to-store",
            Self::HoleFromStore => "hole-from-store",
            Self::Slow => "slow",
            Self::LateReplies => "late-replies",
            Self::Jitter => "jitter",
            Self::Malformed => "malformed",
            Self::SlowThenSilent => "slow-then-silent",
            Self::StorePaused => "store-paused",
            Self::StoreKilled => "store-killed",
            Self::FailOver => "fail-over",
            Self::Deposed => "deposed",
            Self::NodePaused => "node-paused",
            Self::ClockMoved => "clock-moved",
        }
    }

    /// Whether it can be done to this store; none is one that somebody else runs.
    pub(super) fn makes_sense(self, store: Option<Store>) -> bool {
        match self {
            Self::Healthy | Self::NodePaused => true,
            // Lifetimes in SQLite are judged by this machine's clock, and it is everybody's.
            Self::ClockMoved => store != Some(Store::Sqlite),
            Self::StorePaused => store.is_some(),
            Self::FailOver => store.is_some_and(has_another),
            Self::Deposed => store == Some(Store::Servers(Kind::RedisSentinel)),
            _ => matches!(store, Some(Store::Servers(_))),
        }
    }

    /// What is done to the connections of the nodes that are hit; nothing where it is done to
    /// something else.
    pub(super) fn script(self) -> Script {
        let short = Duration::from_millis(400);
        let delay = |way, by, jitter| Wire::Delay {
            way,
            by: Duration::from_millis(by),
            jitter: Duration::from_millis(jitter),
        };
        let each = |number, act| Wire::Reply {
            which: Which::Every(number),
            act,
        };
        let late = delay(Way::ToClient, 500, 0);
        match self {
            Self::Cut => vec![
                (Wire::Cut, short),
                (Wire::None, short),
                (Wire::Reset, short),
                (Wire::None, short),
                (Wire::Cut, short),
            ],
            Self::HalfOpen => vec![(Wire::HalfOpen, LASTING)],
            Self::HoleToStore => vec![(Wire::BlackHole(Way::ToServer), LASTING)],
            Self::HoleFromStore => vec![(Wire::BlackHole(Way::ToClient), LASTING)],
            Self::Slow => vec![(late, LASTING)],
            Self::LateReplies => {
                let act = Act::Delay(Duration::from_millis(300));
                vec![(each(3, act), LASTING)]
            }
            Self::Jitter => vec![(delay(Way::Both, 0, 300), LASTING)],
            Self::Malformed => vec![(each(10, Act::Garble), LASTING)],
            Self::SlowThenSilent => vec![
                (late, Duration::from_millis(1_200)),
                (Wire::BlackHole(Way::ToClient), LASTING),
            ],
            _ => Vec::new(),
        }
    }

    /// Over how long sessions end: while it is done, and a little before.
    pub(super) fn spread(self, store: Option<Store>) -> Duration {
        match self {
            Self::Deposed => Duration::from_millis(5_500),
            Self::StorePaused | Self::StoreKilled | Self::FailOver
                if store.is_some_and(forgets) =>
            {
                Duration::from_millis(4_500)
            }
            _ => Duration::from_millis(1_800),
        }
    }

    /// How long the store stands still: where another can take its place, until it has.
    pub(super) fn pause(store: Option<Store>) -> Duration {
        match store.is_some_and(forgets) {
            true => Duration::from_millis(6_000),
            false => LASTING,
        }
    }

    /// Whether it is done to the store, and not to nodes or the way from them.
    pub(super) fn is_of_the_store(self) -> bool {
        matches!(
            self,
            Self::StorePaused | Self::StoreKilled | Self::FailOver | Self::Deposed
        )
    }

    /// Whether sessions are removed by hand as well. What is done by hand at a primary that is
    /// lost is lost with it, and nobody claims otherwise.
    pub(super) fn has_hands(self, store: Option<Store>) -> bool {
        store.is_some() && !self.is_of_the_store()
    }

    /// Whether the last writes that were acknowledged may be lost, a new session among them.
    pub(super) fn may_lose_writes(self, store: Option<Store>) -> bool {
        self.is_of_the_store() && store.is_some_and(forgets)
    }

    /// How long sessions end before it is done.
    pub(super) fn head_start(self, store: Option<Store>) -> Duration {
        match self.is_of_the_store() && !store.is_some_and(forgets) {
            true => Duration::from_millis(900),
            false => Duration::from_millis(250),
        }
    }

    /// How many of the nodes it is done to.
    pub(super) fn nodes_hit(self) -> usize {
        match self {
            Self::NodePaused | Self::Deposed => 1,
            _ if self.script().is_empty() => 0,
            _ => 2,
        }
    }

    /// How long a node stands still.
    pub(super) const NODE_PAUSE: Duration = LASTING;

    /// How long a clock is wrong, in each direction.
    pub(super) const CLOCK_WRONG: Duration = Duration::from_millis(1_200);
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether another server takes the place of a primary that did not wait for it.
fn forgets(store: Store) -> bool {
    matches!(
        store,
        Store::Servers(Kind::RedisCluster | Kind::RedisSentinel)
    )
}

fn has_another(store: Store) -> bool {
    matches!(
        store,
        Store::Servers(Kind::RedisCluster | Kind::RedisSentinel | Kind::Postgres | Kind::PgBouncer)
    )
}
