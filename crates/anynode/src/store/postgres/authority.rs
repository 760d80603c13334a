//! Proofs that the server is the primary still, where another could have taken its place: no
//! session is answered without one.
//!
//! A primary with standbys that was deposed and does not know it answers reads as before. What
//! it cannot do is commit what its standbys have to acknowledge. So somebody does, about four
//! times a second while sessions are asked for, and nothing where no commit waits for standbys.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anynode_core::store::{self, Belief};
use tokio::sync::OwnedMutexGuard;
use tokio_postgres::Row;

use super::{
    Inner,
    fault::{Act, Fault},
    fence::Seen,
    lane::{Lane, before},
    link::Value,
    statement::Statement,
    upkeep,
};
use crate::clock::boot_time;

/// The last proof, and how the next is had.
#[derive(Debug)]
pub(super) struct Authority {
    /// Of its own: a proof waits for standbys, and nobody is to wait behind it.
    lane: Arc<Lane>,
    proof: Mutex<store::Authority>,
    /// Held while one is asked for, so that a thousand callers ask for one.
    asking: Arc<tokio::sync::Mutex<LastFailure>>,
}

/// When the last attempt failed, on the boot clock, and why; for those who waited for it.
type LastFailure = Option<(Duration, Fault)>;

// === impl Authority ===

impl Authority {
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        Self {
            lane,
            proof: Mutex::default(),
            asking: Arc::default(),
        }
    }

    fn proof(&self) -> MutexGuard<'_, store::Authority> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn belief(&self) -> Belief {
        self.proof().judge(boot_time())
    }
}

// === impl Inner ===

impl Inner {
    /// Asks for what stands for a session, which only a primary may answer.
    pub(super) async fn read(
        self: &Arc<Self>,
        until: Duration,
        lane: &Arc<Lane>,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        if !self.dialler.awaits_standbys() {
            return lane.call(until, Act::Read, statement, values).await;
        }
        self.prove(until).await?;
        lane.call(until, Act::Read, statement, values).await
    }

    /// Makes sure that the server was the primary a moment ago, where another could be, before
    /// this time on the boot clock.
    pub(super) async fn prove(self: &Arc<Self>, until: Duration) -> Result<(), Fault> {
        if !self.dialler.awaits_standbys() {
            return Ok(());
        }
        match self.authority.belief() {
            Belief::Proved => Ok(()),
            Belief::Ageing => {
                if let Ok(alone) = self.authority.asking.clone().try_lock_owned() {
                    let inner = self.clone();
                    tokio::spawn(async move { inner.ask_for_proof(alone).await });
                }
                Ok(())
            }
            Belief::Lost => before(until, self.prove_anew())
                .await
                .unwrap_or(Err(Fault::Late)),
        }
    }

    /// After a write that the standbys may lack, no session is answered without another proof:
    /// whoever looks for what became of it could find it on a server that is deposed.
    pub(super) fn doubting<T>(&self, answer: Result<T, Fault>) -> Result<T, Fault> {
        answer.inspect_err(|fault| {
            if fault.leaves_a_write_open() {
                self.authority.proof().doubted(boot_time());
            }
        })
    }

    async fn prove_anew(self: &Arc<Self>) -> Result<(), Fault> {
        let came = boot_time();
        let alone = self.authority.asking.clone().lock_owned().await;
        if self.authority.belief() != Belief::Lost {
            return Ok(());
        }
        if let Some((at, fault)) = alone.as_ref()
            && came <= *at
        {
            return Err(fault.clone());
        }
        // It goes on when this caller's time is up: others may wait for it.
        let inner = self.clone();
        let asking = tokio::spawn(async move { inner.ask_for_proof(alone).await });
        asking.await.unwrap_or(Err(Fault::Busy))
    }

    async fn ask_for_proof(&self, mut alone: OwnedMutexGuard<LastFailure>) -> Result<(), Fault> {
        let (asked, until) = (boot_time(), self.until());
        let ask = async |lane: &Arc<Lane>| lane.call(until, Act::Write, &upkeep::PROOF, &[]).await;
        let answer = match ask(&self.authority.lane).await {
            Err(fault) if fault.is_too_many_connections() => ask(&self.revocations).await,
            answer => answer,
        };
        let proved = answer.and_then(|rows| {
            let row = rows.first().ok_or(Fault::Corrupt("proof"))?;
            self.dialler.note(&Seen::read(row, 0)?, asked)?;
            self.dialler.doubt(false);
            self.authority.proof().proved(asked);
            Ok(())
        });
        proved.map_err(|fault| {
            let fault = match fault {
                Fault::Late | Fault::Alone => {
                    self.dialler.doubt(true);
                    Fault::Unproved
                }
                fault => fault,
            };
            *alone = Some((boot_time(), fault.clone()));
            fault
        })
    }
}
