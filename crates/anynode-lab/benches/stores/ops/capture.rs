//! What the store sends for each operation, seen by a relay, for the bare driver to repeat.

use std::collections::BTreeSet;
use std::sync::Arc;

use anynode_core::Store;
use anynode_lab::server::Server;

use super::ours::Ours;
use super::{SESSIONS, Verb};
use crate::fill;
use crate::relay::{Protocol, Relay};

/// Everything that the operations on all sessions send.
pub(crate) struct Captured<P: Protocol> {
    loads: Vec<P::Message>,
    /// From the first version to the second, and back.
    replaces: [Vec<P::Message>; 2],
    round_trips: [f64; 2],
    connections: [usize; 2],
}

/// A message that knows which connection of the store it was sent on.
pub(crate) trait Sent {
    fn connection(&self) -> usize;
}

/// Performs every operation once by itself, and then many at a time to see how many connections
/// that takes.
pub(crate) async fn capture<P: Protocol<Message: Sent>>(
    server: &Server,
    url: &str,
    ours: &Arc<Ours>,
) -> Captured<P> {
    let upstream = server.addresses()[0];
    let relay = Relay::<P>::start(upstream).await;
    let store = anynode::store::open(&relay.url(url, upstream))
        .await
        .unwrap();
    // Connections are made and statements prepared.
    for verb in [Verb::Load, Verb::Replace, Verb::Replace] {
        crowd(&store, ours, verb).await;
    }
    relay.take();
    let (loads, of_load) = alone(&relay, &store, ours, Verb::Load).await;
    let (forth, of_replace) = alone(&relay, &store, ours, Verb::Replace).await;
    let (back, _) = alone(&relay, &store, ours, Verb::Replace).await;
    let mut connections = [0; 2];
    for (verb, connections) in [Verb::Load, Verb::Replace]
        .into_iter()
        .zip(&mut connections)
    {
        crowd(&store, ours, verb).await;
        let used: BTreeSet<_> = relay.take().iter().map(Sent::connection).collect();
        *connections = used.len();
    }
    Captured {
        loads,
        replaces: [forth, back],
        round_trips: [of_load, of_replace],
        connections,
    }
}

/// One operation on each session, one at a time; and the round trips of an operation.
async fn alone<P: Protocol>(
    relay: &Relay<P>,
    store: &Arc<dyn Store>,
    ours: &Ours,
    verb: Verb,
) -> (Vec<P::Message>, f64) {
    let before = relay.turns();
    for session in 0..SESSIONS {
        ours.perform_by(&**store, verb, session).await;
    }
    let messages = relay.take();
    assert_eq!(messages.len(), SESSIONS, "{verb:?} sends one command");
    let turns = u32::try_from(relay.turns() - before).unwrap();
    let round_trips = f64::from(turns) / f64::from(u32::try_from(SESSIONS).unwrap());
    (messages, round_trips)
}

/// One operation on each session, many at a time.
async fn crowd(store: &Arc<dyn Store>, ours: &Arc<Ours>, verb: Verb) {
    let (store, ours) = (store.clone(), ours.clone());
    let count = u32::try_from(SESSIONS).unwrap();
    fill::each(count, move |session| {
        let (store, ours) = (store.clone(), ours.clone());
        let session = usize::try_from(session).unwrap();
        async move { ours.perform_by(&*store, verb, session).await }
    })
    .await;
}

// === impl Captured ===

impl<P: Protocol> Captured<P> {
    /// What is sent for a session that is `turned`.
    pub(crate) fn message(&self, verb: Verb, session: usize, turned: usize) -> &P::Message {
        match verb {
            Verb::Load => &self.loads[session],
            Verb::Replace => &self.replaces[turned][session],
        }
    }

    /// How often a load and a replace wait for the server.
    pub(crate) fn round_trips(&self) -> [f64; 2] {
        self.round_trips
    }

    /// How many connections the store uses.
    pub(crate) fn connections(&self, verb: Verb) -> usize {
        match verb {
            Verb::Load => self.connections[0],
            Verb::Replace => self.connections[1],
        }
    }
}
