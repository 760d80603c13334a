//! Where the laws are tried: a real server, and the clock that it has.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anynode::NearCache;
use anynode::store::postgres::PostgresStore;
use anynode::store::redis::RedisStore;
use anynode_core::Store;
use anynode_core::contract::{Runner, Task, World};
use anynode_lab::server::{Kind, Server};
use async_trait::async_trait;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bugs::{Bug, Buggy};
use crate::compared::compared;

/// The store of one law.
pub(crate) struct Laboratory {
    kind: Kind,
    bug: Option<Bug>,
    copies: Copies,
}

/// Whether nodes keep copies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    None,
    /// Each does, and all it says is compared with what the store says.
    Compared,
}

/// The laws are not about speed, and they share the machine with the other tests: while it writes
/// back what a build left, a server may stand still for more than ten seconds.
const DEADLINE: Duration = Duration::from_secs(30);

type Started = Result<Server, String>;

/// One server for each kind, started by the first law that is tried on it.
static SERVERS: LazyLock<HashMap<Kind, OnceCell<Started>>> =
    LazyLock::new(|| Kind::ALL.map(|kind| (kind, OnceCell::new())).into());

// === impl Laboratory ===

impl Laboratory {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            bug: None,
            copies: Copies::None,
        }
    }

    /// With a near cache in front of each store.
    pub(crate) fn with_near_caches(mut self) -> Self {
        self.copies = Copies::Compared;
        self
    }

    /// With a bug in front of each store.
    pub(crate) fn with(mut self, bug: Bug) -> Self {
        self.bug = Some(bug);
        self
    }

    async fn open(&self, url: &str) -> Arc<dyn Store> {
        match self.kind {
            Kind::Postgres | Kind::PgBouncer => {
                let options = PostgresStore::options().with_deadline(DEADLINE);
                Arc::new(options.open(url).await.unwrap())
            }
            _ => {
                let options = RedisStore::options().with_deadline(DEADLINE);
                Arc::new(options.open(url).await.unwrap())
            }
        }
    }

    async fn server(&self) -> &'static Server {
        let start = async || {
            let server = Server::start(self.kind).await;
            server.map_err(|error| format!("{error:#}"))
        };
        let server = SERVERS[&self.kind].get_or_init(start).await;
        server.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }
}

#[async_trait]
impl Runner for Laboratory {
    async fn parallel(&self, tasks: Vec<Task>) {
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn(task);
        }
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// What a bug holds back never comes, and everything else comes soon.
    async fn patience(&self) {
        let patience = if self.bug.is_some() { 2 } else { 60 };
        sleep(Duration::from_secs(patience)).await;
    }
}

#[async_trait]
impl World for Laboratory {
    async fn stores(&self, nodes: usize) -> Vec<Arc<dyn Store>> {
        let url = self.server().await.fresh_url();
        let mut stores = Vec::new();
        for _ in 0..nodes {
            let store = self.open(&url).await;
            stores.push(match self.bug {
                Some(bug) => Arc::new(Buggy::new(store, bug)),
                None => store,
            });
        }
        match self.copies {
            Copies::None => stores,
            Copies::Compared => compared(stores, &NearCache::options().with_trial(false)),
        }
    }

    /// The servers are on this machine and have its clock.
    async fn wait(&self, by: Duration) {
        sleep(by).await;
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Runs a law to its end.
pub(crate) fn run<'f, F: Future + 'f>(future: F) -> F::Output
where
    F::Output: 'f,
{
    let mut output = None;
    let outcome = &mut output;
    block_on(Box::pin(async move { *outcome = Some(future.await) }));
    output.unwrap()
}

/// One runtime is compiled for all laws, and not one for each: that takes minutes.
fn block_on(future: Pin<Box<dyn Future<Output = ()> + '_>>) {
    Runtime::new().unwrap().block_on(future);
}
