//! What is particular to PostgreSQL: edits by hand, the cursor of the channel, plans and round
//! trips, faults of the server, its full disk, fail-overs, and roles with few rights.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cancels;
mod cost;
mod cursor;
mod edits;
mod fail_over;
mod faults;
mod full;
mod logs;
#[path = "../meter/mod.rs"]
mod meter;
mod opening;
mod pooled;
mod races;
mod roles;
mod scene;
mod standbys;
