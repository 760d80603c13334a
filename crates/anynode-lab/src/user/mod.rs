//! Virtual users: each with cookies of its own, from an address of its own, on a schedule that
//! does not wait for answers.

mod answer;
mod crowd;
mod jar;
mod mix;
mod person;
mod source;
mod tab;

pub use self::crowd::{Crowd, Load};
pub use self::mix::Mix;
pub(crate) use self::source::address_of;

/// The header in which the sample application names the node that answers.
pub(crate) const NODE: &str = "x-anynode-node";
