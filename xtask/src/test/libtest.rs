//! Counts tests in the output of test programs.

use std::fmt;
use std::ops::AddAssign;

use super::laws::Laws;

/// How many checks passed, failed and were ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
}

/// The count of one run, the laws in it, and whether cargo called the run a success.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: Count,
    pub(crate) laws: Laws,
    pub(crate) succeeded: bool,
}

impl Count {
    /// One check, which passed if `holds`.
    pub(crate) fn check(holds: bool) -> Self {
        Self {
            passed: usize::from(holds),
            failed: usize::from(!holds),
            ignored: 0,
        }
    }

    /// One failed check.
    pub(crate) fn one_failed() -> Self {
        Self::check(false)
    }

    /// How many did not pass: an ignored test shows nothing, so it is one of them.
    pub(crate) fn broken(self) -> usize {
        self.failed + self.ignored
    }

    /// The count in a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn of_result_line(line: &str) -> Option<Self> {
        let line = without_colour(line);
        let (_verdict, numbers) = line
            .trim()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let number = |word: &str| {
            let mut fields = numbers.split(';').map(str::trim);
            fields.find_map(|field| field.strip_suffix(word)?.trim().parse().ok())
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            ignored: number("ignored")?,
        })
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.broken())
    }
}

impl Tally {
    /// Adds the tests of one line of output; most lines have none.
    pub(crate) fn read_line(&mut self, line: &str) {
        if let Some(count) = Count::of_result_line(line) {
            self.count += count;
        }
        self.laws.read_line(line);
    }
}

/// The line without escape sequences of the form `ESC [ … letter`.
pub(super) fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(usize, usize, usize)>) {
        let count = Count::of_result_line(line);
        assert_eq!(
            count.map(|count| (count.passed, count.failed, count.ignored)),
            expected,
            "{line}"
        );
    }

    #[test]
    fn a_result_line_is_read_with_and_without_colour() {
        let rest = "0 measured; 2 filtered out; finished in 0.05s";
        check(
            &format!("test result: ok. 12 passed; 0 failed; 0 ignored; {rest}"),
            Some((12, 0, 0)),
        );
        check(
            &format!("test result: FAILED. 1 passed; 2 failed; 3 ignored; {rest}\n"),
            Some((1, 2, 3)),
        );
        check(
            &format!("test result: \u{1b}[32mok\u{1b}[m. 12 passed; 0 failed; 0 ignored; {rest}"),
            Some((12, 0, 0)),
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        check("running 3 tests", None);
        check("test result_is_kept ... ok", None);
        check("test result: ok", None);
    }

    #[test]
    fn an_ignored_test_is_not_a_pass() {
        let mut tally = Tally::default();
        tally.read_line("test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured");
        tally.read_line("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured");
        assert_eq!((tally.count.passed, tally.count.broken()), (5, 1));
    }
}
