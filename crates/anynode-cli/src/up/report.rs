//! What `anynode up` prints: what runs where, what to try, and which node was replaced.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use anynode::core::{ChannelKind, near::Horizon};

use super::child::Child;
use crate::args::Strategy;
use crate::store::channel_kind;

/// How a node ended.
#[derive(Debug)]
pub(super) struct Death {
    name: String,
    ended: io::Result<ExitStatus>,
}

/// Says what runs where and what to try.
pub(super) fn started(gateway: SocketAddr, nodes: &[Child], store: &str, strategy: Strategy) {
    let mut text = format!(
        "anynode is running: any node can serve any request.\n\n  page   http://{gateway}/\n  memory http://{gateway}/memory   the same shop as it was before: sessions in each node's memory\n"
    );
    for node in nodes {
        let (name, address, pid) = (node.name(), node.address(), node.pid());
        text += &format!("  node   {name} at {address}, pid {pid}\n");
    }
    let pid = nodes.first().map_or(0, Child::pid);
    text += &format!(
        "  store  {store}\n  copies {copies}\n\
         \n\
         Open the page, log in, reload, and kill nodes with its buttons. Or try:\n\
         \x20 curl -c jar -d name=ada http://{gateway}/login\n\
         \x20 curl -b jar http://{gateway}/visit   # again and again: another node, the count goes on\n\
         \x20 curl -i -b jar http://{gateway}/whoami   # anynode-session-age: how old, in µs; copy or store\n\
         \x20 kill -9 {pid}   # a new node takes its place, nobody is logged out\n\
         \x20 curl -b jar -X POST -H 'Sec-Fetch-Site: same-origin' http://{gateway}/logout\n\
         \n\
         Ctrl-C stops everything.",
        store = Shown(store),
        copies = copies(strategy, channel_kind(store)),
    );
    say(&text);
}

/// For how long the nodes trust what they keep of the store.
fn copies(strategy: Strategy, kind: ChannelKind) -> String {
    let lease = Horizon::TERM.as_secs_f64();
    match (strategy, kind) {
        (Strategy::NearCache, ChannelKind::Leased) => format!(
            "on each node, trusted under a lease of {lease} s; --strategy central keeps none"
        ),
        (Strategy::NearCache, ChannelKind::ValidatedPerRead) => format!(
            "on each node, held against the file at every read (elsewhere: a lease of {lease} s); \
             --strategy central keeps none"
        ),
        (Strategy::Central | Strategy::Memory, _) => {
            "none; --strategy near-cache has each node keep some".to_owned()
        }
    }
}

/// Says that a new node took the place of one that ended.
pub(super) fn restarted(death: &Death, node: &Child) {
    let (pid, address) = (node.pid(), node.address());
    say(&format!(
        "{death}; a new one runs as pid {pid} at {address}"
    ));
}

/// Says that nothing took its place so far.
pub(super) fn not_restarted(death: &Death, error: &anyhow::Error, rest: Duration) {
    say(&format!(
        "{death} and does not start: {error:#}; trying again in {rest:?}"
    ));
}

/// Says that no new requests are taken.
pub(super) fn stopping() {
    say("\nstopping; once more stops at once");
}

/// Says that nothing runs any more.
pub(super) fn stopped() {
    say("stopped: no node runs any more, the sessions are kept");
}

/// Prints; where nobody reads, the fleet goes on without words.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

// === impl Death ===

impl Death {
    pub(super) fn new(name: String, ended: io::Result<ExitStatus>) -> Self {
        Self { name, ended }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        let Ok(status) = &self.ended else {
            return write!(formatter, "node {name} was lost");
        };
        match (status.signal(), status.code()) {
            (Some(signal), _) => write!(formatter, "node {name} was killed (signal {signal})"),
            (None, Some(code)) => write!(formatter, "node {name} ended (exit code {code})"),
            (None, None) => write!(formatter, "node {name} ended"),
        }
    }
}

/// A store's URL without what may be a password: whole for a file, else the scheme alone.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(':') {
            Some(("sqlite", _)) => formatter.write_str(self.0),
            Some((scheme, _)) => write!(formatter, "{scheme}:"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_death(raw_status: i32, expected: &str) {
        let ended = Ok(ExitStatus::from_raw(raw_status));
        assert_eq!(Death::new("n2".to_owned(), ended).to_string(), expected);
    }

    #[test]
    fn a_death_is_told_by_its_signal_or_exit_code() {
        check_death(9, "node n2 was killed (signal 9)");
        check_death(1 << 8, "node n2 ended (exit code 1)");
    }

    #[test]
    fn a_password_in_a_stores_url_is_not_shown() {
        let shown = |url| Shown(url).to_string();
        assert_eq!(shown("sqlite:/var/sessions.db"), "sqlite:/var/sessions.db");
        assert_eq!(shown("redis://:hunter2@localhost"), "redis:");
    }
}
