//! The whole program as its user runs it: real processes, real signals, real connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod program;

/// Nobody is logged out and nothing is lost while nodes are killed.
mod killed_nodes;

/// What nodes keep of the store, and that they refuse what has ended all the same.
mod copies;

/// What starts and ends, and with which exit code.
mod lifecycle;

/// What people see of it: the strip, the two tabs, the buttons.
mod pages;

/// One node by itself: where it keeps sessions, what it counts, how it stops.
mod node;
