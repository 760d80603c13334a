//! The adapters for tower-sessions 0.15.

// The same source as for 0.14: what the versions share is the text of their traits, not the
// traits themselves, so it is compiled once for each.
#[path = "bridge.rs"]
#[allow(clippy::duplicate_mod, reason = "see above")]
mod bridge;

use tower_sessions_core_015 as upstream;

pub use self::bridge::{SessionAdapter, SessionAdapterLayer};
