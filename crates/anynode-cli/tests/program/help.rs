//! Shells accept the completions, and the help names every command.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::program::{anynode, check, within};

#[tokio::test]
async fn bash_accepts_its_completions_and_completes_our_commands() {
    let script = check(&["completions", "bash"], 0).await.stdout;
    let question = "\nCOMP_WORDS=(anynode se); COMP_CWORD=1; _anynode anynode se anynode\n\
                    printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash")
        .args(["--norc", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).await.unwrap();
    stdin.write_all(question.as_bytes()).await.unwrap();
    drop(stdin);
    let output = within(bash.wait_with_output()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert_eq!(answer.trim(), "sessions");
}

#[tokio::test]
async fn every_shell_we_name_gets_a_script_that_knows_our_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let script = check(&["completions", shell], 0).await.stdout;
        for word in ["sessions", "revoke", "json", "user"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    check(&["completions", "cmd"], 2).await;
}

#[tokio::test]
async fn the_help_of_each_command_fits_and_shows_an_example() {
    for command in [
        &["sessions", "list"][..],
        &["sessions", "show"],
        &["sessions", "revoke"],
        &["users", "revoke"],
        &["doctor"],
        &["completions"],
        &["gateway"],
        &["config", "check"],
    ] {
        let help = check(&[command, &["--help"]].concat(), 0).await.stdout;
        let example = format!("  anynode {}", command.join(" "));
        assert!(help.contains(&example), "{help}");
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut process = anynode(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The script is longer than what a pipe holds, so the program meets the closed end.
    drop(process.stdout.take());
    let output = within(process.wait_with_output()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
