//! The adapters under tower-sessions 0.15.

#[path = "tower_sessions/mod.rs"]
mod cases;
mod client;

use ::tower_sessions;
use anynode::adapter::tower_sessions_015::SessionAdapterLayer;
