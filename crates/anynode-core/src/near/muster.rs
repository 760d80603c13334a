//! The muster on a primary that took over: it is read when all nodes have written again, there,
//! what they remember.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use crate::store::Term;

/// What one node knows of the muster on one primary and on those that take over from it.
///
/// A primary may take over without revocations that the former one acknowledged. Nodes remember
/// these and write them again, but they do not find the new primary at the same time: who is
/// first would accept a session that another node knows to have ended. So nobody reads the new
/// primary before all nodes have mustered there, each after it wrote again what it remembers; or
/// before `patience` is over, since a node may be gone.
///
/// A node tells by its [`Term`] where it stands. Time is a [`Duration`] on the boot clock.
///
/// ```
/// # use anynode_core::near::{Member, MemberId, Muster, Mustered, Roster};
/// # use anynode_core::store::Term;
/// # use std::time::Duration;
/// let (now, patience) = (Duration::from_secs(9), Duration::from_secs(5));
/// let (old, new) = (Term::new("old"), Term::new("new"));
/// let member = |id: &str, term: &Term| Member { id: MemberId::new(id), term: term.clone() };
/// let mut muster = Muster::of(MemberId::new("me"));
/// muster.follow(&new, patience, now);
/// muster.wrote(&new);
/// let roster = |other| Roster::Kept(vec![member("me", &old), member("other", other)]);
/// assert!(matches!(muster.told(&new, roster(&old), now), Mustered::Awaits(1)));
/// assert!(!muster.may_read(&new));
/// assert!(matches!(muster.told(&new, roster(&new), now), Mustered::Whole));
/// assert!(muster.may_read(&new));
/// ```
pub struct Muster {
    me: MemberId,
    at: Option<Term>,
    stage: Stage,
    /// Nobody is waited for any longer from then on.
    until: Duration,
    /// Terms that this node followed before, the last one at the end.
    left: VecDeque<Term>,
    /// Who else was there when this node last saw all.
    others: BTreeSet<MemberId>,
}

/// A node that remembers revocations, under a name that is new whenever it starts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(Arc<str>);

/// Where a member stands: the primary on which it last wrote all that it remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// Where.
    pub term: Term,
}

/// The members as a primary lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roster {
    /// This node was on the list, which came over from the primary before.
    Kept(Vec<Member>),
    /// This node was not on the list: it is new, or the list was lost with the former primary.
    Lost(Vec<Member>),
}

/// What following a primary means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It is the one that was followed before.
    Same,
    /// It is another one: all that is remembered is to be written there before anything else.
    Another,
}

/// What came of looking at the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mustered {
    /// So many have not written again yet.
    Awaits(usize),
    /// All have.
    Whole,
    /// These have not, and are waited for no longer: they may be struck off the list.
    Without(Vec<MemberId>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What this node remembers is not there yet.
    Writes,
    /// It is; that of others may not be.
    Waits,
    Open,
}

/// How many former terms are remembered: a revocation waits for its replicas for no more than
/// some seconds, and fail-overs take longer.
const LEFT_MAX: usize = 16;

// === impl Muster ===

impl Muster {
    /// The muster as this node sees it, which follows no primary yet.
    pub fn of(me: MemberId) -> Self {
        Self {
            me,
            at: None,
            stage: Stage::Writes,
            until: Duration::ZERO,
            left: VecDeque::new(),
            others: BTreeSet::new(),
        }
    }

    /// Follows the primary of this term. If it is another one, others are waited for until
    /// `patience` is over.
    ///
    /// From then on [`Muster::has_left`] says so of the former term. What is to be written again
    /// is to be looked up after this, so that a revocation which was remembered later is asked
    /// for by whoever made it.
    pub fn follow(&mut self, term: &Term, patience: Duration, now: Duration) -> Followed {
        if self.at.as_ref() == Some(term) {
            return Followed::Same;
        }
        self.left.retain(|left| left != term);
        self.left.extend(self.at.replace(term.clone()));
        if self.left.len() > LEFT_MAX {
            self.left.pop_front();
        }
        self.stage = Stage::Writes;
        self.until = now + patience;
        Followed::Another
    }

