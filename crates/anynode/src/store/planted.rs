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

/// The text as this program sends it: with the bug that is [`planted`], if one is, in each of its
/// places.
pub(super) fn with_bug<'a>(text: &'a str, bugs: &[Bug]) -> Cow<'a, str> {
    let planted = bugs.iter().filter(|bug| planted(bug.planted));
    planted.fold(Cow::Borrowed(text), |text, bug| {
        Cow::Owned(text.replace(bug.good, bug.bad))
    })
}
