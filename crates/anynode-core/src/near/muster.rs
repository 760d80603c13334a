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
/// # use anynode_core::near::{Member, MemberId, Muster, Mustered};
/// # use anynode_core::store::Term;
/// # use std::time::Duration;
/// let (now, patience) = (Duration::from_secs(9), Duration::from_secs(5));
/// let (old, new) = (Term::new("old"), Term::new("new"));
/// let member = |id: &str, term: &Term| Member { id: MemberId::new(id), term: term.clone() };
/// let mut muster = Muster::of(MemberId::new("me"));
/// muster.follow(&new);
/// muster.wrote(&new);
/// let list = |other| vec![member("me", &new), member("other", other)];
/// assert!(matches!(muster.told(&new, list(&old), patience, now), Mustered::Awaits(1)));
/// assert!(!muster.may_read(&new));
/// assert!(matches!(muster.told(&new, list(&new), patience, now), Mustered::Whole));
/// assert!(muster.may_read(&new));
/// ```
pub struct Muster {
    me: MemberId,
    at: Option<Term>,
    stage: Stage,
    /// When it was first seen who is to be waited for.
    since: Option<Duration>,
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
    /// The same, and it was told before: they are on the list still.
    Overdue(Vec<MemberId>),
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
            since: None,
            left: VecDeque::new(),
            others: BTreeSet::new(),
        }
    }

    /// Follows the primary of this term.
    ///
    /// From then on [`Muster::has_left`] says so of the former term. What is to be written again
    /// is to be looked up after this, so that a revocation which was remembered later is asked
    /// for by whoever made it.
    pub fn follow(&mut self, term: &Term) -> Followed {
        if self.at.as_ref() == Some(term) {
            return Followed::Same;
        }
        self.left.retain(|left| left != term);
        self.left.extend(self.at.replace(term.clone()));
        if self.left.len() > LEFT_MAX {
            self.left.pop_front();
        }
        self.stage = Stage::Writes;
        self.since = None;
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

    /// Takes in who is on the list of the primary of this term, after this node has written all
    /// there. Others are waited for until `patience` is over, which begins with the first list: a
    /// primary that refuses to be written to refuses all.
    ///
    /// Who was on the list when it was last seen, and is no more, is waited for too: the list may
    /// have been lost with the former primary, or be older than that node.
    pub fn told(
        &mut self,
        term: &Term,
        listed: Vec<Member>,
        patience: Duration,
        now: Duration,
    ) -> Mustered {
        let (mut here, mut away) = (BTreeSet::new(), BTreeSet::new());
        for member in listed.into_iter().filter(|one| one.id != self.me) {
            match member.term == *term {
                true => here.insert(member.id),
                false => away.insert(member.id),
            };
        }
        if self.stage != Stage::Open {
            away.extend(self.others.difference(&here).cloned());
        }
        if self.stand() != Some(term) {
            return Mustered::Awaits(away.len());
        }
        let is_over = *self.since.get_or_insert(now) + patience <= now;
        let was_open = self.stage == Stage::Open;
        if !was_open && !is_over && !away.is_empty() {
            return Mustered::Awaits(away.len());
        }
        self.stage = Stage::Open;
        self.others = here;
        let away: Vec<_> = away.into_iter().collect();
        match was_open {
            _ if away.is_empty() => Mustered::Whole,
            false => Mustered::Without(away),
            true if is_over => Mustered::Overdue(away),
            // It is about to come, or to be found out.
            true => Mustered::Whole,
        }
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

    /// A node that reads the first primary with two others.
    fn reading() -> Muster {
        let mut muster = Muster::of(id("me"));
        let first = term("first");
        assert_eq!(muster.follow(&first), Followed::Another);
        muster.wrote(&first);
        let listed = members(&[("me", "first"), ("a", "first"), ("b", "first")]);
        assert_eq!(muster.told(&first, listed, PATIENCE, NOW), Mustered::Whole);
        assert!(muster.may_read(&first));
        muster
    }

    /// The same when another primary took over and this node has written there.
    fn following() -> (Muster, Term) {
        let (mut muster, second) = (reading(), term("second"));
        assert_eq!(muster.follow(&second), Followed::Another);
        muster.wrote(&second);
        (muster, second)
    }

    #[test]
    fn a_primary_that_took_over_is_read_when_all_have_written_there() {
        let (mut muster, second) = following();
        assert!(!muster.may_read(&second) && !muster.may_read(&term("first")));
        let listed = members(&[("me", "second"), ("a", "second"), ("b", "first")]);
        assert_eq!(
            muster.told(&second, listed, PATIENCE, NOW),
            Mustered::Awaits(1)
        );
        assert!(!muster.may_read(&second));
        let listed = members(&[("me", "second"), ("a", "second"), ("b", "second")]);
        assert_eq!(muster.told(&second, listed, PATIENCE, NOW), Mustered::Whole);
        assert!(muster.may_read(&second) && !muster.may_read(&term("first")));
    }

    #[test]
    fn a_node_tells_no_other_that_it_has_written_before_it_has() {
        let (mut muster, second) = (reading(), term("second"));
        assert_eq!(muster.stand(), Some(&term("first")));
        muster.follow(&second);
        assert_eq!(muster.stand(), None);
        let listed = members(&[("me", "first"), ("a", "second"), ("b", "second")]);
        assert_eq!(
            muster.told(&second, listed, PATIENCE, NOW),
            Mustered::Awaits(0)
        );
        assert!(!muster.may_read(&second));
        muster.wrote(&term("first"));
        assert_eq!(muster.stand(), None, "it wrote elsewhere");
        muster.wrote(&second);
        assert_eq!(muster.stand(), Some(&second));
    }

    #[test]
    fn a_node_that_does_not_come_is_waited_for_until_patience_is_over() {
        let (mut muster, second) = following();
        let listed = || members(&[("me", "second"), ("a", "second"), ("b", "first")]);
        let told = muster.told(&second, listed(), PATIENCE, NOW);
        assert_eq!(told, Mustered::Awaits(1));
        let over = NOW + PATIENCE;
        let just_before = over - Duration::from_millis(1);
        let told = muster.told(&second, listed(), PATIENCE, just_before);
        assert_eq!(told, Mustered::Awaits(1));
        let told = muster.told(&second, listed(), PATIENCE, over);
        assert_eq!(told, Mustered::Without(vec![id("b")]));
        assert!(muster.may_read(&second));
        let told = muster.told(&second, listed(), PATIENCE, over);
        assert_eq!(told, Mustered::Overdue(vec![id("b")]));
        assert!(muster.may_read(&second), "once it is read it stays so");
    }

    #[test]
    fn those_that_were_known_are_waited_for_where_the_list_does_not_have_them() {
        let (mut muster, second) = following();
        let told = muster.told(&second, members(&[("me", "second")]), PATIENCE, NOW);
        assert_eq!(told, Mustered::Awaits(2), "the list was lost");
        let older = members(&[("me", "second"), ("a", "second")]);
        let told = muster.told(&second, older, PATIENCE, NOW);
        assert_eq!(
            told,
            Mustered::Awaits(1),
            "the list is older than one of them"
        );
        let whole = members(&[("me", "second"), ("a", "second"), ("b", "second")]);
        let told = muster.told(&second, whole, PATIENCE, NOW);
        assert_eq!(told, Mustered::Whole);
    }

    #[test]
    fn a_node_that_left_before_is_not_waited_for() {
        let (mut muster, first) = (reading(), term("first"));
        let listed = members(&[("me", "first"), ("a", "first")]);
        assert_eq!(muster.told(&first, listed, PATIENCE, NOW), Mustered::Whole);
        let second = term("second");
        muster.follow(&second);
        muster.wrote(&second);
        let listed = members(&[("me", "second"), ("a", "second")]);
        assert_eq!(muster.told(&second, listed, PATIENCE, NOW), Mustered::Whole);
    }

    /// The primary had no replicas for a minute and took no writes. The first node that got
    /// through then found that the time for the others was over.
    #[test]
    fn patience_begins_when_the_list_can_be_read() {
        let (mut muster, second) = following();
        let listed = || members(&[("me", "second"), ("a", "second"), ("b", "first")]);
        let late = NOW + 12 * PATIENCE;
        let told = muster.told(&second, listed(), PATIENCE, late);
        assert_eq!(told, Mustered::Awaits(1));
        let told = muster.told(&second, listed(), PATIENCE, late + PATIENCE);
        assert_eq!(told, Mustered::Without(vec![id("b")]));
    }

    #[test]
    fn a_node_that_starts_waits_for_those_that_have_not_written_yet() {
        let (mut muster, second) = (Muster::of(id("new")), term("second"));
        muster.follow(&second);
        muster.wrote(&second);
        let told = muster.told(&second, members(&[("a", "first")]), PATIENCE, NOW);
        assert_eq!(told, Mustered::Awaits(1));
        let told = muster.told(&second, members(&[("a", "second")]), PATIENCE, NOW);
        assert_eq!(told, Mustered::Whole);
    }

    #[test]
    fn who_goes_on_alone_reads_at_once() {
        let (mut muster, first) = (Muster::of(id("me")), term("first"));
        muster.follow(&first);
        muster.wrote(&first);
        let alone = members(&[("me", "first")]);
        assert_eq!(muster.told(&first, alone, PATIENCE, NOW), Mustered::Whole);
        assert_eq!(muster.follow(&first), Followed::Same);
        assert!(muster.is_open());
    }

    /// A revocation waits for replicas of the former primary while everything else is written on
    /// the new one.
    #[test]
    fn what_a_primary_acknowledges_that_was_left_is_to_be_written_again() {
        let (mut muster, second) = following();
        assert!(muster.has_left(&term("first")) && !muster.has_left(&second));
        assert!(!muster.has_left(&term("never followed")));
        muster.follow(&term("first"));
        assert!(muster.has_left(&second) && !muster.has_left(&term("first")));
        for number in 0..2 * LEFT_MAX {
            muster.follow(&term(&number.to_string()));
        }
        assert_eq!(muster.left.len(), LEFT_MAX);
    }
}
