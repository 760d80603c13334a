//! Following the channel of the store, for as long as there is a near cache.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use anynode_core::{
    Channel, ChannelKind, Event,
    near::{Condition, Owed, beat_every, overdue_after, reconnect_pause},
    store::{Error, ErrorKind, Result},
};
use tokio::{sync::Notify, time::timeout};

use super::{
    figures,
    inner::{Copies, Inner, Next},
};
use crate::random;

/// A channel under whose lease copies are used.
struct Listener {
    channel: Box<dyn Channel>,
    stage: Stage,
    /// When the next barrier is due.
    next_beat: Duration,
    /// What is to be proved to those who called the roll.
    owed: Owed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The snapshot is to be read.
    Unread,
    Following,
    /// It was lost, and may be able to go on.
    Lost,
}

/// What came first.
enum Heard {
    Event(Result<Event>),
    Nudged,
    Nothing,
}

/// How long a channel that was lost may take to be opened again: longer than the calls of a store
/// may take, so that none is given up halfway.
const REOPEN_MAX: Duration = Duration::from_secs(6);

/// How often a channel that is validated at every read is looked into while nobody reads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Follows one channel after the other. Never returns.
pub(super) async fn listen(inner: Arc<Inner>) {
    inner.try_order().await;
    let mut failures = 0;
    loop {
        let error = match inner.store.watch(&inner.node).await {
            Ok(channel) => inner.follow(channel, &mut failures).await,
            Err(error) => error,
        };
        inner.tell_loss(&error, failures);
        inner.rest(&mut failures).await;
    }
}

// === impl Inner ===

impl Inner {
    /// Follows a channel until another one has to be opened.
    async fn follow(&self, channel: Box<dyn Channel>, failures: &mut u32) -> Error {
        let kind = channel.kind();
        let copies = match self.opened(kind) {
            Ok(copies) => copies,
            Err(error) => return error,
        };
        match kind {
            ChannelKind::Leased => self.follow_leased(copies, channel, failures).await,
            ChannelKind::ValidatedPerRead => {
                let followed = self.follow_validated(copies, channel, failures).await;
                *self.validator.lock().await = None;
                followed
            }
        }
    }

    async fn follow_leased(
        &self,
        copies: &Copies,
        channel: Box<dyn Channel>,
        failures: &mut u32,
    ) -> Error {
        let mut listener = Listener {
            channel,
            stage: Stage::Unread,
            next_beat: Duration::ZERO,
            owed: Owed::default(),
        };
        loop {
            let Err(error) = listener.step(self, copies).await else {
                if *failures > 0 && self.condition() == Condition::Trusted {
                    *failures = 0;
                    tracing::info!("near cache: the channel proves again that nothing is missing");
                }
                continue;
            };
            // A channel that hangs says nothing of what it would tell if it went on.
            let limit = overdue_after(self.options.term);
            let hangs = self.feed().is_overdue(limit, self.now());
            self.tell_loss(&error, *failures);
            if hangs {
                return error;
            }
            listener.stage = match listener.stage {
                // What was heard of the snapshot so far counts for nothing.
                Stage::Unread => return error,
                Stage::Following | Stage::Lost => Stage::Lost,
            };
            listener.owed.lost();
            self.rest(failures).await;
        }
    }

    /// Proves that the node lives on a channel of its own, so that no read waits for a write.
    async fn follow_validated(
        &self,
        copies: &Copies,
        channel: Box<dyn Channel>,
        failures: &mut u32,
    ) -> Error {
        let mut pulse = match self.store.watch(&self.node).await {
            Ok(pulse) => pulse,
            Err(error) => return error,
        };
        *self.validator.lock().await = Some(channel);
        let mut next_beat = Duration::ZERO;
        loop {
            if self.condition() == Condition::Starting
                && let Err(error) = self.read_snapshot(copies).await
            {
                return error;
            }
            self.validate(copies, self.now()).await;
            if self.validator.lock().await.is_none() {
                return lost("the channel could not be read");
            }
            *failures = 0;
            if next_beat <= self.now() {
                if let Err(error) = beat_only(pulse.as_mut()).await {
                    return error;
                }
                next_beat = self.now() + beat_every(copies.kind, self.options.term);
                figures::publish(self);
            }
            // Looked into now and then, so that what is heard is not heard of by reads alone.
            let _ = timeout(LOOK_EVERY, self.nudge.notified()).await;
        }
    }

