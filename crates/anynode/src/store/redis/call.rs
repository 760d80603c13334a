//! A call of one function, ready to be sent as often as it takes.

use redis::{Cmd, ToRedisArgs};

use super::{
    fault::Nature,
    keys::{Slot, Tag},
    library,
};

/// A call of one function on the primary of one slot.
#[derive(Clone)]
pub(super) struct Call {
    slot: Slot,
    nature: Nature,
    repetition: Repetition,
    command: Cmd,
}

/// How a function is called again when an earlier try may have been performed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repetition {
    /// As before: twice is as good as once.
    Same,
    /// With one more argument, so that it recognises its own work.
    Marked,
}

// === impl Call ===

impl Call {
    /// A call of the function `name` with these keys, all of them with the tag `tag`.
    pub(super) fn new(name: &str, nature: Nature, tag: Tag, keys: &[String]) -> Self {
        let mut command = redis::cmd("FCALL");
        command
            .arg(format!("{}{name}", library::NAMES))
            .arg(keys.len())
            .arg(keys);
        Self {
            slot: tag.slot(),
            nature,
            repetition: Repetition::Same,
            command,
        }
    }

    /// With this argument after those before.
    #[must_use]
    pub(super) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.command.arg(arg);
        self
    }

    /// With a last argument `again` in every try after one that may have been performed.
    #[must_use]
    pub(super) fn marked_again(mut self) -> Self {
        self.repetition = Repetition::Marked;
        self
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    pub(super) fn nature(&self) -> Nature {
        self.nature
    }

    /// What is sent, after a try that may have been performed or not.
    pub(super) fn command(&self, may_have_happened: bool) -> Cmd {
        let mut command = self.command.clone();
        if may_have_happened && self.repetition == Repetition::Marked {
            command.arg("again");
        }
        command
    }
}
