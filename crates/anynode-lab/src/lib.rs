//! Starts real fleets, breaks them and measures them.

mod program;
pub mod prove;

pub use self::program::run;
