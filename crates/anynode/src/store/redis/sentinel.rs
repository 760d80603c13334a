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
    fence::{self, Role},
    first::first,
    link::{CONNECT_MAX, Link, Setup},
    reply,
};
use crate::{clock::boot_time, store::net::Address};

/// The servers under one name, of which the sentinels make one the primary.
pub(super) struct Sentinel {
    sentinels: Vec<Address>,
    name: String,
    setup: Arc<Setup>,
    current: RwLock<Option<Arc<Link>>>,
    resolving: Arc<Mutex<()>>,
}

/// How long one sentinel and the primary that it names may take to answer: four round trips,
/// of a slow network as well.
const SENTINEL_MAX: Duration = Duration::from_secs(3);

// === impl Sentinel ===

impl Sentinel {
    pub(super) fn new(sentinels: Vec<Address>, name: String, setup: Arc<Setup>) -> Self {
        Self {
            sentinels,
            name,
            setup,
            current: RwLock::default(),
            resolving: Arc::default(),
        }
    }

    /// The primary: found out by one task, however many wait for it.
    pub(super) async fn primary(self: &Arc<Self>, until: Duration) -> Result<Arc<Link>, Fault> {
        if let Some(link) = self.known() {
            return Ok(link);
        }
        let left = || until.saturating_sub(boot_time());
        let late = |_| Fault::Late { sent: false };
        let resolving = self.resolving.clone().lock_owned();
        let alone = timeout(left(), resolving).await.map_err(late)?;
        if let Some(link) = self.known() {
            return Ok(link);
        }
        // It goes on when this caller's time is up: asking a sentinel and the primary that it
        // names are round trips enough for a slow network to use up the time of each caller.
        let this = self.clone();
        let resolving = tokio::spawn(async move {
            let _alone = alone;
            this.resolve().await
        });
        let resolved = timeout(left(), resolving).await.map_err(late)?;
        resolved.unwrap_or(Err(Fault::Late { sent: false }))
    }

    /// How many replicas the first sentinel that answers knows of the primary, those that are
    /// away included.
    ///
    /// # Errors
    /// When none tells.
    pub(super) async fn replicas(&self, until: Duration) -> Result<u64, Fault> {
        let mut last = Fault::Late { sent: false };
        for sentinel in &self.sentinels {
            match self
                .count(sentinel, until.min(boot_time() + SENTINEL_MAX))
                .await
            {
                Ok(count) => return Ok(count),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    async fn count(&self, sentinel: &Address, until: Duration) -> Result<u64, Fault> {
        let mut answer = reply::Items::of(self.told(sentinel, "MASTER", until).await?)?;
        while answer.len() > 1 {
            let (name, value) = (answer.text()?, answer.value()?);
            if name == "num-slaves" {
                return reply::number(value);
            }
        }
        Err(Fault::Corrupt("what a sentinel says of the primary"))
    }

    /// Finds out anew at the next call, because this one may no longer be the primary.
    pub(super) fn distrust(&self, link: &Arc<Link>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, link)) {
            *current = None;
        }
    }

    async fn resolve(self: &Arc<Self>) -> Result<Arc<Link>, Fault> {
        let questions = self.sentinels.clone().into_iter().map(|sentinel| {
            let this = self.clone();
            async move { this.ask(&sentinel).await }
        });
        let link = first(questions).await?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(link.clone());
        Ok(link)
    }

    async fn ask(&self, sentinel: &Address) -> Result<Arc<Link>, Fault> {
        let until = boot_time() + SENTINEL_MAX;
        let mut answer = match self
            .told(sentinel, "GET-MASTER-ADDR-BY-NAME", until)
            .await?
        {
            redis::Value::Nil => {
                return Err(Fault::Config("the sentinels know no primary of this name"));
            }
            answer => reply::Items::of(answer)?,
        };
        let host = answer.text()?;
        let port = u16::try_from(answer.number()?)
            .map_err(|_| Fault::Corrupt("the port that a sentinel names"))?;
        let address = Address { host, port };
        if !self.setup.admits(&address) {
            return Err(super::topology::PLAINTEXT_REFUSED);
        }
        let link = Arc::new(Link::new(address, self.setup.clone()));
        // A sentinel may be behind, or its word may be old before it is heard.
        let connection = link.connection(until).await?;
        let said = link.ask(&connection, &fence::command(), until).await?;
        let said = fence::read(said)?;
        if said.role != Role::Primary {
            return Err(Fault::Refused(Refusal::ReadOnly));
        }
        self.setup.gate.judge(&connection, &said.fence.reign());
        Ok(link)
    }

    /// What a sentinel answers to a question about the name. Sentinels mostly want no password,
    /// and refuse one when they have none.
    async fn told(
        &self,
        sentinel: &Address,
        what: &str,
        until: Duration,
    ) -> Result<redis::Value, Fault> {
        let mut question = redis::cmd("SENTINEL");
        question.arg(what).arg(&self.name);
        let asked = async |setup: &Setup| {
            let limit = until.saturating_sub(boot_time()).min(CONNECT_MAX);
            let config = AsyncConnectionConfig::new();
            let connection = setup.connect(sentinel, config, limit).await?;
            connection.send(&question, until).await
        };
        match asked(&self.setup.anonymous()).await {
            Err(Fault::Refused(Refusal::NotKnown)) => asked(&self.setup).await,
            answer => answer,
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
