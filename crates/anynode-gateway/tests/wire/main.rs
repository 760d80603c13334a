//! The gateway on the wire: real sockets, real backends, real failures.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod affinity;
mod chosen;
mod counted;
mod crowded;
mod failures;
mod framing;
mod full;
mod gone;
mod headers;
mod lifecycle;
mod limits;
mod silence;
mod slow;
mod streams;
mod turns;
mod waiting;
mod world;
