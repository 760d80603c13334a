//! What a seed is about: the fleet, the store, the network and what goes wrong.

use std::time::Duration;

use crate::draws::Draws;

/// Microseconds of true time since the run began.
pub(crate) type At = u64;

pub(crate) const MILLI: At = 1_000;
pub(crate) const SECOND: At = 1_000_000;

/// H: how long a lease is for.
pub(crate) const TERM: Duration = Duration::from_secs(1);

/// The clock-rate error that is tolerated: a hundredth.
const RATE_ERROR: u64 = 100;

/// What does not change during a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) store: Sort,
    pub(crate) channel: Hearing,
    pub(crate) spread: Spread,
    pub(crate) odd: Odd,
    /// D.
    pub(crate) deposed: At,
    /// The longest that a server takes from executing to acknowledging.
    pub(crate) cycle: At,
    /// The longest usual way of a message.
    pub(crate) way: At,
    /// The longest that the replica is behind.
    pub(crate) lag: At,
    /// Whether a revocation is acknowledged once the replica has it (R1), or before (R0).
    pub(crate) confirmed: bool,
    /// After how long without its answer a barrier says that the channel is lost.
    pub(crate) overdue: Duration,
    pub(crate) faults: usize,
    /// When everything is healed.
    pub(crate) healed: At,
    /// When all have to be well again.
    pub(crate) well: At,
}

/// The two sorts of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// It loses nothing that it acknowledged, and nobody else answers for it.
    Linearizable,
    /// A replica is behind; a fail-over loses what it lacks, and the deposed primary answers on.
    Replicated,
}

/// How nodes hear of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Pushes: a channel that is opened again begins anew.
    Push,
    /// A table of changes: a channel that is opened again goes on, if it is not too far behind.
    Cursor,
    /// The store is asked at every read whether there is anything new.
    Validated,
}

/// On how many primaries the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    One,
    /// Two, each with a channel and a lease of its own.
    Split,
    /// Two, with one channel that follows both.
    Wide,
}

/// What is special about a run beside what goes wrong in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    Nothing,
    /// Channels drop events without a word, which only the maximum age bounds.
    Lossy,
    /// A node's clock is slower than is tolerated.
    SlowClock,
    /// A node's clock stands still for a while.
    StandsStill,
    /// Nodes have hardly any room to remember revocations.
    FullMemory,
    /// Sessions are short and live by being used.
    Expiring,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A channel is lost, and both ends see it.
    Cut,
    /// A channel is lost, and neither end is told.
    HalfOpen,
    /// A channel is lost, and only the server sees it.
    ServerGone,
    /// What is on a channel is late, in its order.
    Hang,
    /// The server stops to push on a channel, and answers as before.
    Untrack,
    /// A node stands still while its boot clock goes on.
    Pause,
    /// A node starts again with nothing.
    Restart,
    /// Another primary takes over.
    FailOver,
    /// The server cannot be reached for a while, and its connections are lost.
    Outage,
    /// The table of changes forgets what it has.
    Trim,
    /// A node's clock stands still.
    StandStill,
}

// === impl Plan ===

impl Plan {
    pub(crate) fn drawn(draws: &mut Draws) -> Self {
        let odds = [
            Odd::Nothing,
            Odd::Nothing,
            Odd::Nothing,
            Odd::Nothing,
            Odd::Lossy,
            Odd::SlowClock,
            Odd::StandsStill,
            Odd::FullMemory,
            Odd::Expiring,
        ];
        let sorts = [Sort::Linearizable, Sort::Replicated, Sort::Replicated];
        let (odd, mut store) = (draws.one_of(&odds), draws.one_of(&sorts));
        let mut channel = draws.one_of(&[Hearing::Push, Hearing::Push, Hearing::Cursor]);
        let spreads = [
            Spread::One,
            Spread::One,
            Spread::One,
            Spread::Split,
            Spread::Split,
        ];
        let mut spread = match draws.one_in(6) {
            true => Spread::Wide,
            false => draws.one_of(&spreads),
        };
        if odd == Odd::Nothing && draws.one_in(10) {
            (store, channel, spread) = (Sort::Linearizable, Hearing::Validated, Spread::One);
        }
        let healed = draws.between(3 * SECOND, 5 * SECOND);
        let overdue = draws.one_of(&[2, 3, 9]);
        Self {
            nodes: usize::try_from(draws.between(2, 4)).unwrap(),
            store,
            channel,
            spread,
            odd,
            deposed: match store {
                Sort::Linearizable => 0,
                Sort::Replicated => draws.between(100, 500) * MILLI,
            },
            cycle: draws.one_of(&[0, 0, 500, 3 * MILLI]),
            way: draws.one_of(&[300, 2 * MILLI, 40 * MILLI]),
            lag: draws.one_of(&[MILLI, 30 * MILLI, 400 * MILLI]),
            confirmed: store == Sort::Replicated && draws.one_in(2),
            overdue: TERM * overdue / 3,
            faults: draws.index(7),
            healed,
            well: healed + 3 * SECOND + At::from(overdue) * SECOND / 3,
        }
    }

    /// On how many primaries the store is.
    pub(crate) fn parts(&self) -> usize {
        match self.spread {
            Spread::One => 1,
            Spread::Split | Spread::Wide => 2,
        }
    }

    /// How many channels a node has.
    pub(crate) fn feeds(&self) -> usize {
        match self.spread {
            Spread::One | Spread::Wide => 1,
            Spread::Split => 2,
        }
    }

    /// Which of a node's channels tells of this part of the store.
    pub(crate) fn feed_of(&self, part: usize) -> usize {
        part.min(self.feeds() - 1)
    }

    /// Which part has what is numbered so: sessions and users alike.
    pub(crate) fn part_of(&self, number: usize) -> usize {
        number % self.parts()
    }

    /// How old a copy gets at most.
    pub(crate) fn age_max(&self) -> Duration {
        match self.odd {
            Odd::Lossy => Duration::from_millis(1_900),
            _ => Duration::from_secs(60),
        }
    }

    /// The idle timeout of sessions.
    pub(crate) fn idle(&self) -> Duration {
        match self.odd {
            Odd::Expiring => Duration::from_millis(1_600),
            _ => Duration::from_secs(3_600),
        }
    }

    /// What went by for sure when a clock within its error has counted this.
    pub(crate) fn at_most(counted: Duration) -> At {
        let counted = u64::try_from(counted.as_micros()).unwrap();
        counted * RATE_ERROR / (RATE_ERROR - 1) + 2
    }

    /// Draws what goes wrong next.
    pub(crate) fn fault(&self, draws: &mut Draws) -> Fault {
        let mut faults = vec![
            Fault::Cut,
            Fault::HalfOpen,
            Fault::HalfOpen,
            Fault::ServerGone,
            Fault::Hang,
            Fault::Pause,
            Fault::Pause,
            Fault::Restart,
            Fault::FailOver,
            Fault::Outage,
        ];
        match self.channel {
            Hearing::Push => faults.push(Fault::Untrack),
            Hearing::Cursor => faults.push(Fault::Trim),
            Hearing::Validated => {}
        }
        if self.store == Sort::Replicated {
            faults.extend([Fault::FailOver; 4]);
        }
        if self.odd == Odd::StandsStill {
            faults.extend([Fault::StandStill; 6]);
        }
        draws.one_of(&faults)
    }
}
