//! Reads Rust source just well enough to tell code from comments and strings.

/// What the scanner is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// The text with every comment blanked and every string filled with quotation marks; lines and
/// columns stay where they were.
pub(crate) fn code_of(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < characters.len() {
        let (next, length) = step(inside, &characters[at..], characters[..at].last().copied());
        let filler = match (inside, next) {
            (Inside::Code, Inside::Code) => None,
            (Inside::Text | Inside::RawText { .. }, _) => Some('"'),
            (_, Inside::Text | Inside::RawText { .. }) => Some('"'),
            _ => Some(' '),
        };
        for &character in &characters[at..at + length] {
            code.push(match filler {
                Some(filler) if !character.is_whitespace() => filler,
                _ => character,
            });
        }
        inside = next;
        at += length;
    }
    code
}

/// What comes after the next few characters, and how many those are (at least one).
fn step(inside: Inside, rest: &[char], before: Option<char>) -> (Inside, usize) {
    let second = rest.get(1).copied();
    match inside {
        Inside::Code => step_in_code(rest, before),
        Inside::LineComment if rest[0] == '\n' => (Inside::Code, 1),
        Inside::BlockComment { depth } => match (rest[0], second) {
            ('/', Some('*')) => (Inside::BlockComment { depth: depth + 1 }, 2),
            ('*', Some('/')) if depth == 1 => (Inside::Code, 2),
            ('*', Some('/')) => (Inside::BlockComment { depth: depth - 1 }, 2),
            _ => (inside, 1),
        },
        Inside::Text => match (rest[0], second) {
            ('\\', Some(_)) => (inside, 2),
            ('"', _) => (Inside::Code, 1),
            _ => (inside, 1),
        },
        Inside::RawText { hashes } if rest[0] == '"' && hashes_at(&rest[1..]) >= hashes => {
            (Inside::Code, 1 + hashes)
        }
        Inside::LineComment | Inside::RawText { .. } => (inside, 1),
    }
}

fn step_in_code(rest: &[char], before: Option<char>) -> (Inside, usize) {
    let starts_a_word = !before.is_some_and(|of| of.is_alphanumeric() || of == '_');
    match (rest[0], rest.get(1).copied()) {
        ('/', Some('/')) => (Inside::LineComment, 2),
        ('/', Some('*')) => (Inside::BlockComment { depth: 1 }, 2),
        ('"', _) => (Inside::Text, 1),
        ('\'', _) => (Inside::Code, character_literal_length(rest)),
        ('r', Some('"' | '#')) if starts_a_word || before == Some('b') => {
            let hashes = hashes_at(&rest[1..]);
            if rest.get(1 + hashes) == Some(&'"') {
                (Inside::RawText { hashes }, 2 + hashes)
            } else {
                (Inside::Code, 1)
            }
        }
        _ => (Inside::Code, 1),
    }
}

/// The length of `'x'` or `'\n'`; 1 for the tick of a lifetime.
fn character_literal_length(rest: &[char]) -> usize {
    match rest.get(1) {
        Some('\\') => {
            let closing = rest.iter().skip(3).position(|&character| character == '\'');
            closing.map_or(1, |distance| distance + 4)
        }
        Some(_) if rest.get(2) == Some(&'\'') => 3,
        _ => 1,
    }
}

fn hashes_at(rest: &[char]) -> usize {
    rest.iter()
        .take_while(|&&character| character == '#')
        .count()
}

/// How many lines hold code: not blank, not a comment, not in the trailing module of tests.
pub(crate) fn code_line_count(text: &str) -> usize {
    let code = code_of(text);
    let lines: Vec<&str> = code.lines().collect();
    let shipped = trailing_tests_start(&lines).map_or(lines.as_slice(), |start| &lines[..start]);
    shipped
        .iter()
        .filter(|line| !line.trim().is_empty())
        .count()
}

/// The line of the `#[cfg(test)]` whose `mod tests { … }` ends the file.
fn trailing_tests_start(lines: &[&str]) -> Option<usize> {
    let start = lines.iter().rposition(|line| *line == "#[cfg(test)]")?;
    let mut after = lines[start + 1..]
        .iter()
        .filter(|line| !line.trim().is_empty());
    let head = after.find(|line| !line.starts_with("#["))?;
    let closing = lines[start..].iter().position(|line| *line == "}")?;
    let is_last = lines[start + closing + 1..]
        .iter()
        .all(|line| line.trim().is_empty());
    (head.starts_with("mod tests {") && is_last).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(code_of(text), expected);
    }

    #[test]
    fn comments_are_blanked() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check("//! word", "        ");
    }

    #[test]
    fn strings_are_filled() {
        check(r#"f("a//b", x)"#, r#"f("""""", x)"#);
        check(r#"("\"", y)"#, r#"("""", y)"#);
        check("r#\"a\"b\"# z", "\"\"\"\"\"\"\"\" z");
        check("br\"\\\" z", "b\"\"\"\" z");
    }

    #[test]
    fn characters_and_lifetimes_are_not_strings() {
        for text in ["'\"' x", "'\\'' x", "'\\u{1b}' x", "<'a, 'b> x", "r#type x"] {
            check(text, text);
        }
    }

    #[test]
    fn lines_of_code_leave_out_comments_blanks_and_trailing_tests() {
        let text = "//! Says.\n\nfn a() {\n    // why\n    b(\"\n  c\n\");\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    fn d() {\n    }\n}\n";
        assert_eq!(code_line_count(text), 5);
    }

    #[test]
    fn code_after_the_tests_is_counted_with_them() {
        let text = "#[cfg(test)]\nmod tests {\n}\nfn a() {}\n";
        assert_eq!(code_line_count(text), 4);
    }
}
