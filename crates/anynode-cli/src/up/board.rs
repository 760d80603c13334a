//! What the nodes are told of each other, and what they tell: the list of nodes, which of them is to be killed, and
//! where they read sessions from.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{broadcast, watch};

use super::child::Child;
use crate::demo::{self, Condition, Reads, Sibling, Told};

/// A node that prints a longer line than this is not listened to any more.
const LINE_BYTES_MAX: u64 = 1024;

/// Requests to kill a node that its keeper has not come to; nobody presses a button that often.
const KILLS_WAITING_MAX: usize = 16;

/// The list of nodes, which all of them see, and where they ask for one to be killed.
#[derive(Clone, Debug)]
pub(super) struct Board {
    nodes: watch::Sender<Vec<Sibling>>,
    kills: broadcast::Sender<Victim>,
}

/// The node that is to be killed: its name, and its process.
type Victim = (String, u32);

/// Requests to kill one node.
#[derive(Debug)]
pub(super) struct Kills {
    victim: Victim,
    requests: broadcast::Receiver<Victim>,
}

// === impl Board ===

impl Board {
    pub(super) fn new() -> Self {
        Self {
            nodes: watch::Sender::new(Vec::new()),
            kills: broadcast::Sender::new(KILLS_WAITING_MAX),
        }
    }

    /// Lists a node that serves, in the place of its predecessor.
    pub(super) fn serves(&self, child: &Child) {
        let node = Sibling {
            name: child.name(),
            pid: child.pid(),
            state: Condition::Running,
            reads: Reads::default(),
        };
        self.nodes.send_modify(|nodes| {
            let place = nodes.iter().position(|other| other.name == node.name);
            match place {
                Some(place) => nodes[place] = node,
                None => nodes.push(node),
            }
        });
    }

    /// Lists a node as ended until its successor serves.
    pub(super) fn ended(&self, name: &str) {
        self.nodes.send_modify(|nodes| {
            for node in nodes.iter_mut().filter(|node| node.name == name) {
                node.state = Condition::Starting;
            }
        });
    }

    /// Notes what a node has read; one that has ended has no part in what its successor reads.
    fn read(&self, name: &str, pid: u32, reads: Reads) {
        self.nodes.send_if_modified(|nodes| {
            let is_it = |node: &&mut Sibling| node.name == name && node.pid == pid;
            let Some(node) = nodes.iter_mut().find(is_it) else {
                return false;
            };
            node.reads = reads;
            true
        });
    }

    /// Requests from now on to kill this process; one that was meant for its predecessor is not
    /// among them.
    pub(super) fn kills(&self, name: String, pid: u32) -> Kills {
        Kills {
            victim: (name, pid),
            requests: self.kills.subscribe(),
        }
    }

    /// Talks with a node until it ends or its pipes are dropped with this future.
    pub(super) async fn talk(self, stdin: ChildStdin, stdout: BufReader<ChildStdout>) {
        // Neither ends the other: a node that says nothing more still has to hear, and its stdin is its lifeline.
        tokio::join!(self.tell(stdin), self.hear(stdout));
    }

    async fn tell(&self, mut stdin: ChildStdin) {
        let mut nodes = self.nodes.subscribe();
        nodes.mark_changed();
        while nodes.changed().await.is_ok() {
            let line = demo::announcement(&nodes.borrow_and_update());
            if stdin.write_all(line.as_bytes()).await.is_err() {
                // It has ended, and whoever waits for it knows.
                return;
            }
        }
    }

    async fn hear(&self, mut stdout: BufReader<ChildStdout>) {
        let mut line = String::new();
        loop {
            line.clear();
            let mut limited = (&mut stdout).take(LINE_BYTES_MAX);
            if !matches!(limited.read_line(&mut line).await, Ok(1..)) {
                return;
            }
            match Told::read(&line) {
                // Without a keeper the fleet is stopping, and the node with it.
                Some(Told::Kill(name, pid)) => drop(self.kills.send((name.to_owned(), pid))),
                Some(Told::Reads(name, pid, reads)) => self.read(name, pid, reads),
                None => {}
            }
        }
    }
}

// === impl Kills ===

impl Kills {
    /// Waits until somebody asks for this node to be killed.
    pub(super) async fn next(&mut self) {
        loop {
            match self.requests.recv().await {
                Ok(victim) if victim == self.victim => return,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                // The board is gone, and nobody can ask any more.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_request_that_was_meant_for_a_predecessor_kills_nobody() {
        let board = Board::new();
        let mut kills = board.kills("n1".to_owned(), 8);
        for victim in [("n1", 7), ("n2", 8)] {
            let (name, pid) = victim;
            board.kills.send((name.to_owned(), pid)).unwrap();
        }
        assert!(timeout(Duration::ZERO, kills.next()).await.is_err());
        board.kills.send(("n1".to_owned(), 8)).unwrap();
        kills.next().await;
    }
}
