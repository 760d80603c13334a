//! A call of one function, ready to be sent as often as it takes.

use redis::{Arg, Cmd, ToRedisArgs};

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
    function: &'static str,
    keys: usize,
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
    pub(super) fn new(function: &'static str, nature: Nature, tag: Tag, keys: &[String]) -> Self {
        let mut command = redis::cmd("FCALL");
        command.arg(format!("{}{function}", library::NAMES));
        command.arg(keys.len()).arg(keys);
        Self {
            slot: tag.slot(),
            nature,
            repetition: Repetition::Same,
            function,
            keys: keys.len(),
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

    /// Whether it goes to a primary that may not be believed yet: what ends sessions can end them
    /// there as well.
    pub(super) fn goes_first(&self) -> bool {
        ["revoke", "outdate"].contains(&self.function)
    }

    pub(super) fn nature(&self) -> Nature {
        self.nature
    }

    /// What is sent, after a try that may have been performed or not.
    pub(super) fn command(&self, may_have_happened: bool) -> Cmd {
        let mut command = self.command.clone();
        let is_marked = self.repetition == Repetition::Marked
            && !anynode_core::planted("redis_retry_does_not_know_itself");
        if may_have_happened && is_marked {
            command.arg("again");
        }
        command
    }

    /// The same as a script, for a server that is too full to take the functions; `None` for
    /// what a full server refuses.
    pub(super) fn script(&self) -> Option<Cmd> {
        if !library::WHEN_FULL.contains(&self.function) {
            return None;
        }
        // FCALL, the function, and the number of keys come before the keys.
        const BEFORE_KEYS: usize = 3;
        let mut command = redis::cmd("EVAL");
        command.arg(library::script()).arg(self.keys);
        let (function, end) = (self.function.as_bytes(), self.keys);
        let words = self.command.args_iter().skip(BEFORE_KEYS);
        let words = words.filter_map(|word| match word {
            Arg::Simple(word) => Some(word),
            _ => None,
        });
        let words: Vec<_> = words.collect();
        for word in [&words[..end], &[function], &words[end..]].concat() {
            command.arg(word);
        }
        Some(command)
    }
}
