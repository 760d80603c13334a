//! What a Redis that breaks does to revocations and to the channel, on real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alarms;
mod channel;
mod deposed;
mod fail_over;
mod full;
mod gaps;
mod led_back;
mod logouts;
mod many;
#[path = "../meter/mod.rs"]
mod meter;
mod order;
mod owed;
mod pair;
mod repeats;
mod scene;
mod switch;
mod takeover;
