//! One shard of the copies with the loads that are under way for it, behind one lock.

use std::{collections::HashMap, time::Duration};

use anynode_core::{
    Draft, ErrorKind, Handle, Live,
    near::{
        Answer, Ask, Fill, FlightId, Flights, Horizon, Limits, Look, Reassert, Role, Shard, Ticket,
        Token,
    },
    store::Error,
};
use tokio::sync::watch;

/// The copies of some handles, and who waits for which of them.
pub(super) struct Desk {
    shard: Shard,
    flights: Flights,
    /// Where the answers of the loads under way will be.
    landings: HashMap<FlightId, watch::Receiver<Option<Landed>>>,
    hits: u64,
}

/// What came of a load, for everyone who waited for it.
#[derive(Clone, Debug)]
pub(super) enum Landed {
    /// What the store answered, to a load that was sent then.
    Found { live: Option<Live>, sent: Duration },
    /// The store is not to be believed at present.
    Refused,
    /// An error of this kind, of that store.
    Failed(ErrorKind, &'static str),
}

/// How a request takes part in a load.
pub(super) enum Part {
    /// It sends it.
    Leads(FlightId, watch::Sender<Option<Landed>>),
    /// It waits for the one who does.
    Follows(Ticket, watch::Receiver<Option<Landed>>),
}

// === impl Desk ===

impl Desk {
    pub(super) fn new(limits: Limits, flights: Flights) -> Self {
        Self {
            shard: Shard::new(limits),
            flights,
            landings: HashMap::new(),
            hits: 0,
        }
    }

    /// The copy for this request, if there is one that it may be answered with.
    pub(super) fn look(&mut self, ask: &Ask<'_>, horizon: &Horizon) -> Look {
        let look = self.shard.look(ask, horizon);
        self.hits += u64::from(matches!(look, Look::Hit(_)));
        look
    }

    /// Forgets all copies.
    pub(super) fn clear(&mut self) {
        self.shard.clear();
    }

    /// Joins the load that a request may share, or leads another.
    pub(super) fn join(&mut self, ask: &Ask<'_>, horizon: &Horizon) -> Part {
        let ticket = self.flights.join(ask, &self.shard, horizon);
        if ticket.role == Role::Follows
            && let Some(landing) = self.landings.get(&ticket.flight)
        {
            return Part::Follows(ticket, landing.clone());
        }
        let (sender, receiver) = watch::channel(None);
        self.landings.insert(ticket.flight, receiver);
        Part::Leads(ticket.flight, sender)
    }

    /// Notes that a load is about to be sent, and answers what its answer may be kept under.
    pub(super) fn sent(
        &mut self,
        handle: &Handle,
        flight: FlightId,
        now: Duration,
        horizon: &Horizon,
    ) -> Token {
        self.flights.sent(handle, flight, horizon, now)
    }

    /// Notes that a load was answered, failed or was given up.
    pub(super) fn ended(&mut self, handle: &Handle, flight: FlightId) {
        self.flights.ended(handle, flight);
        self.landings.remove(&flight);
    }

    /// Keeps the answer of a load, unless it may already be old.
    pub(super) fn insert(
        &mut self,
        answer: &Answer<'_>,
        now: Duration,
        horizon: &Horizon,
        memory: &Reassert,
    ) -> Fill {
        self.shard.insert(answer, now, horizon, memory)
    }

    /// Notes that a write is about to be sent, and answers what its answer may be kept under.
    pub(super) fn write(&mut self, draft: &Draft, horizon: &Horizon) -> Token {
        self.shard.write(draft, horizon)
    }

    /// Keeps what a write was acknowledged with in place of the copy from before it.
    pub(super) fn wrote(
        &mut self,
        answer: &Answer<'_>,
        now: Duration,
        horizon: &Horizon,
        memory: &Reassert,
    ) -> Fill {
        self.shard.wrote(answer, now, horizon, memory)
    }

    /// Notes that the store acknowledged a use of a session.
    pub(super) fn touched(&mut self, handle: &Handle, used: Duration, acknowledged: Duration) {
        self.shard.touched(handle, used, acknowledged);
    }

    /// Forgets a session. Whoever comes later shares no load from before.
    pub(super) fn forget(&mut self, handle: &Handle, horizon: &Horizon) {
        self.shard.forget(handle, horizon);
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.shard.len(), self.shard.bytes())
    }

    /// The hits since it was last asked.
    pub(super) fn take_hits(&mut self) -> u64 {
        std::mem::take(&mut self.hits)
    }
}

// === impl Landed ===

impl Landed {
    /// What is told to others of an error.
    pub(super) fn failed(error: &Error) -> Self {
        Self::Failed(error.kind(), error.store())
    }
}
