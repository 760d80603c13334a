//! Sessions that any node can serve: stores, tower middleware, axum extractor.
//!
//! ```no_run
//! # #[cfg(all(feature = "axum", feature = "sqlite"))]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use anynode::{Session, SessionError, SessionLayer, store::sqlite::SqliteStore};
//! use axum::{Router, routing::get};
//!
//! async fn home(session: Session) -> Result<String, SessionError> {
//!     let visits = session.update("visits", |n: Option<u32>| n.unwrap_or(0) + 1).await?;
//!     Ok(format!("visit {visits}"))
//! }
//!
//! let store = SqliteStore::open("sessions.db")?;
//! let app: Router = Router::new().route("/", get(home)).layer(SessionLayer::new(store));
//! # Ok(())
//! # }
//! ```
//!
//! A request is read from top to bottom: [`SessionLayer`] finds the cookie and puts a
//! [`Session`] beside the request; the handler reads and changes it; when the handler returns,
//! what it changed is written to the [store](anynode_core::Store) in one compare-and-set, and
//! only then does the head of the response leave.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `axum` | yes | `Session` as an extractor, `SessionError` as a response |
//! | `sqlite` | yes | sessions in a SQLite file that the processes of one host share |
//! | `protobuf` | no | Protocol Buffers as a codec |
//! | `encryption` | no | data sealed at rest |
//! | `tower-sessions-014`, `tower-sessions-015` | no | adapters for applications on tower-sessions and axum-login |

pub use anynode_core as core;
pub use anynode_core::{Freshness, Receipt, near::Ending};

#[cfg(any(feature = "tower-sessions-014", feature = "tower-sessions-015"))]
pub mod adapter;
mod clock;
pub mod codec;
mod companion;
mod config;
mod confirm;
mod cookie;
#[cfg(feature = "encryption")]
pub mod crypt;
mod csrf;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod freshness;
mod layer;
mod maintain;
mod near_cache;
mod open;
mod random;
mod service;
mod session;
mod sessions;
mod stale;
pub mod store;
mod timely;

pub use self::{
    clock::SystemClock,
    config::{AgeHeader, ClearSiteData, FailurePolicy, LoginByLink},
    cookie::{CookieConfig, CookieError, SameSite},
    csrf::Csrf,
    error::SessionError,
    freshness::{FreshnessLayer, FreshnessService},
    layer::SessionLayer,
    near_cache::{NearCache, NearCacheOptions},
    open::{OpenBody, OpenConnection, OpenStream},
    service::{GuardedBody, SessionBody, SessionFuture, SessionService},
    session::{ClientAddress, Session},
    sessions::{AdminSessions, SessionInfo, Sessions},
};

// The code in the guides is compiled with the examples of the documentation.
#[cfg(all(
    doctest,
    feature = "tower-sessions-014",
    feature = "tower-sessions-015"
))]
#[doc = include_str!("../../../docs/guides/from-tower-sessions.md")]
mod guide_from_tower_sessions {}
