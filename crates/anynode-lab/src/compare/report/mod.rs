//! What a comparison measured: the content of `report.json`.
//!
//! Counters are kept as they were counted; everything that is derived from them is in [`Table`],
//! which the terminal and the page show as it is.
//! Times are counted on each row's own clock, which begins with its first step: `_ms` are
//! milliseconds, `_us` microseconds.

mod definitions;
mod numbers;
mod steps;
mod table;
mod verdicts;

use serde::{Deserialize, Serialize};

pub use self::numbers::{count, milliseconds, ratio, seconds};
pub use self::steps::Step;
pub use self::table::{Answer, Line, Mark, Table, Value, VerdictLine};

/// The version of the format; it changes when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// A whole comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// What was run, and where.
    pub run: Run,
    /// Every step in the order in which each strategy went through them.
    pub steps: Vec<Step>,
    /// The same requests straight to one node that keeps sessions in its memory.
    pub baseline: Latency,
    /// What was measured, one row for each strategy.
    pub rows: Vec<Row>,
    /// What follows from the rows; empty before [`Report::conclude`].
    pub table: Table,
}

/// What was run, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The command line that repeats it.
    pub command: String,
    /// What the users' choices follow from.
    pub seed: u64,
    /// How many users each strategy had.
    pub users: u32,
    /// How many requests were due in a second, whether or not earlier ones were answered.
    pub rate_per_second: u32,
    /// Of a hundred requests, how many write.
    pub writes_percent: u8,
    /// How long the whole comparison took.
    pub took_ms: u32,
    /// The version of anynode.
    pub version: String,
    /// `release` or `development`: how the program was built.
    pub build: String,
    /// The kind of the store of the strategies that have one.
    pub store: String,
    /// The machine that everything ran on, clients included.
    pub machine: Machine,
}

/// The machine that everything ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The cores that the program may use.
    pub cores: u32,
    /// The processor as it names itself.
    pub processor: String,
    /// The kernel's name and release.
    pub kernel: String,
}

/// What one strategy did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The strategy's name.
    pub strategy: String,
    /// What its users saw in each step, in the order of [`Report::steps`].
    pub seen: Vec<Seen>,
    /// What was done to its fleet, in the order of time.
    pub events: Vec<Event>,
    /// Its requests cut into slices of equal length, in the order of time.
    pub slices: Vec<Slice>,
    /// Which node served how much, before the fleet grew, while it was large, and after.
    pub loads: Vec<Load>,
    /// What its requests cost in steady load.
    pub cost: Cost,
    /// How long its requests took in steady load.
    pub latency: Latency,
    /// How late the latest request was begun for want of time of the load generator itself;
    /// it is in no latency.
    pub late_us: u32,
    /// What became of updates, in all steps.
    pub updates: Updates,
    /// What became of the sessions that were revoked.
    pub revoked: Revoked,
    /// The largest cookies that it gave to a client.
    pub cookies: Cookies,
}

/// What users saw in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Which step.
    pub step: Step,
    /// When it began.
    pub begin_ms: u32,
    /// When it ended.
    pub end_ms: u32,
    /// Requests that were made.
    pub requests: u32,
    /// Requests that were not answered as they should be: not at all, or with an error.
    pub failed: u32,
    /// Users who were logged out at least once though nobody had logged them out.
    pub users_logged_out: u32,
}

/// Something that was done to a fleet or its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at_ms: u32,
    /// What.
    pub kind: EventKind,
    /// To whom: a node's name, or how many users.
    pub whom: String,
}

/// What can be done to a fleet or its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A node was killed with `kill -9`.
    Crash,
    /// A node was taken out of service in order.
    Stop,
    /// A node came into service.
    Start,
    /// Users changed their address.
    Move,
    /// Sessions were revoked.
    Revoke,
}

/// A short stretch of one row's time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// When it began.
    pub at_ms: u32,
    /// The step it belongs to.
    pub step: Step,
    /// Requests that were due in it.
    pub requests: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Users who were logged out from the step's begin to the slice's end.
    pub users_logged_out: u32,
    /// The median time from when a request was due to its answer; absent without an answer.
    pub p50_us: Option<u32>,
    /// The same for the slowest in a hundred.
    pub p99_us: Option<u32>,
}

