//! The invalidation channel: client tracking in broadcast mode, one connection for each primary.
//!
//! A server collects the names that were written in one turn of its loop and pushes them before
//! it sends the replies of that turn. So a barrier, which is a write of the node's own, overtakes
//! nothing that was acknowledged before it was sent; a name carries all that there is to know.

mod hearing;
mod line;
mod member;
mod name;
mod primary;
mod registry;
mod snapshot;

use std::{fmt, sync::Arc, time::Duration};

use anynode_core::{
    BarrierId, Channel, ChannelKind, Event, NodeId, RollId, Snapshot,
    store::{Error, ErrorKind, Result},
};
use async_trait::async_trait;

pub(super) use self::registry::{call_roll, leave, nodes};
use self::{
    hearing::{Hearing, Loss},
    line::Line,
    name::Names,
    primary::Primary,
    registry::Registration,
};
use super::{
    NAME,
    fault::{Fault, Nature, Refusal},
    fence::Process,
    servers::Servers,
};
use crate::random;

/// The channel of one node: what it follows now, and what it starts from when that was lost.
pub(super) struct RedisChannel {
    servers: Arc<Servers>,
    names: Names,
    registration: Option<Registration>,
    following: Option<Following>,
    newest: BarrierId,
}

/// The connections to all primaries, and what was heard on them.
struct Following {
    hearing: Arc<Hearing>,
    lines: Vec<Arc<Line>>,
    /// Held for as long as this is followed.
    processes: Arc<[Process]>,
    primaries: Arc<[Primary]>,
}

/// A barrier that has not passed by then never will. The lease that it was to renew has ended
/// by then too, so this costs nothing but the time until the channel is opened again.
const BARRIER_MAX: Duration = Duration::from_secs(1);

// === impl RedisChannel ===

impl RedisChannel {
    /// Opens the channel of a node that registers.
    ///
    /// # Errors
    /// `Unavailable` or `Config`.
    pub(super) async fn open(servers: Arc<Servers>, node: &NodeId) -> Result<Self> {
        let registration = Registration::new(&servers, node);
        Self::start(servers, node.as_str(), Some(registration)).await
    }

    /// Opens a channel that only listens.
    ///
    /// # Errors
    /// As [`RedisChannel::open`].
    pub(super) async fn listen(servers: Arc<Servers>, name: &str) -> Result<Self> {
        Self::start(servers, name, None).await
    }

    async fn start(
        servers: Arc<Servers>,
        name: &str,
        registration: Option<Registration>,
    ) -> Result<Self> {
        // One node may have several channels, and each has canaries of its own.
        let own = format!(
            "{}:h:{name}:{:016x}:",
            servers.keys.prefix(),
            random::number()
        );
        let names = Names {
            tracked: servers.keys.tracked(),
            own,
        };
        let mut channel = Self {
            servers,
            names,
            registration,
            following: None,
            newest: BarrierId(0),
        };
        channel.follow().await.map_err(refused)?;
        Ok(channel)
    }

    /// Follows the primaries there are now. Everything before this is unknown.
    async fn follow(&mut self) -> Result<(), Fault> {
        let until = self.servers.until();
        let primaries: Arc<[_]> = primary::find(&self.servers, until).await?.into();
        let hearing = Arc::new(Hearing::after(self.newest));
        let mut lines = Vec::new();
        for (number, primary) in primaries.iter().enumerate() {
            let (setup, names) = (&self.servers.setup, self.names.clone());
            let line = Line::open(setup, primary.clone(), number, names, &hearing, until).await?;
            lines.push(Arc::new(line));
        }
        let processes = lines.iter().map(|line| line.process().clone());
        let following = Following {
            hearing,
            processes: processes.collect(),
            lines,
            primaries,
        };
        if let Some(registration) = &self.registration {
            let line = following.registry(registration);
            let line = line.ok_or(Fault::Refused(Refusal::ClusterDown))?;
            registration.tell(&line, until).await?;
            // Before anybody flushes for it. Nothing is kept by a channel that only listens.
            self.servers.followed.follow(&following.processes);
        }
        self.following = Some(following);
        Ok(())
    }

