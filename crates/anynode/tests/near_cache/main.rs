//! The near cache: a copy is used only while it may be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../client/mod.rs"]
mod client;
#[path = "../site/mod.rs"]
mod site;
#[path = "../spy/mod.rs"]
mod spy;

mod scene;
mod wire;

mod channel;
#[cfg(target_os = "linux")]
mod clock;
mod hits;
mod layer;
mod loads;
mod open;
mod receipts;
mod writes;

#[cfg(feature = "sqlite")]
mod sqlite;
