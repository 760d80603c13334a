//! Sessions that somebody removes from a store by hand: by `redis-cli`, by `psql`, or from the
//! file itself.

use std::mem;
use std::time::Duration;

use anyhow::{Context, Error, anyhow, ensure};
use anynode_core::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::prove::home::{Home, Store};
use crate::server::{Kind, Server};

/// How many may wait to be removed, and how many one run of a tool removes.
const WAITING_MAX: usize = 64;

/// How long a file that is locked is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Who is asked to remove sessions.
#[derive(Clone, Debug)]
pub(super) struct Hand(mpsc::Sender<Order>);

/// What there is to remove, and who waits for that.
pub(super) struct Orders(mpsc::Receiver<Order>);

struct Order {
    handle: Handle,
    done: oneshot::Sender<Result<(), Error>>,
}

/// Who can be asked, and where what they are asked arrives.
pub(super) fn hand() -> (Hand, Orders) {
    let (ask, orders) = mpsc::channel(WAITING_MAX);
    (Hand(ask), Orders(orders))
}

/// By what sessions are removed from this store; nothing for one that somebody else runs.
pub(super) fn tool(store: Option<Store>) -> Option<&'static str> {
    Some(match store? {
        Store::Sqlite => "DELETE in the file",
        Store::Servers(Kind::Postgres | Kind::PgBouncer) => "DELETE in psql",
        Store::Servers(Kind::RedisCluster) => "redis-cli -c DEL",
        Store::Servers(_) => "redis-cli DEL",
    })
}

// === impl Hand ===

impl Hand {
    /// Removes a session.
    ///
    /// # Errors
    /// When it is not removed, as far as is known.
    pub(super) async fn remove(&self, handle: Handle) -> Result<(), Error> {
        let (done, waiting) = oneshot::channel();
        let order = Order { handle, done };
        self.0.send(order).await.ok().context("nobody removes it")?;
        waiting.await.context("nobody removed it")?
    }
}

// === impl Orders ===

impl Orders {
    /// Does what is asked for, until nobody can ask any more.
    pub(super) async fn carry_out(mut self, home: &Home) {
        let mut orders = Vec::new();
        // Whoever asked while a tool was at work is served by the next run of it.
        while self.0.recv_many(&mut orders, WAITING_MAX).await > 0 {
            let orders = mem::take(&mut orders);
            match home.servers() {
                Some(server) => remove_by_tool(server, orders).await,
                None => remove_from_file(home, orders),
            }
        }
    }
}

// === impl Order ===

impl Order {
    fn answer(self, removed: Result<(), Error>) {
        // Who waited for it may be gone.
        let _ = self.done.send(removed);
    }
}

/// Each is answered as soon as the tool has said what became of it.
async fn remove_by_tool(server: &Server, orders: Vec<Order>) {
    let kind = server.kind();
    let lines: Vec<_> = orders
        .iter()
        .map(|order| line(kind, order.handle))
        .collect();
    let mut answers = server.tell_by_tool(&lines).await;
    for order in orders {
        let counted = match &mut answers {
            Ok(said) => said.next().await.and_then(|said| count(&said)),
            Err(error) => Err(anyhow!("{error:#}")),
        };
        if let Err(error) = &counted {
            // After a complaint it is not known which line an answer is to.
            answers = Err(anyhow!("{error:#}"));
        }
        order.answer(counted.and_then(is_one));
    }
}

/// What an operator types to remove a session.
fn line(kind: Kind, handle: Handle) -> String {
    let hex = hex(handle);
    match kind {
        Kind::Postgres | Kind::PgBouncer => {
            format!("DELETE FROM anynode.record WHERE handle = '\\x{hex}';")
        }
        // As the store names the keys of its records: with three digits of the handle first.
        _ => format!("DEL an:k:s:{{{}}}:{handle}", &hex[..3]),
    }
}

/// How many a tool says that it removed: `1`, or `DELETE 1`.
fn count(said: &str) -> Result<usize, Error> {
    let number = said.strip_prefix("DELETE ").unwrap_or(said);
    number
        .parse()
        .with_context(|| format!("the tool says: {said}"))
}

fn is_one(removed: usize) -> Result<(), Error> {
    ensure!(removed == 1, "{removed} sessions were removed by hand");
    Ok(())
}

fn remove_from_file(home: &Home, orders: Vec<Order>) {
    for order in orders {
        let removed = delete(home, order.handle);
        order.answer(removed);
    }
}

fn delete(home: &Home, handle: Handle) -> Result<(), Error> {
    let file = home.file()?.context("it is somebody else's store")?;
    file.busy_timeout(BUSY)?;
    let delete = format!("DELETE FROM record WHERE handle = x'{}'", hex(handle));
    is_one(file.execute(&delete, [])?)
}

fn hex(handle: Handle) -> String {
    let bytes = handle.as_bytes().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_tool_says_that_it_removed_is_removed() {
        for (said, expected) in [
            ("1", Some(1)),
            ("DELETE 1", Some(1)),
            ("0", Some(0)),
            ("DELETE 0", Some(0)),
            ("ERR unknown command", None),
            ("", None),
        ] {
            assert_eq!(count(said).ok(), expected, "{said}");
        }
        assert!(is_one(1).is_ok() && is_one(0).is_err());
    }

    #[test]
    fn one_types_what_the_store_names_its_records() {
        let handle = Handle::from_bytes([0xab; 16]);
        let typed = line(Kind::RedisCluster, handle);
        assert_eq!(typed, format!("DEL an:k:s:{{aba}}:{handle}"));
        let typed = line(Kind::Postgres, handle);
        let bytes = "ab".repeat(16);
        assert!(typed.ends_with(&format!("'\\x{bytes}';")), "{typed}");
    }
}
