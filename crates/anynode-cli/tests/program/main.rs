//! The commands that operators use, as they use them: the real program, its output and exit codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../up/client.rs"]
mod client;
mod program;

/// Configurations that cannot be used are refused with where, what and what to do.
mod bad_configs;

/// What a store can promise, and what about it is unsafe.
mod doctor;

/// A gateway of a configuration, whose backends follow a file.
mod gateway;

/// Shells accept the completions, and the help names every command.
mod help;

/// Sessions and users in a store that a real node writes.
mod sessions;