    fn following(&self) -> Result<&Following> {
        let lost = || {
            Error::new(ErrorKind::Unavailable, NAME, "watch").with_detail("the channel was lost")
        };
        self.following.as_ref().ok_or_else(lost)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Channel for RedisChannel {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Leased
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        let lines = &self.following()?.lines;
        let read = snapshot::read(&self.servers, lines).await;
        read.map_err(refused)
    }

    /// After an error the channel is opened anew by the next call, which answers
    /// [`Event::Flush`] first.
    async fn next(&mut self) -> Result<Event> {
        let Some(following) = &self.following else {
            self.follow().await.map_err(refused)?;
            if anynode_core::planted("gap_without_flush") {
                return self.next().await;
            }
            return Ok(Event::Flush);
        };
        let heard = following.hearing.next(BARRIER_MAX).await;
        let lost = match heard {
            Ok(event) => return Ok(event),
            Err(loss) => following.told(&loss),
        };
        // The connections end here, so that nothing that they still hear is ever told.
        self.following = None;
        Err(lost)
    }

    async fn ready(&mut self) -> Result<Option<Event>> {
        let heard = self.following()?.hearing.ready();
        heard.map_err(|loss| loss.error())
    }

    /// Does not wait for the primaries: one that refuses the heartbeat or does not answer loses
    /// the channel, and [`Channel::next`] says so.
    async fn barrier(&mut self) -> Result<BarrierId> {
        let following = self.following()?;
        let begun = following.hearing.begin(following.lines.len());
        let barrier = begun.map_err(|loss| loss.error())?;
        let until = self.servers.until();
        following.beat(barrier, self.registration.as_ref(), until);
        self.newest = barrier;
        Ok(barrier)
    }

    /// Does not wait for the primary either: an answer that is lost is not given, and whoever
    /// waits for it calls again.
    async fn answer(&mut self, roll: RollId) -> Result<()> {
        let following = self.following()?;
        if let Some(registration) = self.registration.clone()
            && let Some(line) = following.registry(&registration)
        {
            let until = self.servers.until();
            tokio::spawn(async move {
                let _ = registration.answer(&line, roll, until).await;
            });
        }
        Ok(())
    }
}

impl fmt::Debug for RedisChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisChannel")
            .field("hearing", &self.following.as_ref().map(|now| &now.hearing))
            .finish_non_exhaustive()
    }
}

// === impl Following ===

impl Following {
    /// Has every primary prove a barrier.
    fn beat(&self, barrier: BarrierId, registration: Option<&Registration>, until: Duration) {
        for line in &self.lines {
            let writes = !anynode_core::planted("heartbeat_only_asks");
            let registering =
                registration.filter(|one| writes && line.primary().serves(one.slot()));
            let (line, hearing) = (line.clone(), self.hearing.clone());
            let (followed, registering) = (self.primaries.clone(), registering.cloned());
            tokio::spawn(async move {
                let beat = async {
                    if let Some(registration) = registering {
                        let told = registration.tell(&line, until).await;
                        told.map_err(Loss::Refused)?;
                    }
                    line.beat(barrier, &followed, until).await
                };
                match beat.await {
                    Ok(sign) => hearing.answered(barrier, line.number(), sign),
                    Err(loss) => hearing.lose(loss),
                }
            });
        }
    }

    /// The answer to whoever waits for an event that does not come. Where there are several
    /// primaries and one refuses, the others are still to be read: each proves its own authority
    /// with every answer.
    fn told(&self, loss: &Loss) -> Error {
        match loss {
            Loss::Refused(fault) if fault.is_of_standing() && self.lines.len() == 1 => {
                loss.error().with_refusal()
            }
            _ => loss.error(),
        }
    }

    /// The line to the primary that has the registry of nodes.
    fn registry(&self, registration: &Registration) -> Option<Arc<Line>> {
        let slot = registration.slot();
        let line = self.lines.iter().find(|line| line.primary().serves(slot));
        line.cloned()
    }
}

fn refused(fault: Fault) -> Error {
    fault.error("watch", Nature::Read, false)
}
