//! What the nodes of `anynode up` and their parent tell each other over the pipes they share.
//!
//! The parent writes the list of nodes to each node's stdin, one line of JSON whenever it changes; a node writes
//! `kill n2 4711` to its stdout when somebody pressed that button, and `reads n2 4711 12 3` when it has read sessions,
//! 12 from copies and 3 from the store. Only nodes that were started with `--demo` do.

mod panel;

use std::io::{self, Write};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::sleep;

pub(crate) use self::panel::{Around, Tab, around, routes};

/// How long a node that is asked to be killed has left to answer who asked.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How often a node looks whether there is something new to tell of its reads.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One node in the parent's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sibling {
    pub(crate) name: String,
    /// Of the process that runs, or that ran last.
    pub(crate) pid: u32,
    pub(crate) state: Condition,
    pub(crate) reads: Reads,
}

/// Where a node has read sessions from since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reads {
    /// From copies of its own.
    pub(crate) copies: u64,
    /// From the store, by a node that keeps copies.
    pub(crate) store: u64,
}

/// What a node tells its parent, of the node of this name and process: when the parent hears it, a successor may
/// bear the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    /// It is to be killed.
    Kill(&'a str, u32),
    /// It has read so many sessions.
    Reads(&'a str, u32, Reads),
}

/// Whether a node can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    Running,
    /// The process has ended, and a new one is being started.
    Starting,
}

/// What a node knows of the others.
#[derive(Clone, Debug)]
pub(crate) struct Siblings {
    list: Arc<watch::Sender<Vec<Sibling>>>,
}

// === impl Siblings ===

impl Siblings {
    pub(crate) fn unknown() -> Self {
        let list = Arc::new(watch::Sender::new(Vec::new()));
        Self { list }
    }

    /// Takes in a line of the parent's; one that is no list changes nothing.
    pub(crate) fn hear(&self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(list) => drop(self.list.send_replace(list)),
            Err(error) => tracing::warn!(%error, "the parent's list of nodes was not understood"),
        }
    }

    fn all(&self) -> Vec<Sibling> {
        self.list.borrow().clone()
    }

    /// Asks the parent to kill the node of this name; `false` when there is none.
    fn kill(&self, name: &str) -> bool {
        let Some(victim) = self.all().into_iter().find(|node| node.name == name) else {
            return false;
        };
        tokio::spawn(async move {
            // It may be this very node.
            sleep(LAST_WORDS).await;
            // A parent that has gone takes its nodes along.
            let _ = print(&Told::Kill(&victim.name, victim.pid).line());
        });
        true
    }
}

fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// The parent's line about these nodes.
pub(crate) fn announcement(nodes: &[Sibling]) -> String {
    let mut line = serde_json::to_string(nodes).expect("names, numbers and states are JSON");
    line.push('\n');
    line
}

/// Tells the parent where this node, of this name, reads sessions from, for as long as it runs.
pub(crate) async fn tell_reads(name: String, reads: impl Fn() -> Reads) {
    let mut told = Reads::default();
    loop {
        sleep(LOOK_EVERY).await;
        let now = reads();
        if now != told {
            // A parent that has gone takes its nodes along.
            let _ = print(&Told::Reads(&name, process::id(), now).line());
            told = now;
        }
    }
}

// === impl Told ===

impl<'a> Told<'a> {
    /// Reads a line; `None` when it tells nothing.
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        let words: Vec<_> = line.trim_end().split(' ').collect();
        match words[..] {
            ["kill", name, pid] => Some(Self::Kill(name, pid.parse().ok()?)),
            ["reads", name, pid, copies, store] => {
                let (copies, store) = (copies.parse().ok()?, store.parse().ok()?);
                Some(Self::Reads(
                    name,
                    pid.parse().ok()?,
                    Reads { copies, store },
                ))
            }
            _ => None,
        }
    }

    fn line(self) -> String {
        match self {
            Self::Kill(name, pid) => format!("kill {name} {pid}\n"),
            Self::Reads(name, pid, Reads { copies, store }) => {
                format!("reads {name} {pid} {copies} {store}\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(name: &str) -> Sibling {
        Sibling {
            name: name.to_owned(),
            pid: 7,
            state: Condition::Starting,
            reads: Reads {
                copies: 5,
                store: 1,
            },
        }
    }

    #[test]
    fn a_node_hears_what_the_parent_announces_and_nothing_else() {
        let siblings = Siblings::unknown();
        let list = [sibling("n1"), sibling("n2")];
        siblings.hear(announcement(&list).as_bytes());
        assert_eq!(siblings.all(), list);
        for line in [&b""[..], b"\n", b"[{}]", b"\xff\xfe", b"{\"name\":\"n1\"}"] {
            siblings.hear(line);
        }
        assert_eq!(siblings.all(), list);
    }

    #[test]
    fn a_line_names_its_node_and_other_lines_tell_nothing() {
        let reads = Reads {
            copies: 5,
            store: 1,
        };
        for told in [Told::Kill("n2", 7), Told::Reads("n2", 7, reads)] {
            assert_eq!(Told::read(&told.line()), Some(told));
        }
        for line in [
            "",
            "\n",
            "n2",
            "kill",
            "kill n2",
            "kill n2 x",
            "reads n2 7 5",
            "reads n2 7 5 -1",
            "{\"address\":\"127.0.0.1:1\"}",
        ] {
            assert_eq!(Told::read(line), None, "{line:?}");
        }
    }
}
