//! The adapters under tower-sessions 0.14.

#[path = "tower_sessions/mod.rs"]
mod cases;
mod client;

use anynode::adapter::tower_sessions_014::SessionAdapterLayer;
use tower_sessions_014 as tower_sessions;
