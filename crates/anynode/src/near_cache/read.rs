//! A request for a session: answered from a copy, or else by the store.

use std::time::Duration;

use anynode_core::{
    ChannelKind, Found, Handle, Live, Wanted,
    near::{Ask, Freshness, Limits, Look, Miss, Through, Ticket, through},
    store::{Error, ErrorKind, Result},
};

use super::{
    desk::{Landed, Part},
    figures,
    inner::{Copies, Inner, STORE},
    load::Lead,
};

/// How often a request looks for another load when the one that it shared was given up or was
/// not good enough for it. Then it sends one of its own.
const SHARED_MAX: u32 = 8;

// === impl Inner ===

impl Inner {
    /// The copy for this request, if there is one.
    pub(super) fn copy(&self, wanted: &Wanted) -> Option<Found> {
        let copies = self.copies()?;
        self.look(copies, wanted).ok()
    }

    /// The session for this request, from a copy or from the store.
    pub(super) async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        let Some(copies) = self.copies() else {
            return self.store.load_for(wanted).await;
        };
        if copies.kind == ChannelKind::ValidatedPerRead {
            self.validate(copies, wanted.arrived).await;
        }
        match self.look(copies, wanted) {
            Ok(found) => Ok(found),
            Err(miss) => {
                figures::missed(miss.why);
                self.read_through(copies, wanted, miss.not_before).await
            }
        }
    }

    /// The session as the store has it.
    pub(super) async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        let Some(copies) = self.copies() else {
            return self.store.load(handle).await;
        };
        let now = self.now();
        let wanted = Wanted::new(*handle, Freshness::Strict, now);
        let found = self.read_through(copies, &wanted, now).await?;
        Ok(found.live)
    }

    fn look(&self, copies: &Copies, wanted: &Wanted) -> Result<Found, Miss> {
        let ask = self.ask(wanted);
        let looked = copies.desk(&wanted.handle).look(&ask, &copies.horizon);
        match looked {
            Look::Hit(hit) => Ok(Found {
                live: Some(hit.live(ask.now)),
                as_of: Some(hit.as_of()),
            }),
            Look::Miss(miss) => Err(miss),
        }
    }

    /// Has the store asked, by this request or by one whose answer it may share.
    async fn read_through(
        &self,
        copies: &Copies,
        wanted: &Wanted,
        not_before: Duration,
    ) -> Result<Found> {
        let (mut wanted, mut not_before) = (wanted.clone(), not_before);
        for _ in 0..SHARED_MAX {
            let ask = self.ask(&wanted);
            if let Some(found) = self.known_without_asking(copies, &ask)? {
                return Ok(found);
            }
            let part = copies.desk(&wanted.handle).join(&ask, &copies.horizon);
            let (ticket, mut landing) = match part {
                Part::Leads(flight, landing) => {
                    let lead = Lead::new(copies, wanted.handle, flight, landing);
                    return lead.load(self, not_before).await;
                }
                Part::Follows(ticket, landing) => (ticket, landing),
            };
            // Whoever sent it may go away before it is answered.
            let landed = match landing.wait_for(Option::is_some).await {
                Ok(landed) => landed.clone(),
                Err(_) => None,
            };
            let Some(landed) = landed else { continue };
            if is_decided(&ticket, &landed, &self.ask(&wanted)) {
                figures::joined();
                return landed.told();
            }
            // Not good enough: one that is sent from now on is.
            wanted.freshness = Freshness::Strict;
            if let Landed::Found { sent, .. } = landed {
                not_before = sent + Limits::PACE;
            }
        }
        let live = self.store.load(&wanted.handle).await?;
        Ok(Found::asked(self.not_revoked(live)))
    }

    /// What needs no store: that the session is dead, or that the store is not to be believed.
    fn known_without_asking(&self, copies: &Copies, ask: &Ask<'_>) -> Result<Option<Found>> {
        let through = self.with_memory(|memory| through(ask, &copies.horizon, memory));
        match through {
            Through::Read => Ok(None),
            Through::Dead => Ok(Some(Found {
                live: None,
                as_of: Some(ask.now),
            })),
            Through::Refused => Err(refused()),
        }
    }

    fn not_revoked(&self, live: Option<Live>) -> Option<Live> {
        let live = live?;
        let is_revoked = self.with_memory(|memory| memory.refuses_record(&live.record));
        (!is_revoked).then_some(live)
    }

    fn ask<'a>(&self, wanted: &'a Wanted) -> Ask<'a> {
        Ask {
            handle: wanted.handle,
            shard: STORE,
            secret: wanted.secret.as_ref(),
            seen: wanted.seen,
            freshness: wanted.freshness,
            arrived: wanted.arrived,
            now: self.now(),
        }
    }
}

/// Whether what came of a load that another request sent decides this one. That the store could
/// not be asked is as true for the one as for the other.
fn is_decided(ticket: &Ticket, landed: &Landed, ask: &Ask<'_>) -> bool {
    match landed {
        Landed::Found { .. } if anynode_core::planted("near_shared_load_refuses") => true,
        Landed::Found { live, .. } => ticket.decides(ask, live.as_ref()),
        Landed::Refused | Landed::Failed(..) => true,
    }
}

/// The store refused a heartbeat, so that what it says proves nothing.
pub(super) fn refused() -> Error {
    let error = Error::new(ErrorKind::Unavailable, "near cache", "load").with_refusal();
    error.with_detail("the store refused the heartbeat of this node: it may have been deposed")
}
