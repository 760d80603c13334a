//! Adapters for applications that already have sessions: anynode beneath tower-sessions.
//!
//! There are two ways in, and both leave the handlers as they are:
//!
//! - [`StoreAdapter`] is a `tower_sessions::SessionStore` on any of our stores. Cookie, layer
//!   and session stay those of tower-sessions; one line of the application changes.
//! - `SessionAdapterLayer`, in the module of your version of tower-sessions, stands inside of a
//!   [`SessionLayer`](crate::SessionLayer) and gives handlers a `tower_sessions::Session` whose
//!   cookie, rotation, logout and writes are ours. axum-login runs above it.
//!
//! Both find out which user axum-login has logged in and bind the session to that user, so that
//! [`AdminSessions`](crate::AdminSessions) lists and revokes an application's sessions by user.
//! The guide `docs/guides/from-tower-sessions.md` compares the ways.

mod bases;
mod json;
mod login;
mod mark;
mod naming;
mod request;
mod store;
#[cfg(feature = "tower-sessions-014")]
pub mod tower_sessions_014;
#[cfg(feature = "tower-sessions-015")]
pub mod tower_sessions_015;

pub use self::{login::user_id, store::StoreAdapter};

/// How often another id is drawn when one is taken. The second time is already a sign of a
/// broken random source.
const DUPLICATES_MAX: u32 = 3;
