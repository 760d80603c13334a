//! Starts real fleets, breaks them and measures them.
//!
//! Where to read on, from the outside to the inside:
//!
//! - `program`: the command line
//! - [`compare`]: what each strategy costs its users, side by side
//! - [`prove`]: the rows of claims
//! - [`stage`]: a fleet under load, and what is done to it step by step
//! - [`server`]: real stores, started and broken
//! - [`fleet`]: gateway and nodes as real processes
//! - [`fault`]: what happens to the connections between nodes and their store
//! - [`user`]: virtual users
//! - [`history`]: what the users saw
//! - [`checker`]: what that says of the fleet, from the history alone

mod program;

pub mod compare;
pub mod prove;

pub mod stage;

pub mod fault;
pub mod fleet;
pub mod server;
pub mod user;

pub mod checker;
pub mod history;

mod clock;
mod wire;

pub use self::program::run;
