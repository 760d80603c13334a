//! The clock that leases and copies age by.

use std::{
    env,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use anynode::{NearCache, SystemClock, core::MemoryStore};

/// Set where the boot clock is ahead.
const INSIDE: &str = "ANYNODE_TEST_BOOT_CLOCK_IS_AHEAD";

/// Longer than any machine has been up.
const AHEAD: Duration = Duration::from_secs(20 * 365 * 86_400);

/// A node that was suspended would take a copy for younger than it is. In a time namespace the
/// boot clock is ahead of the one that stands still in suspend, as after one of many years; to
/// make one takes root or unprivileged user namespaces, and without either this fails.
#[test]
fn copies_age_while_the_machine_is_suspended() {
    let near = NearCache::new(MemoryStore::new(Arc::new(SystemClock)));
    if env::var_os(INSIDE).is_some() {
        assert!(near.now() >= AHEAD, "the clock stood still");
        return;
    }
    assert!(near.now() < AHEAD);
    let tried = [&[][..], &["--user", "--map-root-user"]].map(in_time_namespace);
    let output = tried.iter().find(|output| has_run(output));
    let output = output.unwrap_or_else(|| panic!("no time namespace can be made: {tried:?}"));
    assert!(output.status.success(), "{output:?}");
}

/// This test once more, where the boot clock is ahead.
fn in_time_namespace(rights: &[&str]) -> Output {
    let offset = AHEAD.as_secs().to_string();
    let test = "clock::copies_age_while_the_machine_is_suspended";
    Command::new("unshare")
        .args(rights)
        .args(["--time", "--boottime", &offset, "--fork"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test])
        .env(INSIDE, "1")
        .output()
        .expect("`unshare`, of util-linux, is there")
}

fn has_run(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stdout).contains("running 1 test")
}
