//! Bugs in what runs on the servers: `cargo xtask teeth` plants each and sees it caught.

/// Whether the program was built with the bug, what stands in the text, and what then stands in
/// its place.
pub(super) type Bug = (bool, &'static str, &'static str);

/// The text as this program was built.
pub(super) fn planted(text: &str, bugs: &[Bug]) -> String {
    let planted = bugs.iter().filter(|(is_planted, ..)| *is_planted);
    planted.fold(text.to_owned(), |text, (_, good, bad)| {
        text.replace(good, bad)
    })
}
