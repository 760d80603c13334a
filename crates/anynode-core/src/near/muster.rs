//! The muster on a primary that took over: it is read when all nodes have written again, there,
//! what they remember.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use crate::store::{Deposed, Reign};

/// What one node knows of the muster on one primary and on those that take over from it.
///
/// A primary may take over without revocations that the former one acknowledged. Nodes remember
/// these and write them again, but they do not find the new primary at the same time: who is
/// first would accept a session that another node knows to have ended. So nobody reads the new
/// primary before all nodes have mustered there, each after it wrote again what it remembers; or
/// before `patience` is over, since a node may be gone.
///
/// A node tells by its [`Reign`] where it stands. Time is a [`Duration`] on the boot clock.
///
/// ```
/// # use anynode_core::near::{Member, MemberId, Muster, Mustered};
/// # use anynode_core::store::Reign;
/// # use std::time::Duration;
/// let (now, patience) = (Duration::from_secs(9), Duration::from_secs(5));
/// let (old, new) = (Reign::new("old"), Reign::new("new"));
/// let member = |id: &str, reign: &Reign| Member { id: MemberId::new(id), reign: reign.clone() };
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
    at: Option<Reign>,
    stage: Stage,
    /// When it was first seen who is to be waited for.
    since: Option<Duration>,
    /// Terms that this node followed before, the last one at the end.
    left: VecDeque<Reign>,
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
    pub reign: Reign,
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

/// How many former reigns are remembered: a revocation waits for its replicas for no more than
/// some seconds, and fail-overs take longer.
const LEFT_MAX: usize = 16;

// === impl Muster ===

impl Muster {
    /// How long others are waited for, where a deposed primary may go on for so long, if that is
    /// known: for as long, and a second to find the one that took over and to write there. Where
    /// nothing bounds it no bound is claimed, and it is 5 s. Until it is known it is 13 s: what
    /// follows from the 10 s that a replica of Redis may be silent by default.
    pub fn patience(deposed: Option<Deposed>) -> Duration {
        const COMING: Duration = Duration::from_secs(1);
        match deposed {
            Some(Deposed::Within(bound)) => bound + COMING,
            Some(Deposed::Never | Deposed::Unbounded) => Duration::from_secs(5),
            None => Duration::from_secs(13),
        }
    }

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

    /// Follows the primary of this reign.
    ///
    /// From then on [`Muster::has_left`] says so of the former reign. What is to be written again
    /// is to be looked up after this, so that a revocation which was remembered later is asked
    /// for by whoever made it.
    pub fn follow(&mut self, reign: &Reign) -> Followed {
        if self.at.as_ref() == Some(reign) {
            return Followed::Same;
        }
        self.left.retain(|left| left != reign);
        self.left.extend(self.at.replace(reign.clone()));
        if self.left.len() > LEFT_MAX {
            self.left.pop_front();
        }
        self.stage = Stage::Writes;
        self.since = None;
        Followed::Another
    }

    /// The reign to be told to the others: of the primary that is followed, once all that is
    /// remembered was written there.
    pub fn stand(&self) -> Option<&Reign> {
        let has_written = self.stage != Stage::Writes || crate::planted("musters_before_it_wrote");
        self.at.as_ref().filter(|_| has_written)
    }

    /// Notes that all that this node remembers was written on the primary of this reign.
    pub fn wrote(&mut self, reign: &Reign) {
        if self.at.as_ref() == Some(reign) && self.stage == Stage::Writes {
            self.stage = Stage::Waits;
        }
    }

