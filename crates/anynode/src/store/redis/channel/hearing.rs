//! What a channel has heard: filled by its connections as they read, emptied by `next`.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anynode_core::{
    BarrierId, Event,
    near::{Barriers, Passed, Sign},
    store::{Error, ErrorKind},
};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::name::{Names, Told};
use crate::{
    clock::boot_time,
    store::redis::{
        NAME,
        fault::{Fault, Nature},
    },
};

/// What has been heard on all connections of a channel, in an order in which a barrier comes
/// after everything that was acknowledged before it began.
pub(super) struct Hearing {
    state: Mutex<State>,
    woken: Notify,
}

struct State {
    ready: VecDeque<Event>,
    barriers: Barriers,
    lost: Option<Loss>,
}

/// Why a channel was lost.
#[derive(Clone, Debug)]
pub(super) enum Loss {
    /// A connection ended.
    Ended,
    /// A primary refused a heartbeat or did not answer it.
    Refused(Fault),
    /// A barrier did not pass in time: a push may have been dropped.
    Overdue,
    /// The primaries are not those that the channel follows.
    Primaries,
    /// Something was pushed that nobody asked for.
    Strange,
}

/// Events that wait for a slow reader. Beyond it they are replaced by one flush, so that a
/// node that stopped reading costs a bounded amount of memory and misses nothing.
const EVENTS_MAX: usize = 10_000;

// === impl Hearing ===

impl Hearing {
    /// Nothing heard yet; barriers are numbered from just after `newest`.
    pub(super) fn after(newest: BarrierId) -> Self {
        let state = State {
            ready: VecDeque::new(),
            barriers: Barriers::after(newest),
            lost: None,
        };
        Self {
            state: Mutex::new(state),
            woken: Notify::new(),
        }
    }

    /// Takes in what a connection pushed. Called within the read of the connection, before any
    /// later reply is handed to whoever waits for it: that is what orders events and barriers.
    pub(super) fn push(&self, primary: usize, names: &Names, push: &PushInfo) {
        match (&push.kind, push.data.first()) {
            (PushKind::Invalidate, Some(Value::Array(keys))) => {
                let mut state = self.state();
                for key in keys {
                    state.written(primary, names, key);
                }
            }
            (PushKind::Invalidate, _) if anynode_core::planted("flush_push_ignored") => {}
            // FLUSHALL and FLUSHDB push no names; whatever else has none means no less.
            (PushKind::Invalidate, _) => self.state().hear(Event::Flush),
            (PushKind::Disconnection, _) => return self.lose(Loss::Ended),
            // Nothing else is subscribed to: someone uses the connection for something else.
            _ => return self.lose(Loss::Strange),
        }
        self.woken.notify_one();
    }

    /// Begins a barrier of so many primaries.
    pub(super) fn begin(&self, primaries: usize) -> Result<BarrierId, Loss> {
        let mut state = self.state();
        match &state.lost {
            Some(loss) => Err(loss.clone()),
            None => Ok(state.barriers.begin(primaries, boot_time())),
        }
    }

    /// Takes in what a primary answered to a barrier.
    pub(super) fn answered(&self, barrier: BarrierId, primary: usize, sign: Sign) {
        self.state().sign(barrier, primary, sign);
        self.woken.notify_one();
    }

    /// Ends the channel: whatever comes after may have a gap before it.
    pub(super) fn lose(&self, why: Loss) {
        let mut state = self.state();
        if state.lost.is_none() {
            state.lost = Some(why);
            if !anynode_core::planted("loss_told_last") {
                state.ready.clear();
            }
        }
        drop(state);
        self.woken.notify_one();
    }

    /// The next event; waits for one. Dropping the future loses none.
    ///
    /// The channel is lost as well when a barrier has not passed within `limit`.
    pub(super) async fn next(&self, limit: Duration) -> Result<Event, Loss> {
        loop {
            let left = {
                let mut state = self.state();
                // A loss leaves nothing of this.
                if let Some(event) = state.ready.pop_front() {
                    return Ok(event);
                }
                if let Some(loss) = &state.lost {
                    return Err(loss.clone());
                }
                let now = boot_time();
                if state.barriers.overdue(limit, now) {
                    drop(state);
                    self.lose(Loss::Overdue);
                    continue;
                }
                let oldest = state.barriers.oldest();
                oldest.map_or(limit, |since| (since + limit).saturating_sub(now))
            };
            // Woken by an event, or looking for a barrier that has become overdue.
            let _ = tokio::time::timeout(left, self.woken.notified()).await;
        }
    }