/// Which node served how much while the fleet had one size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// When it was counted.
    pub moment: Moment,
    /// Every node of the fleet at that moment, those that served nothing too.
    pub nodes: Vec<NodeLoad>,
}

/// When load was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// In steady load, before the fleet grew.
    Before,
    /// With all new nodes in service.
    Grown,
    /// With the new nodes gone again.
    Back,
}

/// What one node served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeLoad {
    /// The node's name.
    pub node: String,
    /// How many requests it answered.
    pub requests: u32,
}

/// What requests cost in steady load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// How many requests were answered.
    pub requests: u32,
    /// Calls of a store that nodes share; none for sessions in a node's own memory.
    pub store_calls: u32,
    /// Processor time of the gateway.
    pub gateway_cpu_us: u32,
    /// Processor time of all nodes.
    pub nodes_cpu_us: u32,
    /// Processor time of the store's own processes; absent when it has none.
    pub store_cpu_us: Option<u32>,
    /// How many of the requests only asked for the session.
    #[serde(default)]
    pub reads: u32,
    /// Those of them that were answered from a copy on the node.
    #[serde(default)]
    pub reads_from_copies: u32,
}

/// How long requests took, from when they were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// How many requests were answered.
    pub requests: u32,
    /// The median.
    pub p50_us: u32,
    /// The slowest in a hundred.
    pub p99_us: u32,
}

/// What became of updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Updates {
    /// Visits that were acknowledged.
    pub acknowledged: u32,
    /// Those of them that a session which lived on no longer knew of.
    pub lost: u32,
    /// Those of them whose session was lost.
    pub lost_with_sessions: u32,
    /// Visits that were counted more often than they were made.
    pub doubled: u32,
}

/// What became of revoked sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// How many users were logged out everywhere, each with two sessions.
    pub users: u32,
    /// Requests of revoked sessions that began after the revocation had been acknowledged.
    pub requests: u32,
    /// Those of them that were served as if the session were alive.
    pub accepted: u32,
    /// The longest time from an acknowledgement to a request that was still accepted.
    pub longest_ms: u32,
    /// From the first acknowledgement to the last request.
    pub watched_ms: u32,
}

/// The largest cookies that a client was given, name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookies {
    /// The session's.
    pub session_bytes: u32,
    /// The gateway's, with which a client stays on its node.
    pub affinity_bytes: u32,
}

// === impl Report ===

impl Report {
    /// A report of what was measured, with the table that follows from it.
    #[must_use]
    pub fn conclude(run: Run, steps: Vec<Step>, baseline: Latency, rows: Vec<Row>) -> Self {
        let mut report = Self {
            format: FORMAT,
            run,
            steps,
            baseline,
            rows,
            table: Table::default(),
        };
        report.table = Table::of(&report);
        report
    }

    /// The report as the text of `report.json`.
    ///
    /// # Errors
    /// Never for a report whose numbers are finite.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

// === impl Row ===

impl Row {
    /// What users saw in this step, if the row went through it.
    #[must_use]
    pub fn seen_in(&self, step: Step) -> Option<&Seen> {
        self.seen.iter().find(|seen| seen.step == step)
    }

    /// The load at this moment, if it was counted.
    #[must_use]
    pub fn load_at(&self, moment: Moment) -> Option<&Load> {
        self.loads.iter().find(|load| load.moment == moment)
    }
}

// === impl Load ===

impl Load {
    /// What the busiest node served over the mean of all; absent when nothing was served.
    #[must_use]
    pub fn imbalance(&self) -> Option<f64> {
        let total: u32 = self.nodes.iter().map(|node| node.requests).sum();
        let busiest = self.nodes.iter().map(|node| node.requests).max()?;
        if total == 0 {
            return None;
        }
        let nodes = u32::try_from(self.nodes.len()).ok()?;
        Some(f64::from(busiest) * f64::from(nodes) / f64::from(total))
    }
}
