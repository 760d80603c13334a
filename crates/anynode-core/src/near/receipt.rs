//! When every node has confirmed a revocation, and what may be claimed when not all have.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::rate::Rate;
use crate::store::{Deposed, NodeEntry, NodeId, Roll, RollId};

/// Who has confirmed what was acknowledged before, and what that proves.
///
/// It prints as one line: `3 of 3 nodes, 2 ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The registered nodes; `None` when the store did not say who they are.
    pub nodes: Option<Attendance>,
    /// What may be claimed.
    pub proof: Proof,
    /// How long it took, from the acknowledgement on.
    pub took: Duration,
}

/// Who answered when the roll was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attendance {
    /// Those who passed a barrier that began after the acknowledgement; where nodes ask the store
    /// at every read, all of them.
    pub confirmed: Vec<NodeId>,
    /// Those who did not, or did not say so.
    pub missing: Vec<NodeId>,
}

/// Why no node may answer any more by what it knew before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Every registered node has confirmed.
    Confirmed,
    /// Nodes ask the store at every read, so that there was nothing to wait for.
    Validated,
    /// The bound has passed: this long after the acknowledgement no lease from before it is
    /// left, and no deposed primary that could have renewed one.
    Bound(Duration),
    /// Nothing bounds how long a deposed primary answers, so that a node which did not confirm
    /// may go on serving.
    Unbounded,
    /// The store did not say enough of itself.
    Unknown,
}

/// What is done next to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// [`Store::call_roll`](crate::Store::call_roll).
    Call,
    /// [`Store::nodes`](crate::Store::nodes).
    Look,
    /// [`Store::inspect`](crate::Store::inspect), for how long a deposed primary may answer.
    Inspect,
    /// Nothing for so long.
    Rest(Duration),
    /// This is all that there will be.
    Done(Receipt),
}

/// A roll that is being called: what was heard of it, and when that is enough.
///
/// Its owner performs [`Confirmation::next`] step by step and notes what came of each. Time is a
/// [`Duration`] on a boot clock. Those who have not answered are asked again a few times, for a
/// node whose channel was just being opened; each of these steps costs the store as much as there
/// are nodes, and their number does not depend on that.
#[derive(Debug)]
pub struct Confirmation {
    begun: Duration,
    term: Duration,
    called: Called,
    next_call: Duration,
    /// By node, whether it has confirmed.
    nodes: Option<BTreeMap<NodeId, bool>>,
    looks: u32,
    looked_at: Option<Duration>,
    next_look: Duration,
    deposed: Option<Deposed>,
    inspected_at: Option<Duration>,
    next_inspection: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Called {
    NotYet,
    Under(RollId),
    Validated,
}

/// How often a roll is called within a term.
const CALLS_PER_TERM: u32 = 4;

/// How long after a step that failed it is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// The first answers are looked for after so long, and then twice as late each time.
const LOOK_FIRST: Duration = Duration::from_millis(1);

/// But no later than so often: 2^5 times the first.
const LOOK_DOUBLINGS: u32 = 5;

/// How long after the bound the last questions may take: whoever asks may have stood still until
/// then, and what is known by then is worth more than that it was not asked for.
const GRACE: Duration = Duration::from_secs(2);

/// How many of the nodes that did not confirm are named in a line.
const NAMED_MAX: usize = 8;

// === impl Confirmation ===

impl Confirmation {
    /// Nothing is known yet of what was acknowledged by `now`. `term` is the longest lease that a
    /// node of the fleet may hold.
    pub fn new(term: Duration, now: Duration) -> Self {
        Self {
            begun: now,
            term,
            called: Called::NotYet,
            next_call: now,
            nodes: None,
            looks: 0,
            looked_at: None,
            next_look: now,
            deposed: None,
            inspected_at: None,
            // A fleet in which everybody answers is never asked what bounds the others.
            next_inspection: now + term / CALLS_PER_TERM,
        }
    }