    /// The next event that is there; waits for none. A loss is told again by
    /// [`Hearing::next`].
    pub(super) fn ready(&self) -> Result<Option<Event>, Loss> {
        let mut state = self.state();
        match (state.ready.pop_front(), &state.lost) {
            (None, Some(loss)) => Err(loss.clone()),
            (event, _) => Ok(event),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Hearing")
            .field("ready", &state.ready.len())
            .field("lost", &state.lost)
            .finish_non_exhaustive()
    }
}

// === impl Loss ===

impl Loss {
    /// The answer to whoever waits for an event.
    pub(super) fn error(&self) -> Error {
        let detail = match self {
            Self::Refused(fault) => return fault.error("watch", Nature::Read, false),
            Self::Ended => "a connection of the channel ended",
            Self::Overdue => "a barrier did not pass in time",
            Self::Primaries => "the primaries changed",
            Self::Strange => "a push that nobody asked for",
        };
        Error::new(ErrorKind::Unavailable, NAME, "watch").with_detail(detail)
    }
}

// === impl State ===

impl State {
    fn written(&mut self, primary: usize, names: &Names, key: &Value) {
        let told = match key {
            Value::BulkString(name) => names.read(name),
            Value::SimpleString(name) => names.read(name.as_bytes()),
            _ => Told::Event(Event::Flush),
        };
        match told {
            Told::Event(event) => self.hear(event),
            Told::Canary(barrier) => self.sign(barrier, primary, Sign::Canary),
        }
    }

    fn sign(&mut self, barrier: BarrierId, primary: usize, sign: Sign) {
        for Passed { id, at } in self.barriers.heard(barrier, primary, sign) {
            self.hear(Event::Passed(id, at));
        }
    }

    fn hear(&mut self, event: Event) {
        if self.lost.is_some() {
            return;
        }
        if self.ready.len() >= EVENTS_MAX {
            // Barriers keep their place behind the flush, which stands for all before them.
            let passed = |event: &Event| matches!(event, Event::Passed(..));
            self.ready.retain(passed);
            self.ready.push_front(Event::Flush);
        }
        self.ready.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use anynode_core::{Handle, Timestamp};

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(7);
    const LONG: Duration = Duration::from_secs(60);
    const HANDLE: Handle = Handle::from_bytes([7; 16]);

    fn names() -> Names {
        Names {
            tracked: "an:k:".to_owned(),
            own: "an:h:n:1:".to_owned(),
        }
    }

    fn written(keys: &[String]) -> PushInfo {
        let keys = keys.iter().map(|key| Value::BulkString(key.clone().into()));
        PushInfo {
            kind: PushKind::Invalidate,
            data: vec![Value::Array(keys.collect())],
        }
    }

    fn record() -> String {
        format!("an:k:s:{{070}}:{HANDLE}")
    }

    async fn next(hearing: &Hearing) -> Result<Event, Loss> {
        hearing.next(LONG).await
    }

    #[tokio::test]
    async fn events_that_were_pushed_before_the_canary_come_before_the_barrier_passes() {
        let hearing = Hearing::after(BarrierId(0));
        let barrier = hearing.begin(1).expect("not lost");
        hearing.answered(barrier, 0, Sign::Answer(AT));
        let canary = names().canary("000", barrier);
        hearing.push(0, &names(), &written(&[record(), canary]));
        assert_eq!(next(&hearing).await.ok(), Some(Event::Changed(HANDLE)));
        let passed = Event::Passed(barrier, AT);
        assert_eq!(next(&hearing).await.ok(), Some(passed));
    }

    #[tokio::test]
    async fn a_push_without_names_is_a_flush() {
        let hearing = Hearing::after(BarrierId(0));
        let flush = PushInfo {
            kind: PushKind::Invalidate,
            data: vec![Value::Nil],
        };
        hearing.push(0, &names(), &flush);
        assert_eq!(next(&hearing).await.ok(), Some(Event::Flush));
    }

    #[tokio::test]
    async fn a_loss_is_told_before_anything_that_was_heard() {
        let hearing = Hearing::after(BarrierId(0));
        let ended = PushInfo {
            kind: PushKind::Disconnection,
            data: Vec::new(),
        };
        hearing.push(0, &names(), &written(&[record()]));
        hearing.push(0, &names(), &ended);
        hearing.push(0, &names(), &written(&[record()]));
        for _ in 0..2 {
            let lost = next(&hearing).await;
            assert!(matches!(lost, Err(Loss::Ended)), "{lost:?}");
        }
        hearing.begin(1).expect_err("lost");
    }

    #[tokio::test]
    async fn a_barrier_whose_canary_does_not_come_loses_the_channel() {
        let hearing = Hearing::after(BarrierId(0));
        let barrier = hearing.begin(1).expect("not lost");
        hearing.answered(barrier, 0, Sign::Answer(AT));
        let limit = Duration::from_millis(20);
        let lost = hearing.next(limit).await.expect_err("lost");
        assert!(matches!(lost, Loss::Overdue), "{lost:?}");
    }

    #[tokio::test]
    async fn a_reader_that_stops_costs_bounded_memory_and_misses_nothing() {
        let hearing = Hearing::after(BarrierId(0));
        let barrier = hearing.begin(1).expect("not lost");
        hearing.answered(barrier, 0, Sign::Bare(AT));
        for _ in 0..EVENTS_MAX + 5 {
            hearing.push(0, &names(), &written(&[record()]));
        }
        assert_eq!(next(&hearing).await.ok(), Some(Event::Flush));
        let passed = Event::Passed(barrier, AT);
        assert_eq!(next(&hearing).await.ok(), Some(passed));
        assert!(hearing.state().ready.len() < 10);
    }
}
