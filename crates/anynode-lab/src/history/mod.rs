//! What the clients of a fleet saw, and what was done to it meanwhile.
//!
//! A history knows nothing of how a fleet works; the checker reads nothing else.

mod call;
mod change;
mod incident;
mod nanos;
mod recorder;
mod witness;

use serde::{Deserialize, Serialize};

pub use self::call::{Call, Kind, Outcome, name_of};
pub use self::change::{Act, Change};
pub use self::incident::{Incident, What};
pub use self::recorder::Recorder;
pub use self::witness::{Age, Ask, End, EndKind, Source, Told, Witnessed, Write};

/// What the clients of a fleet saw, and what was done to it meanwhile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    /// The calls in the order in which they ended.
    pub calls: Vec<Call>,
    /// What was done to the fleet, in the order of its begin.
    pub incidents: Vec<Incident>,
}
