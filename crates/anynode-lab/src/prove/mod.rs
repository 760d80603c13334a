//! The rows of claims: each makes its own trials and counts those that could have failed.
//!
//! A row goes over HTTP, through a gateway, to real node processes, and is judged by the checker
//! from what its clients saw. The rows in [`store`] leave the web servers out.

pub mod affinity_moves;
pub mod bound;
pub mod faults;
mod frame;
mod home;
pub mod lost_sessions;
pub mod lost_updates;
pub mod risen_sessions;
pub mod store;

pub use self::frame::{Finding, Format, Terms, report};
use self::frame::{STOPPED, StopSignals, at_least_one, short_of};
