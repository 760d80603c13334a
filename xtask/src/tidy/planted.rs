//! Planted bugs in code and their rows in the table of `cargo xtask teeth` belong together.

use std::collections::BTreeSet;

use super::files::File;
use crate::teeth;

/// The plants that miss their row, and the rows that miss their plant.
pub(crate) fn findings(files: &[File]) -> Vec<String> {
    unpaired(files, &teeth::plant_names())
}

fn unpaired(files: &[File], rows: &[&str]) -> Vec<String> {
    let shipped = files
        .iter()
        .filter(|file| file.is("rs") && file.path.starts_with("crates"));
    let planted: BTreeSet<&str> = shipped.flat_map(|file| plants_in(&file.text)).collect();
    let rows: BTreeSet<&str> = rows.iter().copied().collect();
    let without_row = planted.difference(&rows);
    let without_plant = rows.difference(&planted);
    without_row
        .map(|name| format!("planted bug `{name}` has no row in xtask/src/teeth/plants.rs"))
        .chain(without_plant.map(|name| format!("no code has the planted bug `{name}`")))
        .collect()
}

/// The names in `planted("name")`, and in `planted: "name"` of those in texts, comments aside.
fn plants_in(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let after = |mark| code.clone().flat_map(move |line| line.split(mark).skip(1));
    after("planted(\"")
        .chain(after("planted: \""))
        .filter_map(|rest| Some(rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rows: &[&str], expected: &[&str]) {
        let files = [File {
            path: "crates/anynode-core/src/lib.rs".into(),
            text: text.to_owned(),
        }];
        assert_eq!(unpaired(&files, rows), expected);
    }

    #[test]
    fn a_plant_and_its_row_pass() {
        check(
            "if crate::planted(\"a\") {}\nBug { planted: \"b\" }",
            &["a", "b"],
            &[],
        );
        check("// planted(\"a\")", &[], &[]);
        check("planted(bug.planted)", &[], &[]);
    }

    #[test]
    fn a_plant_without_a_row_is_found() {
        let expected = ["planted bug `a` has no row in xtask/src/teeth/plants.rs"];
        check("if planted(\"a\") {}", &[], &expected);
    }

    #[test]
    fn a_row_without_a_plant_is_found() {
        check("", &["a"], &["no code has the planted bug `a`"]);
    }
}
