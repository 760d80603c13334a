//! The near cache on real servers: what it sees of other nodes and of people, and what it does
//! while a server is away.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod by_hand;
mod disorder;
mod open;
mod outages;
mod process;
mod receipts;
mod scene;
mod visitor;
