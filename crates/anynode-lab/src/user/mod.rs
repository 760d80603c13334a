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
