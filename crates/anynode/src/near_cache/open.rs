//! The open connections of this node: who is told when their session ends, and who asks for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anynode_core::{
    Event, Found, Handle, Live, Snapshot, Wanted,
    near::{Ending, OpenConnections, OpenId, Query, Said},
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{figures, inner::Inner};

/// The sessions that have open connections on this node.
pub(super) struct Opens {
    state: Mutex<State>,
    /// Has the keeper look at once.
    nudge: Notify,
}

/// One open connection among those of its session.
pub(crate) struct Hold {
    inner: Arc<Inner>,
    id: OpenId,
    ended: watch::Receiver<Option<Ending>>,
}

struct State {
    open: OpenConnections,
    /// Where the connections of a session hear of its end.
    doors: HashMap<OpenId, watch::Sender<Option<Ending>>>,
    keeper: Keeper,
}

/// Whether somebody looks after the connections: only while there are any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeper {
    Gone,
    AtWork,
}

/// Questions under way at once, of the loads that a node may have under way: most of those are
/// for requests, and ten thousand sessions are asked for in less than a second all the same.
const ASKS_MAX: usize = 16;

/// The keeper looks at least this often: timers stand still while a machine is suspended, and
/// leases do not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

// === impl Opens ===

impl Opens {
    pub(super) fn new(term: Duration) -> Self {
        let state = State {
            open: OpenConnections::new(term),
            doors: HashMap::new(),
            keeper: Keeper::Gone,
        };
        Self {
            state: Mutex::new(state),
            nudge: Notify::new(),
        }
    }

    /// Applies an event, after which all is known as of then.
    pub(super) fn hear(&self, event: &Event, as_of: Option<Duration>) {
        self.with(|open| {
            open.hear(event);
            open.trusts(as_of);
        });
        if !matches!(event, Event::Passed(..)) {
            self.nudge.notify_one();
        }
    }

    /// Learns why sessions ended before the channel was opened.
    pub(super) fn learn(&self, snapshot: &Snapshot) {
        self.with(|open| open.learn(snapshot));
    }

    /// Notes that another channel was opened, which knows nothing of the time before.
    pub(super) fn flush(&self) {
        self.with(|open| {
            open.flush();
            open.trusts(None);
        });
        self.nudge.notify_one();
    }

    /// Notes as of when all is known, or that there is no lease.
    pub(super) fn trusts(&self, as_of: Option<Duration>) {
        self.with(|open| open.trusts(as_of));
        if as_of.is_none() {
            self.nudge.notify_one();
        }
    }

    /// How many sessions have open connections.
    pub(super) fn len(&self) -> usize {
        self.state().open.len()
    }

    /// Changes what is known, and tells those whose session has ended by that.
    fn with<T>(&self, change: impl FnOnce(&mut OpenConnections) -> T) -> T {
        let mut state = self.state();
        let State { open, doors, .. } = &mut *state;
        let changed = change(open);
        for (id, ending) in open.take_ended() {
            figures::closed(ending);
            if let Some(door) = doors.remove(&id) {
                door.send_replace(Some(ending));
            }
        }
        changed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    /// Holds a connection open of a session that was so as of `known`, for as long as that is
    /// known to live, and not longer than for `patience` when it is not known.
    pub(super) fn hold(self: &Arc<Self>, live: &Live, known: Duration, patience: Duration) -> Hold {
        let (id, ended, before) = {
            let mut state = self.opens.state();
            let id = state.open.opened(live, known, patience);
            let door = state.doors.entry(id);
            let ended = door.or_insert_with(|| watch::channel(None).0).subscribe();
            let before = std::mem::replace(&mut state.keeper, Keeper::AtWork);
            (id, ended, before)
        };
        match before {
            Keeper::Gone => drop(tokio::spawn(keep(self.clone()))),
            Keeper::AtWork => self.opens.nudge.notify_one(),
        }
        Hold {
            inner: self.clone(),
            id,
            ended,
        }
    }
}

/// Asks for sessions and lets deadlines pass, until no connection is open.
async fn keep(inner: Arc<Inner>) {
    loop {
        let now = inner.now();
        let agenda = inner.opens.with(|open| open.due(now, ASKS_MAX));
        for query in agenda.asks {
            tokio::spawn(ask(inner.clone(), query));
        }
        let Some(until) = agenda.until else {
            let mut state = inner.opens.state();
            if state.open.is_empty() {
                state.keeper = Keeper::Gone;
                return;
            }
            continue;
        };
        let wait = until.saturating_sub(now).min(LOOK_EVERY);
        let _ = timeout(wait, inner.opens.nudge.notified()).await;
    }
}

async fn ask(inner: Arc<Inner>, query: Query) {
    figures::asked();
    let asked = inner.now();
    let mut wanted = Wanted::new(*query.id.handle(), query.freshness, asked);
    wanted.seen = Some(query.seen);
    let found = inner.load_for(&wanted).await;
    let said = match &found {
        Ok(Found {
            live: Some(live),
            as_of,
        }) => Said::Alive(live, as_of.unwrap_or(asked)),
        Ok(Found { live: None, as_of }) => Said::Dead(as_of.unwrap_or(asked)),
        Err(_) => Said::Nothing,
    };
    inner.opens.with(|open| open.said(query.id, said));
    inner.opens.nudge.notify_one();
}

// === impl Hold ===

impl Hold {
    /// Waits until the session has ended, or nobody knows any more whether it has.
    pub(crate) fn ended(&self) -> impl Future<Output = Ending> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            let ended = ended.wait_for(Option::is_some).await;
            ended
                .ok()
                .and_then(|ended| *ended)
                .unwrap_or(Ending::Unknown)
        }
    }

    /// The session.
    pub(crate) fn handle(&self) -> &Handle {
        self.id.handle()
    }

    /// Whether anything may pass the connection now: by the clock, however late those who ought
    /// to close it come to it.
    pub(crate) fn may_pass(&self) -> bool {
        let opens = &self.inner.opens;
        let may = opens.state().open.may_pass(self.id, self.inner.now());
        if !may {
            opens.nudge.notify_one();
        }
        may
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        self.inner.opens.state().open.joined(self.id);
        Self {
            inner: self.inner.clone(),
            id: self.id,
            ended: self.ended.clone(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.inner.opens.state();
        if state.open.closed(self.id) {
            state.doors.remove(&self.id);
        }
        let is_last = state.open.is_empty();
        drop(state);
        if is_last {
            self.inner.opens.nudge.notify_one();
        }
    }
}
