//! The stores of tower-sessions, which run in a program of their own: their SQL library brings
//! another SQLite than ours, and one program can have only one.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::contest::{Rate, SLICE};
use crate::ops::Verb;
use crate::program::built;

/// A store of tower-sessions with sessions in it, ready to take turns.
pub(crate) struct Peer {
    pipes: Mutex<Pipes>,
    _child: Child,
}

struct Pipes {
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

// === impl Peer ===

impl Peer {
    /// Builds the program if that is to be done, and starts it.
    pub(crate) async fn start(store: &str, url: &str) -> Self {
        let mut child = Command::new(built("stores/peers", "peers").await)
            .args([store, url.split('?').next().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut pipes = Pipes {
            ask: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()).lines(),
        };
        assert_eq!(pipes.answer().await, "ready");
        Self {
            pipes: Mutex::new(pipes),
            _child: child,
        }
    }

    /// Takes a turn with this many operations in flight.
    pub(crate) fn turn(&self, verb: Verb, in_flight: usize) -> Rate<'_> {
        let asked = self.ask(verb, in_flight);
        Box::pin(async move {
            let (done, seconds) = asked.await;
            done / seconds
        })
    }

    /// Takes a turn with one operation in flight, and counts them.
    pub(crate) async fn count(&self, verb: Verb) -> f64 {
        self.ask(verb, 1).await.0
    }

    async fn ask(&self, verb: Verb, in_flight: usize) -> (f64, f64) {
        let mut pipes = self.pipes.lock().await;
        let question = format!("{verb:?} {in_flight} {}\n", SLICE.as_millis());
        pipes.ask.write_all(question.as_bytes()).await.unwrap();
        let answer = pipes.answer().await;
        let (done, seconds) = answer.split_once(' ').unwrap();
        (done.parse().unwrap(), seconds.parse().unwrap())
    }
}

// === impl Pipes ===

impl Pipes {
    async fn answer(&mut self) -> String {
        let answer = self.answers.next_line().await.unwrap();
        answer.expect("the peer says on standard error why it ended")
    }
}
