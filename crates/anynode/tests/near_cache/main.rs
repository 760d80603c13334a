//! The near cache: a copy is used only while it may be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../spy/mod.rs"]
mod spy;

mod scene;
mod wire;

mod channel;
mod hits;
mod loads;
mod writes;

#[cfg(feature = "sqlite")]
mod sqlite;