    /// Drops the lease, and says so.
    pub(super) fn tell_loss(&self, error: &Error, failures: u32) {
        self.missed(error);
        figures::lost(error);
        match (error.kind(), failures) {
            (ErrorKind::Config, 0) => {
                tracing::error!(%error, "near cache: there is no channel, and every read goes through");
            }
            (_, 0) => {
                tracing::warn!(%error, "near cache: the channel was lost, and every read goes through");
            }
            _ => tracing::debug!(%error, failures, "near cache: still no channel"),
        }
        // No heartbeat comes that would publish it.
        figures::publish_condition(self);
    }

    pub(super) async fn rest(&self, failures: &mut u32) {
        tokio::time::sleep(reconnect_pause(*failures, random::number())).await;
        *failures = failures.saturating_add(1);
    }
}

// === impl Listener ===

impl Listener {
    /// The next thing to be done.
    ///
    /// # Errors
    /// Those of the channel, which then is lost.
    async fn step(&mut self, inner: &Inner, copies: &Copies) -> Result<()> {
        match self.stage {
            Stage::Lost => self.resume(inner, copies).await,
            Stage::Unread => {
                let snapshot = self.channel.snapshot().await?;
                inner.learn(copies, &snapshot);
                self.stage = Stage::Following;
                self.beat(inner, copies).await
            }
            Stage::Following => {
                let now = inner.now();
                if self.next_beat <= now || self.owed.is_due() {
                    return self.beat(inner, copies).await;
                }
                let limit = overdue_after(inner.options.term);
                if inner.feed().is_overdue(limit, now) {
                    return Err(lost("a barrier did not pass in time"));
                }
                let left = (self.next_beat - now).min(beat_every(copies.kind, inner.options.term));
                match next_or_nudge(self.channel.as_mut(), &inner.nudge, left).await {
                    Heard::Event(event) => self.hear(&event?, inner, copies).await,
                    Heard::Nudged | Heard::Nothing => self.beat(inner, copies).await?,
                }
                Ok(())
            }
        }
    }

    /// Has a channel go on that was lost. One that has a cursor does so at a barrier; another
    /// connects when it is asked for the next event, and that is a flush.
    async fn resume(&mut self, inner: &Inner, copies: &Copies) -> Result<()> {
        self.stage = Stage::Following;
        let resumed = match self.beat(inner, copies).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_refusal() => Err(error),
            Err(_) => match timeout(REOPEN_MAX, self.channel.next()).await {
                Ok(Ok(event)) => {
                    self.hear(&event, inner, copies).await;
                    Ok(())
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(lost("it was not opened again in time")),
            },
        };
        if resumed.is_err() {
            self.stage = Stage::Lost;
        }
        resumed
    }

    async fn hear(&mut self, event: &Event, inner: &Inner, copies: &Copies) {
        if inner.hear(copies, event) == Next::ReadSnapshot {
            self.stage = Stage::Unread;
            self.owed.lost();
        }
        match event {
            Event::Roll(roll) if anynode_core::planted("near_answers_when_it_hears") => {
                let _ = self.channel.answer(*roll).await;
            }
            Event::Roll(roll) => self.owed.heard(*roll),
            Event::Passed(barrier, _) => {
                if let Some(roll) = self.owed.passed(*barrier) {
                    // One that is not told is not confirmed; if the channel is lost, it says so.
                    let _ = self.channel.answer(roll).await;
                    figures::answered();
                }
            }
            _ => {}
        }
    }

    /// Begins a barrier. The lease that it brings counts from before it was sent.
    async fn beat(&mut self, inner: &Inner, copies: &Copies) -> Result<()> {
        let sent = inner.now();
        self.next_beat = sent + beat_every(copies.kind, inner.options.term);
        let barrier = self.channel.barrier().await?;
        inner.feed().began(barrier, sent);
        self.owed.began(barrier);
        figures::publish(inner);
        Ok(())
    }
}

/// Waits for an event, but not for longer than `limit`, and not when somebody wants a barrier.
async fn next_or_nudge(channel: &mut dyn Channel, nudge: &Notify, limit: Duration) -> Heard {
    let mut next = pin!(channel.next());
    let mut nudged = pin!(nudge.notified());
    let first = poll_fn(|context| {
        if let Poll::Ready(event) = next.as_mut().poll(context) {
            return Poll::Ready(Heard::Event(event));
        }
        nudged.as_mut().poll(context).map(|()| Heard::Nudged)
    });
    timeout(limit, first).await.unwrap_or(Heard::Nothing)
}

/// A heartbeat on a channel that nobody listens to.
async fn beat_only(pulse: &mut dyn Channel) -> Result<()> {
    pulse.barrier().await?;
    while pulse.ready().await?.is_some() {}
    Ok(())
}

fn lost(detail: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, "near cache", "watch").with_detail(detail)
}
