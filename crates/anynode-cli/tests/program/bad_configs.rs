//! Configurations that cannot be used: each is refused with where, what and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::program::check;

/// A configuration without mistakes, to put one into.
const GOOD: &str = "listen = \"127.0.0.1:0\"\n";

const BACKEND: &str = "[[backend]]\nname = \"n1\"\naddress = \"127.0.0.1:4001\"\n";

/// Blocks of what is wrong, with where it is and a part of what is said.
const TABLE: &str = include_str!("bad_configs.txt");

/// A block of [`TABLE`].
struct Case {
    text: &'static str,
    line: usize,
    key: &'static str,
    part: &'static str,
}

fn cases() -> Vec<Case> {
    let named = |word: &'static str| if word == "-" { "" } else { word };
    let case = |block: &'static str| {
        let (head, text) = block.split_once('\n').unwrap();
        let words: Vec<&str> = head.splitn(3, ' ').collect();
        Case {
            text: text.trim_end(),
            line: words[0].parse().unwrap(),
            key: named(words[1]),
            part: named(words[2]),
        }
    };
    TABLE.split(">>> ").skip(1).map(case).collect()
}

/// A directory with a configuration, and keys as people get them wrong.
fn directory(config: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    let good = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    for (name, text, mode) in [
        ("good.key", good, 0o600),
        ("open.key", good, 0o640),
        ("short.key", &good[2..], 0o600),
        ("long.key", &format!("{good}00"), 0o600),
        ("zero.key", &"00".repeat(32), 0o600),
        ("anynode.toml", config, 0o644),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    directory
}

fn path_in(directory: &Path) -> String {
    directory.join("anynode.toml").display().to_string()
}

#[tokio::test]
async fn each_mistake_is_said_where_it_is_and_what_to_do() {
    let cases = cases();
    assert!(cases.len() >= 40);
    for Case {
        text,
        line,
        key,
        part,
    } in cases
    {
        let directory = directory(&format!("{GOOD}{text}\n{BACKEND}"));
        let file = path_in(directory.path());
        let refused = check(&["config", "check", "--json", &file], 2).await;
        let checked = &refused.json()[0];
        assert_eq!(checked["ok"], false, "{text}");
        let errors = checked["errors"].as_array().unwrap();
        let is_this = |error: &&serde_json::Value| {
            error["line"] == line
                && error["key"] == key
                && error["file"] == file.as_str()
                && error["column"].as_u64() > Some(0)
                && error["message"].as_str().unwrap().contains(part)
        };
        assert!(
            errors.iter().any(|error| is_this(&error)),
            "{text}: {errors:#?}"
        );
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        for secret in ["c2VjcmV0", "0001020304", "0203040506"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn every_mistake_of_a_file_is_said_at_once_by_check_and_start_alike() {
    let directory = directory("workers = 0\nlisen = \"127.0.0.1:0\"\n[health]\nkind = \"http\"\n");
    let file = path_in(directory.path());
    for arguments in [
        &["config", "check", &file][..],
        &["gateway", "--config", &file],
    ] {
        let refused = check(arguments, 2).await;
        for expected in [
            "anynode.toml:1:1: listen: this key is missing",
            "anynode.toml:1:1: backend: there are no backends",
            "anynode.toml:1:11: workers: this has to be",
            "anynode.toml:2:1: lisen: unknown key",
            "anynode.toml:3:1: health.path: this key is missing",
        ] {
            assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
        }
        assert_eq!(refused.stdout, "");
    }
}

#[tokio::test]
async fn a_file_of_backends_is_checked_as_well_and_named() {
    let directory = directory(&format!("{GOOD}[backends]\nfile = \"backends.toml\"\n"));
    let file = path_in(directory.path());
    let missing = check(&["config", "check", &file], 2).await;
    let place = "anynode.toml:3:8: backends.file: ";
    assert!(missing.stderr.contains(place), "{missing:?}");
    assert!(
        missing.stderr.contains("backends.toml cannot be read"),
        "{missing:?}"
    );

    let backends = directory.path().join("backends.toml");
    for (text, expected) in [
        ("", "backends.toml:1:1: backend: there is none"),
        (
            "[[backend]]\nname = 1\n",
            "backends.toml:2:8: backend[0].name: ",
        ),
        (
            "listen = 1\nbackend = []\n",
            "backends.toml:1:1: listen: unknown key",
        ),
        ("[[backend]\n", "backends.toml:1:"),
    ] {
        fs::write(&backends, text).unwrap();
        let refused = check(&["config", "check", &file], 2).await;
        assert!(refused.stderr.contains(expected), "{text}: {refused:?}");
    }
    fs::write(&backends, b"backend = []\n\xff").unwrap();
    let refused = check(&["config", "check", &file], 2).await;
    assert!(
        refused.stderr.contains("backends.toml:2:1: from here on"),
        "{refused:?}"
    );
    fs::write(&backends, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let refused = check(&["config", "check", &file], 2).await;
    assert!(refused.stderr.contains("longer than"), "{refused:?}");

    fs::write(&backends, BACKEND).unwrap();
    let good = check(&["config", "check", &file], 0).await;
    assert!(
        good.stdout.contains(": ok, listens on 127.0.0.1:0"),
        "{good:?}"
    );
}

#[tokio::test]
async fn the_example_in_the_documentation_can_be_used() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/anynode.toml");
    let checked = check(&["config", "check", "--json", file], 0).await.json();
    assert_eq!(checked[0]["ok"], true);
    assert_eq!(checked[0]["summary"]["backends"], 2);
    assert_eq!(checked[0]["summary"]["health"], "http");
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_named() {
    for arguments in [
        &["config", "check", "no-such.toml"][..],
        &["gateway", "--config", "no-such.toml"],
    ] {
        let refused = check(arguments, 2).await;
        assert!(
            refused.stderr.contains("no-such.toml: cannot be read"),
            "{refused:?}"
        );
    }
}
