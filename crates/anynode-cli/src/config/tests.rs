//! The example in the documentation knows every key, and can be used.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;

use super::*;

const EXAMPLE: &str = include_str!("../../../../docs/anynode.toml");

/// The keys of a text, those in its comments as well: `# key = value`, below `[table]` or `# [table]`.
fn keys_in(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut table = String::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_matches(['[', ']']).to_owned();
            keys.insert(table.clone());
        } else if let Some((key, value)) = line.split_once(" = ") {
            let is_key = |of: char| of.is_ascii_lowercase() || of.is_ascii_digit() || of == '_';
            if !key.chars().all(is_key) {
                continue;
            }
            let key = if table.is_empty() {
                key.to_owned()
            } else {
                format!("{table}.{key}")
            };
            if value.contains("{ id = ") {
                keys.extend(["id", "file"].map(|of| format!("{key}.{of}")));
            }
            keys.insert(key);
        }
    }
    keys
}

fn known_keys() -> BTreeSet<String> {
    let text =
        "affinity.kind = \"cookie\"\naffinity.keys = [{}]\nhealth.kind = \"tcp\"\nbackend = [{}]";
    let source = Source {
        name: "all".to_owned(),
        text: text.to_owned(),
    };
    let report = Report::new(&source);
    let table = report.parse();
    read_root(Section::root(table.get_ref(), &report), Path::new(""));
    report.known()
}

#[test]
fn the_example_has_every_key_and_no_other() {
    assert_eq!(keys_in(EXAMPLE), known_keys());
}

/// Takes the comment signs away from the settings that the filter wants.
fn uncommented(wanted: impl Fn(&str) -> bool) -> String {
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(setting) if setting.contains(" = ") && wanted(setting) => setting.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_examples_in_comments_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("affinity.key");
    fs::write(
        &key,
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    )
    .unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::copy(&key, directory.path().join("affinity-old.key")).unwrap();
    let config = |text: String| {
        let source = Source {
            name: "anynode.toml".to_owned(),
            text,
        };
        parse(&source, directory.path()).unwrap_or_else(|of| panic!("{of}"))
    };
    let cookie = uncommented(|of| !of.starts_with("prefix_") && !of.starts_with("file"));
    let cookie = config(cookie.replace("kind = \"none\"       #", "kind = \"cookie\" #"));
    assert!(matches!(cookie.gateway.affinity, Affinity::Cookie(_)));
    assert_eq!(cookie.gateway.limits, anynode_gateway::Limits::default());
    let bound = cookie.gateway.backends[0].in_flight_max;
    assert_eq!(bound.map(NonZeroU32::get), Some(256));
    assert_eq!(cookie.gateway.backends[1].in_flight_max, None);

    let source = uncommented(|of| of.starts_with("prefix_"));
    let source = config(source.replace("kind = \"none\"       #", "kind = \"source\" #"));
    assert!(matches!(source.gateway.affinity, Affinity::Source(_)));
}
