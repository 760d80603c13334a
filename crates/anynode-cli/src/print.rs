//! What a command prints on stdout, and what happens when nobody reads it.

use std::fmt;
use std::io::{self, Write};

use anyhow::{Context, Error};
use serde::Serialize;

/// For whom a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs: one JSON object in each line.
    Json,
}

/// The reader of stdout has gone, as `head` does when it has seen enough: no failure.
#[derive(Debug)]
pub(crate) struct NobodyReads;

/// Text of somebody else, on one line: a browser may call itself anything, also what moves a
/// terminal's cursor or turns the direction of the text around.
pub(crate) struct Line<'a>(pub(crate) &'a str);

/// Prints the text and a line's end.
///
/// # Errors
/// [`NobodyReads`], and what the system says of stdout.
pub(crate) fn say(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let said = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    match said {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        said => said.context("cannot print on stdout"),
    }
}

/// Prints one line of JSON.
///
/// # Errors
/// As [`say`].
pub(crate) fn say_json(value: &impl Serialize) -> Result<(), Error> {
    say(&serde_json::to_string(value).context("cannot write JSON")?)
}

// === impl NobodyReads ===

impl fmt::Display for NobodyReads {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nobody reads stdout")
    }
}

impl std::error::Error for NobodyReads {}

// === impl Line ===

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |character: char| {
            if is_harmless(character) {
                character
            } else {
                '?'
            }
        };
        self.0
            .chars()
            .map(shown)
            .try_for_each(|character| fmt::Write::write_char(formatter, character))
    }
}

fn is_harmless(character: char) -> bool {
    let is_invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !character.is_control() && !is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_calls_itself_moves_no_cursor() {
        let shown = Line("Fire\u{1b}[2Jfox\r\n\u{202e}auf Linüx").to_string();
        assert_eq!(shown, "Fire?[2Jfox???auf Linüx");
    }
}
