//! Ended sessions at every node: whether one was accepted after the bound, and how soon it was
//! refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::{Age, Ask, End, EndKind, Told, Witnessed};

/// What became of ended sessions at every node.
///
/// A trial is an ended session. It is exposed where another node than the one that ended it had
/// answered from a copy of it before, and gave an answer after the bound.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ends {
    /// Revocations that were acknowledged.
    pub revocations: usize,
    /// Those of them that were done by hand.
    pub by_hand: usize,
    /// Those that were not acknowledged; nothing is claimed of them.
    pub unacknowledged: usize,
    /// Sessions that the acknowledged ones ended.
    pub sessions: usize,
    /// Those of them that were exposed.
    pub exposed: usize,
    /// Requests for ended sessions that were sent after the bound.
    pub late: usize,
    /// Those of them that were told whether the session is alive.
    pub late_answered: usize,
    /// Those of them that were told that it is.
    pub accepted: Vec<Late>,
    /// Sessions that a revocation spared.
    pub spared: usize,
    /// Sessions that were refused though nobody had ended them, or before anybody asked for it.
    pub falsely_refused: usize,
    /// Answers with somebody else's session.
    pub foreign: usize,
    /// For each ended session and each other node that held it and was asked all the time: how
    /// long after the acknowledgement it was no longer accepted. In no order.
    #[serde(skip)]
    pub refused_after: Vec<Duration>,
    /// How long after the acknowledgement the last request was sent that was accepted.
    pub accepted_for: Duration,
}

/// A node that is not asked for longer than this, before it refuses, is not timed.
const GAP_MAX: Duration = Duration::from_millis(200);

/// A request for an ended session that was sent after the bound and accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The number of the session.
    pub session: u32,
    /// The number of the node.
    pub node: u8,
    /// How long after the acknowledgement it was sent.
    pub after: Duration,
    /// What had ended the session.
    pub kind: EndKind,
    /// How old the node said that its knowledge was, and where it had it from.
    pub age: Option<Age>,
}

/// Judges what was witnessed: no ended session may be accepted by a request that is sent more
/// than `bound` after the acknowledgement of its end.
#[must_use]
pub fn ends(witnessed: &Witnessed, bound: Duration) -> Ends {
    let mut asks: BTreeMap<u32, Vec<&Ask>> = BTreeMap::new();
    for ask in &witnessed.asks {
        asks.entry(ask.session).or_default().push(ask);
    }
    let mut sum = Ends {
        foreign: witnessed
            .asks
            .iter()
            .filter(|ask| ask.told == Told::Foreign)
            .count(),
        ..Ends::default()
    };
    for end in &witnessed.ends {
        let of = |session: &u32| asks.get(session).map_or(&[][..], Vec::as_slice);
        if let Some(spared) = &end.spared {
            sum.spared += 1;
            sum.falsely_refused += usize::from(of(spared).iter().any(is_refused));
        }
        for session in &end.sessions {
            let mut before = of(session).iter().filter(|ask| ask.heard < end.asked);
            sum.falsely_refused += usize::from(before.any(is_refused));
        }
        let Some(acknowledged) = end.acknowledged else {
            sum.unacknowledged += 1;
            continue;
        };
        sum.revocations += 1;
        sum.by_hand += usize::from(end.kind == EndKind::ByHand);
        for session in &end.sessions {
            sum.sessions += 1;
            sum.judge(of(session), end, acknowledged, bound);
        }
    }
    sum
}

fn is_refused(ask: &&Ask) -> bool {
    ask.told == Told::Refused
}

// === impl Ends ===

impl Ends {
    /// Whether there are ended sessions, and at least so many percent of them are exposed.
    #[must_use]
    pub fn is_exposed(&self, percent: usize) -> bool {
        self.sessions > 0 && self.exposed * 100 >= self.sessions * percent
    }

    /// Adds what became of others.
    pub fn extend(&mut self, other: Self) {
        self.revocations += other.revocations;
        self.by_hand += other.by_hand;
        self.unacknowledged += other.unacknowledged;
        self.sessions += other.sessions;
        self.exposed += other.exposed;
        self.late += other.late;
        self.late_answered += other.late_answered;
        self.accepted.extend(other.accepted);
        self.spared += other.spared;
        self.falsely_refused += other.falsely_refused;
        self.foreign += other.foreign;
        self.refused_after.extend(other.refused_after);
        self.accepted_for = self.accepted_for.max(other.accepted_for);
    }

    fn judge(&mut self, asks: &[&Ask], end: &End, acknowledged: Duration, bound: Duration) {
        let late = || asks.iter().filter(|ask| ask.sent > acknowledged + bound);
        let mut is_exposed = false;
        for ask in late() {
            self.late += 1;
            self.late_answered += usize::from(ask.is_answered());
            if ask.is_accepted() {
                self.accepted.push(Late {
                    session: ask.session,
                    node: ask.node,
                    after: ask.sent.saturating_sub(acknowledged),
                    kind: end.kind,
                    age: ask.age(),
                });
            }
        }
        let mut nodes: Vec<u8> = asks.iter().map(|ask| ask.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let here = || asks.iter().filter(|ask| ask.node == node);
            let mut before = here().filter(|ask| ask.heard < end.asked);
            let held = end.by != Some(node) && before.any(|ask| ask.is_from_copy());
            is_exposed |= held && late().any(|ask| ask.node == node && ask.is_answered());
            let accepted = here().filter(|ask| ask.is_accepted()).map(|ask| ask.sent);
            let last = accepted.max().unwrap_or_default();
            self.accepted_for = self.accepted_for.max(last.saturating_sub(acknowledged));
            let later = here().filter(|ask| !ask.is_accepted() && ask.sent > last);
            let first = later.map(|ask| ask.sent).min().filter(|_| held);
            // Where nobody asked for a while, for want of an answer or on purpose, it is not known
            // since when.
            let first = first.filter(|first| {
                let earlier = here().filter(|ask| ask.sent < *first).map(|ask| ask.heard);
                let asked = earlier.max().unwrap_or_default().max(acknowledged);
                *first <= asked + GAP_MAX
            });
            let after = first.map(|sent| sent.saturating_sub(acknowledged));
            self.refused_after.extend(after);
        }
        self.exposed += usize::from(is_exposed);
    }

    /// How long after the acknowledgement so many in a thousand were no longer accepted.
    #[must_use]
    pub fn refused_within(&self, permille: usize) -> Duration {
        let mut times = self.refused_after.clone();
        times.sort_unstable();
        let rank = (times.len() * permille).div_ceil(1000).max(1);
        times.get(rank - 1).copied().unwrap_or_default()
    }
}
