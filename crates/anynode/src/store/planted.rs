//! Bugs in texts that a store runs: `cargo xtask teeth` plants each and sees it caught.

use std::borrow::Cow;

use anynode_core::planted;

/// A bug in a text.
pub(super) struct Bug {
    /// Its name.
    pub(super) planted: &'static str,
    /// What stands in the text.
    pub(super) good: &'static str,
    /// What then stands in its place.
    pub(super) bad: &'static str,
}

/// The text as this program sends it: with the bug that is [`planted`], if one is.
pub(super) fn with_bug<'a>(text: &'a str, bugs: &[Bug]) -> Cow<'a, str> {
    let bug = bugs.iter().find(|bug| planted(bug.planted));
    bug.map_or(Cow::Borrowed(text), |bug| {
        Cow::Owned(text.replace(bug.good, bug.bad))
    })
}