    /// The term to be told to the others: of the primary that is followed, once all that is
    /// remembered was written there.
    pub fn stand(&self) -> Option<&Term> {
        let has_written = self.stage != Stage::Writes || crate::planted("musters_before_it_wrote");
        self.at.as_ref().filter(|_| has_written)
    }

    /// Notes that all that this node remembers was written on the primary of this term.
    pub fn wrote(&mut self, term: &Term) {
        if self.at.as_ref() == Some(term) && self.stage == Stage::Writes {
            self.stage = Stage::Waits;
        }
    }

    /// Takes in what the primary of this term lists, after this node was put on the list.
    pub fn told(&mut self, term: &Term, roster: Roster, now: Duration) -> Mustered {
        let is_kept = matches!(roster, Roster::Kept(_));
        let (Roster::Kept(listed) | Roster::Lost(listed)) = roster;
        let (mut here, mut away) = (BTreeSet::new(), BTreeSet::new());
        for member in listed.into_iter().filter(|one| one.id != self.me) {
            match member.term == *term {
                true => here.insert(member.id),
                false => away.insert(member.id),
            };
        }
        if !is_kept {
            away.extend(self.others.difference(&here).cloned());
        }
        if self.stand() != Some(term) {
            return Mustered::Awaits(away.len());
        }
        if away.is_empty() || self.stage == Stage::Open {
            self.stage = Stage::Open;
            self.others = here;
            return Mustered::Whole;
        }
        if now < self.until {
            return Mustered::Awaits(away.len());
        }
        self.stage = Stage::Open;
        self.others = here;
        Mustered::Without(away.into_iter().collect())
    }

    /// Whether what the primary of this term answers may be believed.
    pub fn may_read(&self, term: &Term) -> bool {
        if crate::planted("takeover_is_read_at_once") {
            return true;
        }
        self.stage == Stage::Open && self.at.as_ref() == Some(term)
    }

    /// Whether all is read that is followed, so that nothing has to be hurried.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Whether another primary was followed since: what this one acknowledges is to be written
    /// on the other one too, because it may have been left out when everything was.
    pub fn has_left(&self, term: &Term) -> bool {
        self.left.contains(term) && !crate::planted("late_acknowledgement_counts")
    }
}

impl fmt::Debug for Muster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Muster")
            .field("at", &self.at)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

// === impl MemberId ===

impl MemberId {
    /// The member of this name.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);
    const NOW: Duration = Duration::from_secs(100);

    fn term(name: &str) -> Term {
        Term::new(name)
    }

    fn id(name: &str) -> MemberId {
        MemberId::new(name)
    }

    fn members(listed: &[(&str, &str)]) -> Vec<Member> {
        let member = |(name, at): &(&str, &str)| Member {
            id: id(name),
            term: term(at),
        };
        listed.iter().map(member).collect()
    }

    fn kept(listed: &[(&str, &str)]) -> Roster {
        Roster::Kept(members(listed))
    }

    /// A node that reads the first primary with two others.
    fn reading() -> Muster {
        let mut muster = Muster::of(id("me"));
        let first = term("first");
        assert_eq!(muster.follow(&first, PATIENCE, NOW), Followed::Another);
        muster.wrote(&first);
        let listed = kept(&[("me", "first"), ("a", "first"), ("b", "first")]);
        assert_eq!(muster.told(&first, listed, NOW), Mustered::Whole);
        assert!(muster.may_read(&first));
        muster
    }

    /// The same when another primary took over and this node has written there.
    fn following() -> (Muster, Term) {
        let (mut muster, second) = (reading(), term("second"));
        assert_eq!(muster.follow(&second, PATIENCE, NOW), Followed::Another);
        muster.wrote(&second);
        (muster, second)
    }

    #[test]
    fn a_primary_that_took_over_is_read_when_all_have_written_there() {
        let (mut muster, second) = following();
        assert!(!muster.may_read(&second) && !muster.may_read(&term("first")));
        let listed = kept(&[("me", "second"), ("a", "second"), ("b", "first")]);
        assert_eq!(muster.told(&second, listed, NOW), Mustered::Awaits(1));
        assert!(!muster.may_read(&second));
        let listed = kept(&[("me", "second"), ("a", "second"), ("b", "second")]);
        assert_eq!(muster.told(&second, listed, NOW), Mustered::Whole);
        assert!(muster.may_read(&second) && !muster.may_read(&term("first")));
    }

