//! What a node that keeps copies has to know: which barriers have passed, and what was revoked.

mod barrier;
mod known;
mod reassert;

pub use self::{
    barrier::{Barriers, Passed, Sign},
    known::Known,
    reassert::{Assertion, Full, Reassert},
};