    /// What is done next.
    pub fn next(&self, now: Duration) -> Step {
        if let Some(proof) = self.proof(now) {
            return Step::Done(self.receipt(proof, now));
        }
        if self.end() <= now
            && let Some(question) = self.last_question()
        {
            return question;
        }
        let looks = self.called != Called::NotYet;
        if self.next_call <= now && self.called != Called::Validated {
            return Step::Call;
        }
        if looks && self.next_look <= now {
            return Step::Look;
        }
        if self.deposed.is_none() && self.next_inspection <= now {
            return Step::Inspect;
        }
        let mut until = self.end().min(self.next_call);
        if looks {
            until = until.min(self.next_look);
        }
        if self.deposed.is_none() {
            until = until.min(self.next_inspection);
        }
        Step::Rest(until.saturating_sub(now))
    }

    /// For how long a step that begins now may take: until there is no use in its outcome.
    pub fn patience(&self, now: Duration) -> Duration {
        let end = self.end();
        let until = if now < end { end } else { end + GRACE };
        until.saturating_sub(now).max(AGAIN)
    }

    /// Notes what came of a call; `None` when it failed.
    pub fn called(&mut self, roll: Option<Roll>, now: Duration) {
        self.next_call = now + self.term / CALLS_PER_TERM;
        match (roll, self.called) {
            (Some(Roll::Called(roll)), Called::NotYet) => {
                self.called = Called::Under(roll);
                self.next_look = now + LOOK_FIRST;
            }
            (Some(Roll::Validated), _) => {
                self.called = Called::Validated;
                self.next_look = now;
            }
            // An answer to a later call stands for the first one as well.
            (Some(Roll::Called(_)), _) => {}
            (None, _) => self.next_call = now + AGAIN,
        }
    }

    /// Notes who is registered and has answered what; `None` when the store did not say.
    ///
    /// Who is counted is settled by the first look. Whoever registers later has read a snapshot
    /// in which everything is; whoever falls silent stays counted, as one who did not confirm.
    pub fn looked(&mut self, nodes: Option<&[NodeEntry]>, now: Duration) {
        self.next_look = now + LOOK_FIRST * (1 << self.looks.min(LOOK_DOUBLINGS));
        self.looks += 1;
        self.looked_at = Some(now);
        let (Some(entries), called) = (nodes, self.called) else {
            return;
        };
        let is_first = self.nodes.is_none();
        let nodes = self.nodes.get_or_insert_default();
        for entry in entries {
            let has_answered = match called {
                Called::Under(_) if crate::planted("receipt_takes_any_answer") => {
                    entry.answered.is_some()
                }
                Called::Under(roll) => entry.answered >= Some(roll),
                Called::NotYet | Called::Validated => false,
            };
            if is_first {
                nodes.insert(entry.node.clone(), has_answered);
            } else if let Some(confirmed) = nodes.get_mut(&entry.node) {
                *confirmed |= has_answered;
            }
        }
    }

    /// Notes how long a deposed primary may answer; `None` when the store did not say.
    pub fn inspected(&mut self, deposed: Option<Deposed>, now: Duration) {
        self.deposed = deposed;
        self.inspected_at = Some(now);
        self.next_inspection = now + self.term / CALLS_PER_TERM;
    }

    /// What there is to claim, once there is nothing left to wait for.
    fn proof(&self, now: Duration) -> Option<Proof> {
        if self.called == Called::Validated {
            return (self.looks > 0).then_some(Proof::Validated);
        }
        let nodes = self.nodes.as_ref();
        if nodes.is_some_and(|nodes| nodes.values().all(|confirmed| *confirmed)) {
            return Some(Proof::Confirmed);
        }
        if now < self.end() || self.last_question().is_some() {
            return None;
        }
        Some(match self.deposed {
            Some(Deposed::Never | Deposed::Within(_)) => Proof::Bound(self.bound()),
            Some(Deposed::Unbounded) => Proof::Unbounded,
            None => Proof::Unknown,
        })
    }

    /// What has not been asked since the end.
    fn last_question(&self) -> Option<Step> {
        let is_due = |asked: Option<Duration>| asked.is_none_or(|at| at < self.end());
        if self.called != Called::NotYet && is_due(self.looked_at) {
            return Some(Step::Look);
        }
        (self.deposed.is_none() && is_due(self.inspected_at)).then_some(Step::Inspect)
    }

