//! A channel with a bug in front of it.

use std::collections::VecDeque;

use anynode_core::Timestamp;
use anynode_core::store::{BarrierId, Channel, ChannelKind, Event, Result, RollId, Snapshot};
use async_trait::async_trait;

use super::Bug;

/// Hears less than it should, or too early, where the bug says so.
#[derive(Debug)]
pub(crate) struct Deaf {
    pub(super) channel: Box<dyn Channel>,
    pub(super) bug: Bug,
    /// Barriers that were said to have passed before they had.
    pub(super) passed: VecDeque<BarrierId>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Channel for Deaf {
    fn kind(&self) -> ChannelKind {
        self.channel.kind()
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        if self.bug == Bug::BeginsEmpty {
            return Ok(Snapshot::default());
        }
        self.channel.snapshot().await
    }

    async fn next(&mut self) -> Result<Event> {
        if let Some(id) = self.passed.pop_front() {
            return Ok(Event::Passed(id, Timestamp::from_millis(0)));
        }
        loop {
            match (self.bug, self.channel.next().await?) {
                (Bug::PassesAtOnce, Event::Passed(..)) => {}
                (Bug::TellsNoRevocation, Event::Revoked(_))
                | (Bug::TellsNoCall, Event::Roll(_)) => {}
                (_, event) => return Ok(event),
            }
        }
    }

    async fn ready(&mut self) -> Result<Option<Event>> {
        self.channel.ready().await
    }

    async fn barrier(&mut self) -> Result<BarrierId> {
        let id = self.channel.barrier().await?;
        if self.bug == Bug::PassesAtOnce {
            self.passed.push_back(id);
        }
        Ok(id)
    }

    async fn answer(&mut self, roll: RollId) -> Result<()> {
        self.channel.answer(roll).await
    }
}
