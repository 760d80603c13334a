//! Which servers the channels of a store follow, and whether its calls are answered by others.
//!
//! Calls and channels find their primary by the same map, and nothing else holds them together:
//! while another one takes over, a call may be led back to the one that was deposed. What that
//! answers must not be kept, since the channel tells of it no more.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anynode_core::{Live, Origin};

use super::{
    connection::Connection,
    fault::Fault,
    fence::{self, Process},
};

/// The servers that each open channel follows.
#[derive(Default)]
pub(super) struct Followed {
    channels: RwLock<Vec<Weak<[Process]>>>,
    /// How many calls were answered by a server that a channel did not follow.
    strangers: AtomicU64,
}

/// How many calls had been answered elsewhere when a verb began.
#[derive(Clone, Copy)]
pub(super) struct Begun(u64);

// === impl Followed ===

impl Followed {
    /// A channel follows these for as long as it holds on to them. Whatever it heard of others
    /// before is flushed after this.
    pub(super) fn follow(&self, processes: &Arc<[Process]>) {
        let mut channels = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        channels.retain(|channel| channel.strong_count() > 0);
        channels.push(Arc::downgrade(processes));
    }

    /// Whether any channel is open. While there is none nobody can keep what is answered: before
    /// it trusts one, a near cache flushes.
    pub(super) fn is_any(&self) -> bool {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.iter().any(|channel| channel.strong_count() > 0)
    }

    /// Notes which server answered a call; `None` when it did not tell.
    pub(super) fn answered(&self, process: Option<&Process>) {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        let follows = |channel: Arc<[Process]>| process.is_some_and(|it| channel.contains(it));
        let is_followed = channels.iter().filter_map(Weak::upgrade).all(follows);
        if !is_followed && !anynode_core::planted("redis_answer_from_anywhere") {
            self.strangers.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// To be asked before the calls of a verb.
    pub(super) fn begin(&self) -> Begun {
        Begun(self.strangers.load(Ordering::SeqCst))
    }

    /// What a verb answers, after its last call: it comes from elsewhere if any call did that was
    /// answered meanwhile, its own or another one's.
    pub(super) fn judge(&self, begun: Begun, live: Live) -> Live {
        let origin = match self.strangers.load(Ordering::SeqCst) == begun.0 {
            true => Origin::Followed,
            false => Origin::Elsewhere,
        };
        Live { origin, ..live }
    }
}

// === impl Connection ===

impl Connection {
    /// Which process of a server is at its other end: for as long as there is a connection that
    /// is always the same one, whoever takes over its address.
    ///
    /// # Errors
    /// When it does not tell.
    pub(super) async fn process(&self, until: Duration) -> Result<&Process, Fault> {
        let ask = async || fence::process(self.send(&fence::process_command(), until).await?);
        self.process.get_or_try_init(ask).await
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Followed")
    }
}