    #[test]
    fn a_node_tells_no_other_that_it_has_written_before_it_has() {
        let (mut muster, second) = (reading(), term("second"));
        assert_eq!(muster.stand(), Some(&term("first")));
        muster.follow(&second, PATIENCE, NOW);
        assert_eq!(muster.stand(), None);
        let listed = kept(&[("me", "first"), ("a", "second"), ("b", "second")]);
        assert_eq!(muster.told(&second, listed, NOW), Mustered::Awaits(0));
        assert!(!muster.may_read(&second));
        muster.wrote(&term("first"));
        assert_eq!(muster.stand(), None, "it wrote elsewhere");
        muster.wrote(&second);
        assert_eq!(muster.stand(), Some(&second));
    }

    #[test]
    fn a_node_that_does_not_come_is_waited_for_until_patience_is_over() {
        let (mut muster, second) = following();
        let listed = || kept(&[("me", "second"), ("a", "second"), ("b", "first")]);
        let over = NOW + PATIENCE;
        let just_before = over - Duration::from_millis(1);
        let told = muster.told(&second, listed(), just_before);
        assert_eq!(told, Mustered::Awaits(1));
        let told = muster.told(&second, listed(), over);
        assert_eq!(told, Mustered::Without(vec![id("b")]));
        assert!(muster.may_read(&second));
        let told = muster.told(&second, listed(), over);
        assert_eq!(told, Mustered::Whole, "once it is read it stays so");
    }

    #[test]
    fn where_the_list_was_lost_those_that_were_known_are_waited_for() {
        let (mut muster, second) = following();
        let lost = |listed: &[(&str, &str)]| Roster::Lost(members(listed));
        let told = muster.told(&second, lost(&[("me", "second")]), NOW);
        assert_eq!(told, Mustered::Awaits(2));
        let back = lost(&[("me", "second"), ("a", "second"), ("b", "second")]);
        assert_eq!(muster.told(&second, back, NOW), Mustered::Whole);
    }

    #[test]
    fn a_node_that_left_before_is_not_waited_for() {
        let (mut muster, second) = following();
        let listed = kept(&[("me", "second"), ("a", "second")]);
        assert_eq!(muster.told(&second, listed, NOW), Mustered::Whole);
    }

    #[test]
    fn a_node_that_starts_waits_for_those_that_have_not_written_yet() {
        let (mut muster, second) = (Muster::of(id("new")), term("second"));
        muster.follow(&second, PATIENCE, NOW);
        muster.wrote(&second);
        let lost = |at| Roster::Lost(members(&[("new", "second"), ("a", at)]));
        let told = muster.told(&second, lost("first"), NOW);
        assert_eq!(told, Mustered::Awaits(1));
        assert_eq!(muster.told(&second, lost("second"), NOW), Mustered::Whole);
    }

    #[test]
    fn who_goes_on_alone_reads_at_once() {
        let (mut muster, first) = (Muster::of(id("me")), term("first"));
        muster.follow(&first, PATIENCE, NOW);
        muster.wrote(&first);
        let alone = Roster::Lost(members(&[("me", "first")]));
        assert_eq!(muster.told(&first, alone, NOW), Mustered::Whole);
        assert_eq!(muster.follow(&first, PATIENCE, NOW), Followed::Same);
        assert!(muster.is_open());
    }

    /// A revocation waits for replicas of the former primary while everything else is written on
    /// the new one.
    #[test]
    fn what_a_primary_acknowledges_that_was_left_is_to_be_written_again() {
        let (mut muster, second) = following();
        assert!(muster.has_left(&term("first")) && !muster.has_left(&second));
        assert!(!muster.has_left(&term("never followed")));
        muster.follow(&term("first"), PATIENCE, NOW);
        assert!(muster.has_left(&second) && !muster.has_left(&term("first")));
        for number in 0..2 * LEFT_MAX {
            muster.follow(&term(&number.to_string()), PATIENCE, NOW);
        }
        assert_eq!(muster.left.len(), LEFT_MAX);
    }
}
