//! How long a primary that was deposed may go on.

use std::time::Duration;

use anynode_core::{Deposed, Note, Verdict};

use super::{About, Seen, Topology};

/// A replica that has been silent for longer than it may is noticed as late as this: the primary
/// counts silence in whole seconds, and looks once a second.
const LAG_CHECK: Duration = Duration::from_secs(2);

/// How long a primary that was deposed may still answer.
pub(super) fn bound(topology: &Topology, seen: &Seen) -> Deposed {
    let replicas = |about: &About| about.number("connected_slaves").max(seen.watched);
    let by_lag = |about: &About| {
        let lag = match about.setting_number("min-replicas-max-lag") {
            0 => Duration::ZERO,
            seconds => Duration::from_secs(seconds) + LAG_CHECK,
        };
        let wanted = about.setting_number("min-replicas-to-write");
        Deposed::by_replicas(replicas(about), wanted, lag)
    };
    let by_majority = |about: &About| match about.setting_number("cluster-node-timeout") {
        0 => Deposed::Unbounded,
        millis => Deposed::Within(Duration::from_millis(millis)),
    };
    let primaries = seen.primaries.iter();
    match topology {
        Topology::Single(_) if primaries.clone().all(|it| replicas(it) == 0) => Deposed::Never,
        Topology::Single(_) | Topology::Sentinel(_) => longest(primaries.map(by_lag)),
        Topology::Cluster(_) => longest(primaries.map(by_majority)),
    }
}

/// The worst of the bounds of all primaries.
fn longest(bounds: impl Iterator<Item = Deposed>) -> Deposed {
    let longer = |one, other| match (one, other) {
        (Deposed::Within(one), Deposed::Within(other)) => Deposed::Within(one.max(other)),
        (Deposed::Never, bound) | (bound, Deposed::Never) => bound,
        (Deposed::Unbounded, _) | (_, Deposed::Unbounded) => Deposed::Unbounded,
    };
    bounds.reduce(longer).unwrap_or(Deposed::Unbounded)
}

/// What that means for those who use it.
pub(super) fn note(deposed: Deposed, primaries: &[About]) -> Note {
    let found = match deposed {
        Deposed::Never => "nobody takes its place".to_owned(),
        Deposed::Within(bound) => format!("answers for at most {} ms", bound.as_millis()),
        Deposed::Unbounded if primaries.iter().all(About::tells_settings) => {
            "answers for as long as it likes".to_owned()
        }
        Deposed::Unbounded => "not told: the user may not read the settings".to_owned(),
    };
    let verdict = match deposed {
        Deposed::Unbounded => Verdict::Unsafe {
            why: "after a fail-over, nodes that still reach the old primary accept revoked \
                  sessions without end",
            change: "CONFIG SET min-replicas-max-lag 2 and min-replicas-to-write to half the \
                     number of replicas, rounded up, on all servers: with fewer, two primaries \
                     may have theirs (in a cluster: let the user read cluster-node-timeout)",
        },
        Deposed::Never | Deposed::Within(_) => Verdict::Safe,
    };
    Note {
        point: "deposed primary",
        found,
        verdict,
    }
}
