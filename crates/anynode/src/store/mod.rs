//! The stores that sessions live in, and how one is opened from its URL.

#[cfg(feature = "tls")]
#[allow(dead_code, reason = "the stores on the network use parts of it each")]
mod net;
mod order;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
mod planted;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;

use anynode_core::{
    Facts, Store,
    store::{Error, ErrorKind, Result},
};

pub(crate) use self::order::broken_order;
pub use self::order::check_order;

/// Opens the store that a URL names.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `sqlite:PATH` | [`sqlite::SqliteStore`] | `sqlite` (default) |
/// | `postgres://USER:PASSWORD@HOST/DATABASE`, `postgresql://` | `postgres::PostgresStore` | `postgres` |
/// | `redis://HOST:PORT`, `rediss:` | `redis::RedisStore` | `redis` |
/// | `redis+cluster://HOST:PORT,HOST:PORT`, `rediss+cluster:` | `redis::RedisStore` | `redis` |
/// | `redis+sentinel://HOST:PORT,HOST:PORT/NAME`, `rediss+sentinel:` | `redis::RedisStore` | `redis` |
///
/// # Errors
/// `Config` when the URL names no store that is built in, or one that cannot be used as it is
/// set up; `Unavailable` when it cannot be reached now.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("sessions.db");
/// let store = anynode::store::open(&format!("sqlite:{}", path.display())).await?;
/// assert_eq!(store.inspect().await?.store, "sqlite");
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[allow(
    clippy::unused_async,
    reason = "only stores over the network are waited for"
)]
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    match scheme(url)? {
        #[cfg(feature = "sqlite")]
        Scheme::Sqlite => Ok(Arc::new(sqlite::SqliteStore::open(url)?)),
        #[cfg(feature = "postgres")]
        Scheme::Postgres => Ok(Arc::new(postgres::PostgresStore::open(url).await?)),
        #[cfg(feature = "redis")]
        Scheme::Redis => Ok(Arc::new(redis::RedisStore::open(url).await?)),
    }
}

/// Opens the store that a URL names, as [`open`], but never makes one: for tools that look into
/// a store.
///
/// # Errors
/// As [`open`], and `Config` when there is no such store yet.
#[allow(
    clippy::unused_async,
    reason = "only stores over the network are waited for"
)]
pub async fn open_existing(url: &str) -> Result<Arc<dyn Store>> {
    match scheme(url)? {
        #[cfg(feature = "sqlite")]
        Scheme::Sqlite => {
            let options = sqlite::SqliteStore::options().with_existing_file();
            Ok(Arc::new(options.open(url)?))
        }
        #[cfg(feature = "postgres")]
        Scheme::Postgres => {
            let options = postgres::PostgresStore::options().with_existing_schema();
            Ok(Arc::new(options.open(url).await?))
        }
        // There is nothing to make: the first session is written into any empty database.
        #[cfg(feature = "redis")]
        Scheme::Redis => Ok(Arc::new(redis::RedisStore::open(url).await?)),
    }
}

/// What the store that a URL names is and can promise, looked at without changing it: the store
/// may be one that [`open`] refuses, because it is set up unsafely.
///
/// # Errors
/// As [`open_existing`], but for what the facts themselves call unsafe.
pub async fn inspect(url: &str) -> Result<Facts> {
    match scheme(url)? {
        #[cfg(feature = "sqlite")]
        Scheme::Sqlite => open_existing(url).await?.inspect().await,
        #[cfg(feature = "postgres")]
        Scheme::Postgres => open_existing(url).await?.inspect().await,
        #[cfg(feature = "redis")]
        Scheme::Redis => redis::inspect(url).await,
    }
}

/// The stores that are built in.
enum Scheme {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "redis")]
    Redis,
}

fn scheme(url: &str) -> Result<Scheme> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Scheme::Sqlite),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(refused("sqlite: needs the feature `sqlite` of anynode")),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Scheme::Postgres),
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => {
            Err(refused("postgres: needs the feature `postgres` of anynode"))
        }
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel"
        | "rediss+sentinel" => Ok(Scheme::Redis),
        #[cfg(not(feature = "redis"))]
        "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel"
        | "rediss+sentinel" => Err(refused("redis: needs the feature `redis` of anynode")),
        // What follows the scheme may hold a password, so the URL is never repeated.
        _ => Err(refused(
            "this URL names no known store; known are: sqlite:, postgres:, redis:, rediss:, and \
             these two with +cluster or +sentinel",
        )),
    }
}

fn refused(detail: &'static str) -> Error {
    Error::new(ErrorKind::Config, "store", "open").with_detail(detail)
}
