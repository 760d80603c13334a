//! How far behind answers are: for how long something had been acknowledged, when they were
//! asked for, that they do not know of.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spread::Spread;
use crate::history::{Source, Told, Witnessed};

/// How far behind answers are, and how old they say that they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staleness {
    /// Writes and revocations that were acknowledged.
    pub acknowledged: usize,
    /// Answers that accepted a session, however far behind they are.
    pub answers: usize,
    /// How far behind they were; one that knew everything is at zero.
    pub behind: Spread,
    /// How old those from a copy said that they were, as of when they were asked for.
    pub copies: Spread,
    /// How old those from the store said that they were, as of when they were asked for.
    pub loads: Spread,
    /// How far the farthest was behind.
    pub behind_max: Duration,
    /// Answers that were further behind than the bound.
    pub beyond: usize,
    /// Answers that were further behind than they said that they were old.
    pub understated: usize,
}

/// Judges what was witnessed.
#[must_use]
pub fn staleness(witnessed: &Witnessed, bound: Duration) -> Staleness {
    let news = News::of(witnessed);
    let mut sum = Staleness {
        acknowledged: news.count(),
        ..Staleness::default()
    };
    for ask in &witnessed.asks {
        let Told::Accepted { visits, age } = ask.told else {
            continue;
        };
        let unknown = news.first_unknown_to(ask.session, visits);
        let behind = unknown.map_or(Duration::ZERO, |at| ask.sent.saturating_sub(at));
        sum.answers += 1;
        sum.behind.add(behind);
        sum.behind_max = sum.behind_max.max(behind);
        sum.beyond += usize::from(behind > bound);
        let Some(age) = age else { continue };
        sum.understated += usize::from(behind > age.old + GRAIN);
        // The answer was given after it was asked for, by no more than it took.
        let took = ask.heard.saturating_sub(ask.sent);
        let old = age.old.saturating_sub(took);
        match age.from {
            Source::Copy => sum.copies.add(old),
            Source::Store => sum.loads.add(old),
        }
    }
    sum
}

/// Nodes count in microseconds.
const GRAIN: Duration = Duration::from_micros(2);

/// What was acknowledged of each session, in its order: how many visits it has from then on, and
/// none at all from its end on.
struct News(BTreeMap<u32, Vec<(u64, Duration)>>);

// === impl News ===

impl News {
    fn of(witnessed: &Witnessed) -> Self {
        let mut news: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for write in &witnessed.writes {
            if let (Some(visits), Some(at)) = (write.visits, write.acknowledged) {
                news.entry(write.session).or_default().push((visits, at));
            }
        }
        for end in &witnessed.ends {
            for session in &end.sessions {
                let ended = end.acknowledged.map(|at| (u64::MAX, at));
                news.entry(*session).or_default().extend(ended);
            }
        }
        Self(news)
    }

    fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// When the first thing was acknowledged that is not known to who counts so many visits.
    fn first_unknown_to(&self, session: u32, visits: u64) -> Option<Duration> {
        let news = self.0.get(&session)?;
        let known = news.partition_point(|(after, _)| *after <= visits);
        news.get(known).map(|(_, at)| *at)
    }
}

// === impl Staleness ===

impl Staleness {
    /// Adds what others say.
    pub fn extend(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.answers += other.answers;
        self.behind.extend(&other.behind);
        self.copies.extend(&other.copies);
        self.loads.extend(&other.loads);
        self.behind_max = self.behind_max.max(other.behind_max);
        self.beyond += other.beyond;
        self.understated += other.understated;
    }
}
