//! The vigil over acknowledged revocations: that replicas have them, that nodes remember them,
//! and that a fail-over which may have lost some is noticed.

mod listen;
mod look;
mod muster;
mod room;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::{
    Draft, Durability, Effect, Record, Revoke, Target, Timestamp, Tombstone, expiry,
    near::{Assertion, Ear, Known, Reassert},
    store::{Disk, Error, ErrorKind, Reign, Result},
};
use tokio::sync::Notify;

use super::{
    NAME,
    assert::{self, Asserter},
    fault::Fault,
    link::jittered,
    options::Purpose,
    revoke::Ended,
    servers::Servers,
};
use crate::clock::boot_time;

use self::{look::Fences, room::Room};

/// Watches over the revocations of one store, as one node sees them.
pub(super) struct Vigil {
    servers: Arc<Servers>,
    /// What an acknowledged revocation is promised to be.
    class: Durability,
    asserter: Asserter,
    memory: Mutex<Reassert>,
    room: Room,
    ear: Mutex<Ear>,
    fences: Mutex<Fences>,
    /// Whether a revocation was acknowledged since the primaries were last asked what they are.
    unfenced: AtomicBool,
    woken: Arc<Notify>,
}

/// How often the primaries are asked what they are.
const EVERY: Duration = Duration::from_secs(1);

// === impl Vigil ===

impl Vigil {
    /// Begins the vigil: `wanted` is what the URL says of revocations.
    ///
    /// # Errors
    /// When no primary tells what it is.
    pub(super) async fn begin(
        servers: Arc<Servers>,
        wanted: Option<Durability>,
        purpose: Purpose,
    ) -> Result<Arc<Self>, Fault> {
        let fences = Fences::ask(&servers, servers.until()).await?;
        let has_replicas = match wanted {
            Some(_) => false,
            None => look::has_replicas(&servers, &fences, servers.until()).await?,
        };
        let class = match wanted {
            Some(class) => class,
            None if has_replicas => Durability::Reasserted,
            None => Durability::Asynchronous,
        };
        let vigil = Arc::new(Self {
            servers,
            class,
            asserter: Asserter::default(),
            memory: Mutex::new(Reassert::new(Reassert::WINDOW, Reassert::CAPACITY)),
            room: Room::default(),
            ear: Mutex::new(Ear::Hears),
            fences: Mutex::new(fences),
            unfenced: AtomicBool::new(false),
            woken: Arc::default(),
        });
        look::start(&vigil);
        if class == Durability::Reasserted {
            if !vigil.servers.topology.is_cluster() && purpose == Purpose::Serves {
                muster::start(&vigil).await;
            }
            listen::start(&vigil).await;
        }
        Ok(vigil)
    }

    /// What an acknowledged revocation is promised to be.
    pub(super) fn durability(&self) -> Durability {
        let on_disk = self.fences().all_write(Disk::First);
        match self.class {
            // The only server there is, and its disk has it before it is acknowledged.
            Durability::Asynchronous if on_disk && self.fences().is_alone() => Durability::Majority,
            class => self.heard_by_others(class),
        }
    }

    /// What a class is worth on a node that does not hear what others revoke.
    fn heard_by_others(&self, class: Durability) -> Durability {
        match class {
            Durability::Reasserted if self.ear().is_deaf() => Durability::Quorum,
            class => class,
        }
    }

    /// The primary whose replicas are too few to acknowledge a revocation, if there is one: how
    /// many are connected, and how many have to acknowledge.
    ///
    /// # Errors
    /// When a primary does not tell.
    pub(super) async fn shortage(&self) -> Result<Option<(usize, usize)>, Fault> {
        let now = Fences::ask(&self.servers, self.servers.until()).await?;
        let counts = now.counts().iter().map(|(primary, connected)| {
            let quorum = self.fences().quorum(primary).max(now.quorum(primary));
            (*connected, quorum)
        });
        let counts = counts.collect::<Vec<_>>().into_iter();
        Ok(counts
            .filter(|(connected, quorum)| connected < quorum)
            .min())
    }

    /// Whether this node knows that the session was revoked, whatever the store says.
    pub(super) fn refuses(&self, record: &Record) -> bool {
        if anynode_core::planted("memory_not_asked") || self.class == Durability::Asynchronous {
            return false;
        }
        self.memory().refuses_record(record)
    }

    /// What this node knows of a session that is about to be written.
    pub(super) fn known_of(&self, draft: &Draft) -> Known {
        if anynode_core::planted("memory_not_asked") || self.class == Durability::Asynchronous {
            return Known::default();
        }
        self.memory().known_of(&draft.handle, draft.user.as_ref())
    }

