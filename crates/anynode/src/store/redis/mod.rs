//! The Redis store: Redis 7.0 or later, or Valkey; one server, a cluster, or sentinels.
//!
//! Read in this order: `keys` and `record` for what is kept, `library` and its functions for
//! every rule that holds at the moment of a write, `read`, `write`, `revoke` and `sweep` for
//! what is called when; then `options` for how servers are named, `topology` with `cluster` and
//! `sentinel` for which of them to ask, `link` for the connection to each, `call`, `servers` and
//! `fault` for how a call is tried again and what its failure means; `channel` for how nodes hear
//! of changes, and `vigil` with `assert` and `fence` for what becomes of revocations when a
//! primary fails, and `gate` for when another is read.

mod about;
mod assert;
mod both;
mod call;
mod channel;
mod cluster;
mod connection;
mod fault;
mod fence;
mod first;
mod followed;
mod gate;
mod inspect;
mod keys;
mod library;
mod link;
mod options;
mod read;
mod record;
mod reply;
mod revoke;
mod sentinel;
mod servers;
mod sweep;
mod topology;
mod vigil;
mod write;

use std::{fmt, sync::Arc};

use anynode_core::{
    Channel, Create, Draft, Facts, Found, Handle, Item, Listing, Live, NodeEntry, NodeId, Page,
    Replace, Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version, Wanted, store::Result,
};
use async_trait::async_trait;

pub use self::options::RedisOptions;
use self::{
    channel::RedisChannel,
    fault::Nature,
    followed::{Begun, Followed},
    options::Target,
    servers::Servers,
    sweep::Turn,
    vigil::Vigil,
};

/// Sessions in Redis or Valkey, shared by all nodes that use the same servers and prefix.
///
/// A clone is another handle on the same connections. Lifetimes are judged by the clock of the
/// primary that has the session. Its user on the servers needs [`RedisStore::RIGHTS`]. The calls need a tokio runtime with its timer.
///
/// ```no_run
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use anynode::store::redis::RedisStore;
/// use anynode_core::{Handle, Store};
///
/// let store = RedisStore::open("redis://localhost:6379").await?;
/// assert!(store.load(&Handle::from_bytes([7; 16])).await?.is_none());
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct RedisStore {
    servers: Arc<Servers>,
    turn: Arc<Turn>,
    vigil: Arc<Vigil>,
}

const NAME: &str = "redis";

/// What the servers of a URL are and can promise, also where [`RedisStore::open`] refuses them.
pub(super) async fn inspect(url: &str) -> Result<Facts> {
    let store = RedisOptions::for_inspection().open(url).await?;
    store.inspect().await
}

// === impl RedisStore ===

impl RedisStore {
    /// The rights that its user needs on the servers, beside the keys: `ACL SETUSER web on
    /// >PASSWORD ~an*` and these, where `an` is the prefix. On sentinels it needs none.
    pub const RIGHTS: &str = "resetchannels -@all +hello +auth +select +ping +info +role \
        +config|get +cluster|slots +cluster|nodes +asking +wait +client|tracking \
        +client|trackinginfo +function|load +fcall +eval +time +get +getrange +set +del +exists \
        +hget +hset +hdel +hgetall +hscan +pexpire +pexpireat +pexpiretime +zadd +zrem +zscore \
        +zcount +zrange +zrangebyscore +zrangebylex +zremrangebylex \
        +zrandmember";