    /// When nobody is waited for any more.
    fn end(&self) -> Duration {
        self.begun + self.bound()
    }

    /// L + D, counted on a clock that may run fast by as much as the others' run slow; where
    /// there is no D, how long is waited all the same.
    fn bound(&self) -> Duration {
        let lease = self.term + self.term / (Rate::ERROR - 1);
        let deposed = match self.deposed {
            Some(Deposed::Within(deposed)) if !crate::planted("receipt_bound_without_d") => deposed,
            _ => Duration::ZERO,
        };
        let bound = lease + deposed;
        bound + bound / (Rate::ERROR - 1)
    }

    fn receipt(&self, proof: Proof, now: Duration) -> Receipt {
        let attendance = |nodes: &BTreeMap<NodeId, bool>| {
            let mut attendance = Attendance::default();
            for (node, confirmed) in nodes {
                let those = match *confirmed || proof == Proof::Validated {
                    true => &mut attendance.confirmed,
                    false => &mut attendance.missing,
                };
                those.push(node.clone());
            }
            attendance
        };
        Receipt {
            nodes: self.nodes.as_ref().map(attendance),
            proof,
            took: now.saturating_sub(self.begun),
        }
    }
}

// === impl Attendance ===

impl Attendance {
    fn count(&self) -> usize {
        self.confirmed.len() + self.missing.len()
    }
}

// === impl Receipt ===

impl Receipt {
    /// Whether no node may answer any more by what it knew before. Where the store may have been
    /// deposed meanwhile, that is for sure once the bound has passed, and otherwise of those
    /// nodes that are registered with the primary that answered.
    pub fn is_proven(&self) -> bool {
        !matches!(self.proof, Proof::Unbounded | Proof::Unknown)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.took.as_micros().div_ceil(1_000);
        match (&self.nodes, self.proof) {
            (None, Proof::Validated) => {
                let who = "nodes ask the store at every read";
                write!(f, "nothing to confirm: {who}, {millis} ms")?;
            }
            (Some(nodes), Proof::Validated) if nodes.count() > 0 => {
                let count = Count(nodes.count(), " asks", "s ask");
                let how = "the store at every read";
                write!(f, "nothing to confirm: {count} {how}, {millis} ms")?;
            }
            (None, _) => write!(f, "it is not known which nodes confirmed, {millis} ms")?,
            (Some(nodes), _) => write!(f, "{nodes}, {millis} ms")?,
        }
        match self.proof {
            Proof::Confirmed | Proof::Validated => Ok(()),
            Proof::Bound(bound) => write!(
                f,
                "; the bound of {} ms has passed, so that no node may still serve it",
                bound.as_millis()
            ),
            Proof::Unbounded => f.write_str(
                "; they may still serve it: nothing bounds how long a deposed primary of the store \
                 answers",
            ),
            Proof::Unknown => f.write_str(
                "; they may still serve it: the store did not say how long a deposed primary of it \
                 answers",
            ),
        }
    }
}

impl fmt::Display for Attendance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { confirmed, missing } = self;
        if self.count() == 0 {
            return f.write_str("no node keeps copies");
        }
        let count = Count(self.count(), "", "s");
        write!(f, "{} of {count}", confirmed.len())?;
        for (number, node) in missing.iter().take(NAMED_MAX).enumerate() {
            let before = if number == 0 { " (not " } else { ", " };
            write!(f, "{before}{node}")?;
        }
        match missing.len() {
            0 => Ok(()),
            some if some <= NAMED_MAX => f.write_str(")"),
            many => write!(f, " and {} more)", many - NAMED_MAX),
        }
    }
}

/// So many nodes, and what follows the word for one of them and for others.
struct Count(usize, &'static str, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, of_one, of_others) = self;
        let ending = if *count == 1 { of_one } else { of_others };
        write!(f, "{count} node{ending}")
    }
}

#[cfg(test)]
mod tests;
