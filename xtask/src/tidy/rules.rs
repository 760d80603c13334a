//! Rules about one file.

use std::ffi::OsStr;
use std::path::Path;

use super::files::File;
use super::source;

/// More lines of code than this hide more than one idea.
const CODE_LINES_MAX: usize = 300;

/// A file of such a name has no idea of its own.
const EMPTY_NAMES: &[&str] = &["utils", "helpers", "common", "manager", "types", "misc"];

/// What must not stand in code: unfinished work, left-over output, and tests nobody runs.
const FORBIDDEN: &[&str] = &["todo!", "dbg!", "#[ignore"];

/// Directories of one person's machine; a document that names them is of no use to others.
const PRIVATE_ROOTS: &[&str] = &["/work", "/home", "/root"];

/// The rules that the file breaks.
pub(crate) fn findings(file: &File) -> Vec<String> {
    let mut reasons = Vec::new();
    reasons.extend(empty_name(&file.path));
    if file.is("rs") {
        reasons.extend(missing_head(&file.text));
        reasons.extend(too_long(&file.text));
        reasons.extend(forbidden_code(&file.text));
    }
    if file.is("md") {
        reasons.extend(private_paths(&file.text));
    }
    if file.path == Path::new("CHANGELOG.md") {
        reasons.extend(no_unreleased_changes(&file.text));
    }
    let path = file.path.display();
    reasons
        .iter()
        .map(|reason| format!("{path}{reason}"))
        .collect()
}

/// A directory is a file of the module tree as well.
fn empty_name(path: &Path) -> Option<String> {
    let directories = path.parent().into_iter().flat_map(Path::iter);
    let mut names = directories.chain(path.file_stem());
    let empty = names.find(|name| EMPTY_NAMES.iter().any(|empty| OsStr::new(empty) == *name))?;
    Some(format!(": the name `{}` says nothing", empty.display()))
}

fn missing_head(text: &str) -> Option<String> {
    (!text.starts_with("//!")).then(|| ":1: the file does not start with `//!`".to_owned())
}

fn too_long(text: &str) -> Option<String> {
    let lines = source::code_line_count(text);
    (lines > CODE_LINES_MAX).then(|| format!(": {lines} lines of code; at most {CODE_LINES_MAX}"))
}

fn forbidden_code(text: &str) -> Vec<String> {
    let code = source::code_of(text);
    let mut reasons = Vec::new();
    for (line, number) in code.lines().zip(1..) {
        let found = FORBIDDEN.iter().filter(|word| stands_in(line, word));
        reasons.extend(found.map(|word| format!(":{number}: `{word}` in code")));
    }
    reasons
}

/// Whether the word stands in the line and is not the tail of a longer one.
fn stands_in(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|of| of.is_alphanumeric() || of == '_')
    })
}

/// A path counts where it begins: in `https://example.org/home/x` none does.
fn private_paths(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let found = PRIVATE_ROOTS
            .iter()
            .filter(|root| begins_in(line, &format!("{root}/")));
        reasons.extend(found.map(|root| format!(":{number}: a path below `{root}`")));
    }
    reasons
}

fn begins_in(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|of| of.is_alphanumeric() || "/.-_~*}$".contains(of))
    })
}

fn no_unreleased_changes(text: &str) -> Option<String> {
    let has_heading = text
        .lines()
        .any(|line| line.trim_end() == "## [Unreleased]");
    (!has_heading).then(|| ": has no heading `## [Unreleased]`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let file = File {
            path: path.into(),
            text: text.to_owned(),
        };
        assert_eq!(findings(&file), expected);
    }

    #[test]
    fn a_tidy_file_breaks_no_rule() {
        check(
            "src/store.rs",
            "//! Keeps.\n\n/// Never todo!().\nfn keep() {}\n",
            &[],
        );
        check(
            "src/cut.rs",
            "//! Cuts.\nfn f() { my_dbg!(\"todo!\"); }\n",
            &[],
        );
    }

    #[test]
    fn a_file_without_a_first_sentence_is_found() {
        let expected = ["a.rs:1: the file does not start with `//!`"];
        check("a.rs", "fn a() {}\n", &expected);
        check("a.rs", "", &expected);
        check("a.rs", "#![allow(x)]\n//! Late.\n", &expected);
    }

    #[test]
    fn an_empty_name_is_found_on_files_and_directories() {
        check(
            "src/utils.rs",
            "//! U.\n",
            &["src/utils.rs: the name `utils` says nothing"],
        );
        check(
            "tests/common/mod.rs",
            "//! C.\n",
            &["tests/common/mod.rs: the name `common` says nothing"],
        );
        check(
            "docs/misc.md",
            "",
            &["docs/misc.md: the name `misc` says nothing"],
        );
        check("src/subtypes.rs", "//! S.\n", &[]);
    }

    #[test]
    fn one_line_of_code_too_many_is_found() {
        let head = "//! Long.\n// A comment is free.\n\n";
        let tests = "#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
        check(
            "a.rs",
            &format!("{head}{}{tests}", "fn a() {}\n".repeat(300)),
            &[],
        );
        let expected = ["a.rs: 301 lines of code; at most 300"];
        check(
            "a.rs",
            &format!("{head}{}{tests}", "fn a() {}\n".repeat(301)),
            &expected,
        );
    }

    #[test]
    fn unfinished_left_over_and_ignored_code_is_found() {
        check(
            "a.rs",
            "//! A.\nfn a() { todo!() }\n",
            &["a.rs:2: `todo!` in code"],
        );
        check(
            "a.rs",
            "//! A.\n\nfn a() { dbg!(1); }\n",
            &["a.rs:3: `dbg!` in code"],
        );
        check(
            "a.rs",
            "//! A.\n#[ignore = \"slow\"]\n",
            &["a.rs:2: `#[ignore` in code"],
        );
    }

    #[test]
    fn a_private_path_in_a_document_is_found() {
        check(
            "a.md",
            "See `/home/me/x`.\n",
            &["a.md:1: a path below `/home`"],
        );
        check("a.md", "a\n/work/x", &["a.md:2: a path below `/work`"]);
        check("a.md", "(/root/.cache)", &["a.md:1: a path below `/root`"]);
        check(
            "a.md",
            "GET /home, https://example.org/work/x, ./work/x",
            &[],
        );
    }

    #[test]
    fn a_changelog_without_unreleased_changes_is_found() {
        let expected = ["CHANGELOG.md: has no heading `## [Unreleased]`"];
        check("CHANGELOG.md", "# Changelog\n", &expected);
        check("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n", &[]);
    }
}