    /// Makes a revocation that the primary acknowledged as safe as it was promised to be, and
    /// answers how safe that is.
    ///
    /// # Errors
    /// `Indeterminate` when not enough replicas acknowledged it: from then on this node refuses
    /// what was revoked, and has it written again until they do.
    pub(super) async fn confirm(
        &self,
        revoke: &Revoke,
        ended: &Ended,
        until: Duration,
    ) -> Result<Durability> {
        if self.class == Durability::Asynchronous {
            self.unfenced.store(true, Ordering::SeqCst);
            self.woken.notify_one();
            return Ok(self.durability());
        }
        // A primary that took over may not have what is asked for once more.
        let remembered = || match &revoke.target {
            Target::SessionOf(_, handle) => self.memory().end_of(handle),
            _ => None,
        };
        let Some(mut assertion) = assertion(revoke, ended).or_else(remembered) else {
            return Ok(self.durability());
        };
        loop {
            match self.assert(&assertion, until).await {
                Ok(Asserted::ByAll(settled, reign)) => {
                    let durability = self.remember(settled.clone());
                    // Everything else was written on another one meanwhile.
                    if !self.servers.gate.muster().has_left(&reign) {
                        return Ok(durability);
                    }
                    assertion = settled;
                    self.asserter.leave_all();
                    tokio::time::sleep(jittered(1)).await;
                }
                Ok(Asserted::ByTooFew(settled, counts)) => {
                    return Err(self.owe(settled, ended.at, Some(counts)));
                }
                Err(fault) => {
                    tracing::debug!(error = ?fault, "a revocation waits for its replicas");
                    return Err(self.owe(assertion, ended.at, None));
                }
            }
        }
    }

    /// Writes a revocation once more, and waits for replicas to have it.
    async fn assert(&self, assertion: &Assertion, until: Duration) -> Result<Asserted, Fault> {
        let slot = assert::slot(assertion);
        let primary = self.servers.topology.primary(slot, until).await?;
        let quorum = self.fences().quorum(primary.address());
        let one = std::slice::from_ref(assertion);
        let written = self.asserter.write(&self.servers, one, quorum, until);
        let written = written.await?;
        let reign = written.said.fence.reign();
        self.fences().note(written.said);
        let settled = match written.tombstone {
            Some(tombstone) => Assertion::Session(tombstone),
            None => assertion.clone(),
        };
        let enough =
            written.acknowledged >= quorum || anynode_core::planted("replicas_not_counted");
        Ok(match enough {
            true => Asserted::ByAll(settled, reign),
            false => Asserted::ByTooFew(settled, (written.acknowledged, quorum)),
        })
    }

    /// Remembers an acknowledged revocation, and answers how safe that makes it.
    fn remember(&self, assertion: Assertion) -> Durability {
        if self.class != Durability::Reasserted {
            return self.class;
        }
        match self.memory().heard(assertion, boot_time()) {
            Ok(()) => self.heard_by_others(self.class),
            Err(full) => {
                self.room.is_full(&full);
                Durability::Quorum
            }
        }
    }

    fn owe(&self, assertion: Assertion, at: Timestamp, counts: Option<(usize, usize)>) -> Error {
        let now = boot_time();
        let left = match &assertion {
            Assertion::Session(Tombstone { until, .. }) if until.as_millis() > 0 => until.since(at),
            Assertion::Session(_) | Assertion::User(..) => expiry::ABSOLUTE_MAX,
        };
        if let Err(full) = self.memory().owe(assertion, now + left, now) {
            self.room.is_full(&full);
        }
        self.woken.notify_one();
        let detail = match counts {
            Some((some, wanted)) => format!(
                "{some} of {wanted} replicas acknowledged the revocation; this node refuses the \
                 session and has it written again"
            ),
            None => "no replica acknowledged the revocation; this node refuses the session and \
                     has it written again"
                .to_owned(),
        };
        Error::new(ErrorKind::Indeterminate, NAME, "revoke").with_detail(detail)
    }

    fn memory(&self) -> MutexGuard<'_, Reassert> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ear(&self) -> MutexGuard<'_, Ear> {
        self.ear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fences(&self) -> MutexGuard<'_, Fences> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vigil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vigil")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// What came of writing a revocation once more, as it was settled.
enum Asserted {
    /// As many replicas have it as have to, of the primary of this reign.
    ByAll(Assertion, Reign),
    /// So many of so many have it.
    ByTooFew(Assertion, (usize, usize)),
}

/// What is to be written again of a revocation; nothing where nothing was or is revoked.
///
/// A tombstone that lay there before may be one that no replica has: this may be the second try
/// of a call whose first one was not acknowledged.
fn assertion(revoke: &Revoke, ended: &Ended) -> Option<Assertion> {
    match (&revoke.target, ended.effect, ended.tombstone) {
        (Target::User(user) | Target::UserExcept(user, _), Effect::User(entry), _) => {
            Some(Assertion::User(user.clone(), entry))
        }
        (_, _, Some(tombstone)) => Some(Assertion::Session(tombstone)),
        (Target::Session(handle), ..) => Some(assert::unsettled(*handle, revoke.cause)),
        _ => None,
    }
}
