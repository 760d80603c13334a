//! What a node that keeps copies has to know: which barriers have passed, and what was revoked.

mod barrier;
mod reassert;

pub use self::{
    barrier::{Barriers, Passed, Sign},
    reassert::{Assertion, Full, Reassert},
};