    /// Takes in who is on the list of the primary of this reign, after this node has written all
    /// there. Others are waited for until `patience` is over, which begins with the first list: a
    /// primary that refuses to be written to refuses all.
    ///
    /// Who was on the list when it was last seen, and is no more, is waited for too: the list may
    /// have been lost with the former primary, or be older than that node.
    pub fn told(
        &mut self,
        reign: &Reign,
        listed: Vec<Member>,
        patience: Duration,
        now: Duration,
    ) -> Mustered {
        let (mut here, mut away) = (BTreeSet::new(), BTreeSet::new());
        for member in listed.into_iter().filter(|one| one.id != self.me) {
            match member.reign == *reign {
                true => here.insert(member.id),
                false => away.insert(member.id),
            };
        }
        if self.stage != Stage::Open {
            away.extend(self.others.difference(&here).cloned());
        }
        if self.stand() != Some(reign) {
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

    /// Whether what the primary of this reign answers may be believed.
    pub fn may_read(&self, reign: &Reign) -> bool {
        if crate::planted("takeover_is_read_at_once") {
            return true;
        }
        self.stage == Stage::Open && self.at.as_ref() == Some(reign)
    }

    /// Whether another primary was followed since: what this one acknowledges is to be written
    /// on the other one too, because it may have been left out when everything was.
    pub fn has_left(&self, reign: &Reign) -> bool {
        self.left.contains(reign) && !crate::planted("late_acknowledgement_counts")
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

    fn reign(name: &str) -> Reign {
        Reign::new(name)
    }

    fn id(name: &str) -> MemberId {
        MemberId::new(name)
    }

    fn members(listed: &[(&str, &str)]) -> Vec<Member> {
        let member = |(name, at): &(&str, &str)| Member {
            id: id(name),
            reign: reign(at),
        };
        listed.iter().map(member).collect()
    }

    /// A node that reads the first primary with two others.
    fn reading() -> Muster {
        let mut muster = Muster::of(id("me"));
        let first = reign("first");
        assert_eq!(muster.follow(&first), Followed::Another);
        muster.wrote(&first);
        let listed = members(&[("me", "first"), ("a", "first"), ("b", "first")]);
        assert_eq!(muster.told(&first, listed, PATIENCE, NOW), Mustered::Whole);
        assert!(muster.may_read(&first));
        muster
    }

    /// The same when another primary took over and this node has written there.
    fn following() -> (Muster, Reign) {
        let (mut muster, second) = (reading(), reign("second"));
        assert_eq!(muster.follow(&second), Followed::Another);
        muster.wrote(&second);
        (muster, second)
    }

    #[test]
    fn others_are_waited_for_while_they_may_be_led_on_and_may_come_over() {
        let within = |millis| Some(Deposed::Within(Duration::from_millis(millis)));
        let cases = [
            (within(4_000), 5),
            (within(12_000), 13),
            (Some(Deposed::Never), 5),
            (Some(Deposed::Unbounded), 5),
            (None, 13),
        ];
        for (deposed, seconds) in cases {
            let patience = Muster::patience(deposed);
            assert_eq!(patience, Duration::from_secs(seconds), "{deposed:?}");
        }
    }

    #[test]
    fn a_primary_that_took_over_is_read_when_all_have_written_there() {
        let (mut muster, second) = following();
        assert!(!muster.may_read(&second) && !muster.may_read(&reign("first")));
        let listed = members(&[("me", "second"), ("a", "second"), ("b", "first")]);
        assert_eq!(
            muster.told(&second, listed, PATIENCE, NOW),
            Mustered::Awaits(1)
        );
        assert!(!muster.may_read(&second));
        let listed = members(&[("me", "second"), ("a", "second"), ("b", "second")]);
        assert_eq!(muster.told(&second, listed, PATIENCE, NOW), Mustered::Whole);
        assert!(muster.may_read(&second) && !muster.may_read(&reign("first")));
    }

    #[test]
    fn a_node_tells_no_other_that_it_has_written_before_it_has() {
        let (mut muster, second) = (reading(), reign("second"));
        assert_eq!(muster.stand(), Some(&reign("first")));
        muster.follow(&second);
        assert_eq!(muster.stand(), None);
        let listed = members(&[("me", "first"), ("a", "second"), ("b", "second")]);
        assert_eq!(
            muster.told(&second, listed, PATIENCE, NOW),
            Mustered::Awaits(0)
        );
        assert!(!muster.may_read(&second));
        muster.wrote(&reign("first"));
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
        let (mut muster, first) = (reading(), reign("first"));
        let listed = members(&[("me", "first"), ("a", "first")]);
        assert_eq!(muster.told(&first, listed, PATIENCE, NOW), Mustered::Whole);
        let second = reign("second");
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
        let (mut muster, second) = (Muster::of(id("new")), reign("second"));
        muster.follow(&second);
        muster.wrote(&second);
        let told = muster.told(&second, members(&[("a", "first")]), PATIENCE, NOW);
        assert_eq!(told, Mustered::Awaits(1));
        let told = muster.told(&second, members(&[("a", "second")]), PATIENCE, NOW);
        assert_eq!(told, Mustered::Whole);
    }

    #[test]
    fn who_goes_on_alone_reads_at_once() {
        let (mut muster, first) = (Muster::of(id("me")), reign("first"));
        muster.follow(&first);
        muster.wrote(&first);
        let alone = members(&[("me", "first")]);
        assert_eq!(muster.told(&first, alone, PATIENCE, NOW), Mustered::Whole);
        assert_eq!(muster.follow(&first), Followed::Same);
        assert!(muster.may_read(&first));
    }

    /// A revocation waits for replicas of the former primary while everything else is written on
    /// the new one.
    #[test]
    fn what_a_primary_acknowledges_that_was_left_is_to_be_written_again() {
        let (mut muster, second) = following();
        assert!(muster.has_left(&reign("first")) && !muster.has_left(&second));
        assert!(!muster.has_left(&reign("never followed")));
        muster.follow(&reign("first"));
        assert!(muster.has_left(&second) && !muster.has_left(&reign("first")));
        for number in 0..2 * LEFT_MAX {
            muster.follow(&reign(&number.to_string()));
        }
        assert_eq!(muster.left.len(), LEFT_MAX);
    }
}
