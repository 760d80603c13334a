//! What connections are told, and which of them are told the same.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::Fault;
use super::owner::owner_of;

/// What connections are told.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) fault: Fault,
    /// How many times something was said.
    pub(super) number: u64,
    /// What ended all connections last, if anything, and which order that was: one that was
    /// opened before that ends, even if it hears of a later order first.
    pub(super) ended: Option<(u64, Ending)>,
}

/// How connections are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Reset,
    Cut,
    HalfOpen,
}

/// To whose connections nothing is ever done, and whether the others are told apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Callers {
    /// Those that come from here are left alone.
    pub(crate) spared: Option<IpAddr>,
    /// Whether something can be done to the connections of one child of this process alone.
    pub(crate) told_apart: bool,
}

/// Who tells connections what. Clones tell the same connections.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    callers: Callers,
    everybody: watch::Sender<Orders>,
    calm: watch::Sender<Orders>,
    /// Those who were told something else once.
    apart: Arc<Mutex<BTreeMap<u32, watch::Sender<Orders>>>>,
}

// === impl Orders ===

impl Orders {
    fn say(&mut self, fault: Fault) {
        self.number += 1;
        if let Some(ending) = fault.ending() {
            self.ended = Some((self.number, ending));
        }
        self.fault = fault;
    }
}

// === impl Fault ===

impl Fault {
    /// What it does to connections that are open.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self {
            Self::Reset => Some(Ending::Reset),
            Self::Cut => Some(Ending::Cut),
            Self::HalfOpen => Some(Ending::HalfOpen),
            _ => None,
        }
    }
}

// === impl Desk ===

impl Desk {
    pub(super) fn new(callers: Callers) -> Self {
        Self {
            callers,
            everybody: watch::Sender::default(),
            calm: watch::Sender::default(),
            apart: Arc::default(),
        }
    }

    /// What everybody is told who is not spared.
    pub(super) fn ordered(&self) -> watch::Receiver<Orders> {
        self.everybody.subscribe()
    }

    /// What a connection from `client` is told that came in `at` this address.
    pub(super) async fn ordered_for(
        &self,
        client: SocketAddr,
        at: SocketAddr,
    ) -> watch::Receiver<Orders> {
        if self.callers.spared == Some(client.ip()) {
            return self.calm.subscribe();
        }
        if !self.callers.told_apart {
            return self.everybody.subscribe();
        }
        let owner = spawn_blocking(move || owner_of(client, at)).await;
        match owner.ok().flatten() {
            Some(process) => self.apart(process).subscribe(),
            None => self.everybody.subscribe(),
        }
    }

    pub(super) fn say(&self, fault: Fault) {
        let apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        for orders in apart.values() {
            orders.send_modify(|orders| orders.say(fault.clone()));
        }
        self.everybody.send_modify(|orders| orders.say(fault));
    }

    pub(super) fn say_to(&self, process: u32, fault: Fault) {
        let orders = self.apart(process);
        orders.send_modify(|orders| orders.say(fault));
    }

    /// What this process is told; the first time, what everybody is.
    fn apart(&self, process: u32) -> watch::Sender<Orders> {
        let mut apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = || watch::Sender::new(self.everybody.borrow().clone());
        apart.entry(process).or_insert_with(alike).clone()
    }
}
