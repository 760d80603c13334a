//! What processes have used: processor time from the system, store calls from their own metrics.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::time::Duration;

use anyhow::{Context, Error};
use serde::{Deserialize, Serialize};

/// What the processes of a fleet have used since its start, those that have ended included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time of the gateway.
    pub gateway_cpu: Duration,
    /// Processor time of all nodes; a store that is no server of its own is in it.
    pub node_cpu: Duration,
    /// Processor time of the store's own processes, of a store that has such on this machine.
    pub store_cpu: Option<Duration>,
    /// Calls of the store by all nodes.
    pub store_calls: u64,
}

/// The metric of anynode whose count is the number of calls of the store.
const STORE_CALLS: &str = "anynode_store_seconds_count";

/// The processor time that a process has used, in user and in system mode.
pub(super) fn cpu_of(pid: u32) -> Result<Duration, Error> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks_of(&stat).context("/proc has another form than Linux gives it")?;
    let second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis(ticks.saturating_mul(1000) / second))
}

/// Fields 14 and 15; the second one, the name, may itself hold spaces and parentheses.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The processor time of processes and of all that descend from them, those that have ended
/// included: a database may have a process for each connection.
pub(super) fn cpu_of_families(pids: &[u32]) -> Result<Duration, Error> {
    let mut family: BTreeSet<u32> = pids.iter().copied().collect();
    let everybody = processes()?;
    loop {
        let known = family.len();
        let children = everybody
            .iter()
            .filter(|process| family.contains(&process.parent))
            .map(|process| process.pid);
        let children: Vec<u32> = children.collect();
        family.extend(children);
        if family.len() == known {
            break;
        }
    }
    let of_family = everybody
        .iter()
        .filter(|process| family.contains(&process.pid));
    let ticks: u64 = of_family.map(|process| process.ticks).sum();
    let second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis(ticks.saturating_mul(1000) / second))
}

/// A process of this machine.
struct Process {
    pid: u32,
    parent: u32,
    /// Of itself and of its children that have ended.
    ticks: u64,
}

fn processes() -> Result<Vec<Process>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended since its name was read.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let (parent, ticks) =
            parent_and_ticks_of(&stat).context("/proc has another form than Linux gives it")?;
        found.push(Process { pid, parent, ticks });
    }
    Ok(found)
}

/// Field 4, and the sum of fields 14 to 17.
fn parent_and_ticks_of(stat: &str) -> Option<(u32, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>());
    let ticks = ticks.sum::<Result<u64, _>>().ok()?;
    Some((fields.get(1)?.parse().ok()?, ticks))
}

/// The calls of the store that a node's metrics tell of; none when it made none.
pub(super) fn store_calls_in(metrics: &str) -> u64 {
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with(STORE_CALLS))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

// === impl Usage ===

impl Usage {
    /// What was used after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            gateway_cpu: self.gateway_cpu.saturating_sub(earlier.gateway_cpu),
            node_cpu: self.node_cpu.saturating_sub(earlier.node_cpu),
            store_cpu: self
                .store_cpu
                .map(|used| used.saturating_sub(earlier.store_cpu.unwrap_or_default())),
            store_calls: self.store_calls.saturating_sub(earlier.store_calls),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.gateway_cpu += other.gateway_cpu;
        self.node_cpu += other.node_cpu;
        self.store_cpu = match (self.store_cpu, other.store_cpu) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        self.store_calls += other.store_calls;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "17 (a) b (c)) S 1 17 17 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 0 0";
        assert_eq!(ticks_of(stat), Some(300));
        assert_eq!(ticks_of("17 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu_of(std::process::id()).is_ok());
    }

    #[test]
    fn a_family_has_used_what_its_ended_children_used_as_well() {
        let stat = "17 (a) b) S 3 17 17 0 -1 4194304 100 0 0 0 1 20 300 4000 20 0 1 0 5 0 0";
        assert_eq!(parent_and_ticks_of(stat), Some((3, 4321)));
        let family = cpu_of_families(&[std::process::id()]).unwrap();
        assert!(family >= cpu_of(std::process::id()).unwrap() / 2);
        assert_eq!(cpu_of_families(&[]).unwrap(), Duration::ZERO);
    }

    #[test]
    fn the_calls_of_all_verbs_count() {
        let metrics = "# TYPE anynode_store_seconds summary\n\
                       anynode_store_seconds{verb=\"load\",quantile=\"0.5\"} 0.1\n\
                       anynode_store_seconds_sum{verb=\"load\"} 3.5\n\
                       anynode_store_seconds_count{verb=\"load\"} 40\n\
                       anynode_store_seconds_count{verb=\"replace\"} 2\n";
        assert_eq!(store_calls_in(metrics), 42);
        assert_eq!(store_calls_in(""), 0);
    }
}
