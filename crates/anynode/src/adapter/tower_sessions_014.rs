//! The adapters for tower-sessions 0.14, which axum-login 0.18 builds on.

#[path = "bridge.rs"]
mod bridge;

use tower_sessions_core_014 as upstream;

pub use self::bridge::{SessionAdapter, SessionAdapterLayer};
