//! Sentinels: who they say is the primary, and whether that server says so as well.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use redis::AsyncConnectionConfig;
use tokio::{sync::Mutex, time::timeout};

use super::{
    fault::{Fault, Refusal},
    link::{Connection, Link, Setup},
    reply,
};
use crate::{clock::boot_time, store::net::Address};

/// The servers under one name, of which the sentinels make one the primary.
pub(super) struct Sentinel {
    sentinels: Vec<Address>,
    name: String,
    setup: Arc<Setup>,
    current: RwLock<Option<Arc<Link>>>,
    resolving: Mutex<()>,
}

/// How long one sentinel may take to answer.
const SENTINEL_MAX: Duration = Duration::from_millis(500);

// === impl Sentinel ===

impl Sentinel {
    pub(super) fn new(sentinels: Vec<Address>, name: String, setup: Arc<Setup>) -> Self {
        Self {
            sentinels,
            name,
            setup,
            current: RwLock::default(),
            resolving: Mutex::default(),
        }
    }

    /// The primary: found out by one task, however many wait for it.
    pub(super) async fn primary(&self, until: Duration) -> Result<Arc<Link>, Fault> {
        if let Some(link) = self.known() {
            return Ok(link);
        }
        let left = until.saturating_sub(boot_time());
        let late = |_| Fault::Late { sent: false };
        let _alone = timeout(left, self.resolving.lock()).await.map_err(late)?;
        if let Some(link) = self.known() {
            return Ok(link);
        }
        let mut last = Fault::Late { sent: false };
        for sentinel in &self.sentinels {
            if boot_time() >= until {
                break;
            }
            match self.ask(sentinel, until).await {
                Ok(link) => {
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Some(link.clone());
                    return Ok(link);
                }
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    /// Finds out anew at the next call, because this one may no longer be the primary.
    pub(super) fn distrust(&self, link: &Arc<Link>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, link)) {
            *current = None;
        }
    }

    async fn ask(&self, sentinel: &Address, until: Duration) -> Result<Arc<Link>, Fault> {
        let limit = until.min(boot_time() + SENTINEL_MAX);
        let connection = self.connect(sentinel, limit).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let answer = connection.send(&question, limit).await?;
        if answer == redis::Value::Nil {
            return Err(Fault::Config("the sentinels know no primary of this name"));
        }
        let mut answer = reply::Items::of(answer)?;
        let host = answer.text()?;
        let port = u16::try_from(answer.number()?)
            .map_err(|_| Fault::Corrupt("the port that a sentinel names"))?;
        let address = Address { host, port };
        if !self.setup.admits(&address) {
            return Err(super::topology::PLAINTEXT_REFUSED);
        }
        let link = Arc::new(Link::new(address, self.setup.clone()));
        // A sentinel may be behind, or its word may be old before it is heard.
        let role = link.send(&redis::cmd("ROLE"), until).await?;
        match reply::Items::of(role)?.text()?.as_str() {
            "master" => Ok(link),
            _ => Err(Fault::Refused(Refusal::ReadOnly)),
        }
    }

    /// Sentinels mostly want no password, and refuse one when they have none.
    async fn connect(&self, sentinel: &Address, until: Duration) -> Result<Connection, Fault> {
        let config = AsyncConnectionConfig::new;
        let limit = until.saturating_sub(boot_time());
        let anonymous = self.setup.anonymous();
        let connection = anonymous.connect(sentinel, config(), limit).await;
        let known = match connection {
            Ok(connection) => {
                let ping = connection.send(&redis::cmd("PING"), until).await;
                match ping {
                    Err(Fault::Refused(Refusal::NotKnown)) => None,
                    Err(fault) => return Err(fault),
                    Ok(_) => Some(connection),
                }
            }
            Err(Fault::Refused(Refusal::NotKnown)) => None,
            Err(fault) => return Err(fault),
        };
        match known {
            Some(connection) => Ok(connection),
            None => self.setup.connect(sentinel, config(), limit).await,
        }
    }

    fn known(&self) -> Option<Arc<Link>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

impl fmt::Debug for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sentinel({:?}, {})", self.sentinels, self.name)
    }
}
