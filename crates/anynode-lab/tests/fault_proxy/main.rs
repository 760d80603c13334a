//! What the fault proxy does to plain TCP connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod flows;
mod replies;
mod world;