    /// Opens the store that a URL names.
    ///
    /// | URL | servers |
    /// |---|---|
    /// | `redis://USER:PASSWORD@HOST:PORT/DB` | one |
    /// | `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT` | a cluster, by some of its nodes |
    /// | `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME` | the primary that sentinels name |
    ///
    /// `rediss:` instead of `redis:` speaks TLS. Options follow a `?` and are joined by `&`:
    ///
    /// | option | meaning |
    /// |---|---|
    /// | `prefix=an` | what all keys begin with: 1 to 32 of `A-Z a-z 0-9 _ -` |
    /// | `tls_ca=FILE` | trust this authority instead of those of the machine |
    /// | `plaintext=allowed` | permit another machine without TLS |
    /// | `eviction=allowed` | permit a server that throws sessions away when it is full |
    /// | `revoke=r0`, `r1`, `r2` | how safe a revocation has to be before it is acknowledged |
    ///
    /// Without `revoke` it is `r2` where there are replicas when the store is opened, else `r0`.
    /// Under `r1` and `r2` a revocation that too few replicas acknowledge is `Indeterminate`; this
    /// node refuses the session from then on and has the revocation written again until they do.
    /// Under `r2` nodes remember the revocations of the last ten minutes and write them again
    /// when another primary took over without them. Outside of clusters none reads that one before
    /// all have, or before it has, once it had written itself, waited for the others as long as a
    /// deposed primary may go on and a second more (5 s where nothing bounds that): calls wait for it, and are `Unavailable` when
    /// their time is up. Whenever acknowledged writes may have been
    /// lost, an error is logged and `anynode_possible_lost_writes_total` counts it.
    ///
    /// # Errors
    /// `Config` when the URL cannot be understood, or the servers are older than Redis 7.0,
    /// evict, or refuse the login; `Unavailable` when none can be reached.
    pub async fn open(url: &str) -> Result<Self> {
        RedisOptions::default().open(url).await
    }

    /// What can be set before opening.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// What judges where the answer of a verb comes from that begins now.
    fn begin(&self) -> (&Followed, Begun) {
        let followed = &self.servers.followed;
        (followed, followed.begin())
    }

    async fn start(target: Target, options: RedisOptions) -> Result<Self> {
        let servers = Servers::new(&target, options.deadline);
        inspect::check(&servers, options.eviction.or(target.eviction)).await?;
        let servers = Arc::new(servers);
        let vigil = Vigil::begin(servers.clone(), target.revoke, options.purpose).await;
        Ok(Self {
            servers,
            turn: Arc::default(),
            vigil: vigil.map_err(|fault| fault.error("open", Nature::Read, false))?,
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for RedisStore {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        draft.check(NAME, "create")?;
        let (followed, begun) = self.begin();
        let created = write::create(&self.servers, draft).await?;
        Ok(match created {
            Create::Created(live) => Create::Created(followed.judge(begun, live)),
            Create::Duplicate => Create::Duplicate,
        })
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        let (followed, begun) = self.begin();
        let live = read::load(&self.servers, handle).await?;
        // A fail-over may have brought back what this node knows to be revoked.
        let live = live.filter(|live| !self.vigil.refuses(&live.record));
        Ok(live.map(|live| followed.judge(begun, live)))
    }

    fn keeps_copies(&self) -> bool {
        false
    }

    fn copy(&self, _: &Wanted) -> Option<Found> {
        None
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.load(&wanted.handle).await.map(Found::asked)
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        draft.check(NAME, "replace")?;
        let known = self.vigil.known_of(draft);
        let (followed, begun) = self.begin();
        let replaced = write::replace(&self.servers, base, draft).await?;
        Ok(match replaced {
            Replace::Replaced(live) if known.refuses(&live.record) => Replace::Gone,
            Replace::Conflict(live) if self.vigil.refuses(&live.record) => Replace::Gone,
            Replace::Replaced(live) => Replace::Replaced(followed.judge(begun, live)),
            Replace::Conflict(live) => Replace::Conflict(followed.judge(begun, live)),
            Replace::Gone => Replace::Gone,
        })
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        write::touch(&self.servers, batch).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        let until = self.servers.until();
        let ended = revoke::revoke(&self.servers, revoke).await?;
        let confirmed = self.vigil.confirm(revoke, &ended, until).await;
        Ok(Revoked {
            durability: confirmed?,
            at: ended.at,
            effect: ended.effect,
        })
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        let mut listing = read::list(&self.servers, user, page).await?;
        let sessions = &mut listing.sessions;
        sessions.retain(|live| !self.vigil.refuses(&live.record));
        Ok(listing)
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        read::scan(&self.servers, cursor, limit).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        let channel = RedisChannel::open(self.servers.clone(), node).await?;
        Ok(Box::new(channel))
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        channel::nodes(&self.servers).await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        channel::leave(&self.servers, node).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        channel::call_roll(&self.servers).await.map(Roll::Called)
    }

    async fn inspect(&self) -> Result<Facts> {
        let facts = inspect::inspect(&self.servers).await?;
        inspect::of_revocations(&self.vigil, facts).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        sweep::sweep(&self.servers, &self.turn, limit).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({:?})", self.servers.topology)
    }
}
