//! What the nodes of `anynode up` and their parent tell each other over the pipes they share.
//!
//! The parent writes the list of nodes to each node's stdin, one line of JSON whenever it changes; a node writes
//! `kill n2 4711` to its stdout when somebody pressed that button. Only nodes that were started with `--demo` do.

mod panel;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::sleep;

pub(crate) use self::panel::{Around, Tab, around, routes};

/// How long a node that is asked to be killed has left to answer who asked.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// One node in the parent's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sibling {
    pub(crate) name: String,
    /// Of the process that runs, or that ran last.
    pub(crate) pid: u32,
    pub(crate) state: Condition,
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
            let _ = print(&request(&victim));
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

/// It names the process as well: when the parent hears it, a successor may bear the name.
fn request(victim: &Sibling) -> String {
    format!("kill {} {}\n", victim.name, victim.pid)
}

/// The name and the process id of the node that a line of a node asks to be killed.
pub(crate) fn requested(line: &str) -> Option<(&str, u32)> {
    let (name, pid) = line.trim_end().strip_prefix("kill ")?.split_once(' ')?;
    Some((name, pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(name: &str) -> Sibling {
        Sibling {
            name: name.to_owned(),
            pid: 7,
            state: Condition::Starting,
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
    fn a_request_names_its_node_and_other_lines_ask_for_nothing() {
        assert_eq!(requested(&request(&sibling("n2"))), Some(("n2", 7)));
        for line in [
            "",
            "\n",
            "n2",
            "kill",
            "kill n2",
            "kill n2 x",
            "{\"address\":\"127.0.0.1:1\"}",
        ] {
            assert_eq!(requested(line), None, "{line:?}");
        }
    }
}
