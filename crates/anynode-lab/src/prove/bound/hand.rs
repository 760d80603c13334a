//! Sessions that somebody removes from a store by hand: `DEL`, `DELETE`.

use anyhow::{Context, Error, ensure};
use anynode_core::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::prove::home::{Home, Store};
use crate::server::Kind;

/// How many may wait to be removed.
const WAITING_MAX: usize = 64;

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
    pub(super) async fn carry_out(mut self, home: &Home, store: Option<Store>) {
        while let Some(Order { handle, done }) = self.0.recv().await {
            let removed = remove(home, store, handle).await;
            // Who waited for it may be gone.
            let _ = done.send(removed);
        }
    }
}

async fn remove(home: &Home, store: Option<Store>, handle: Handle) -> Result<(), Error> {
    let hex: String = handle
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let removed = match store {
        None => return Err(Error::msg("it is somebody else's store")),
        Some(Store::Sqlite) => {
            let file = home.file()?.context("it has a file")?;
            file.busy_timeout(std::time::Duration::from_secs(5))?;
            let delete = format!("DELETE FROM record WHERE handle = x'{hex}'");
            file.execute(&delete, [])?.to_string()
        }
        Some(Store::Servers(Kind::Postgres | Kind::PgBouncer)) => {
            let delete = format!(
                "WITH gone AS (DELETE FROM anynode.record WHERE handle = '\\x{hex}' RETURNING 1) \
                 SELECT count(*) FROM gone"
            );
            command(home, &[&delete]).await?
        }
        Some(Store::Servers(_)) => {
            // As the store names the keys of its records: with three digits of the handle first.
            let key = format!("an:k:s:{{{}}}:{handle}", &hex[..3]);
            command(home, &["DEL", &key]).await?
        }
    };
    ensure!(removed == "1", "{removed} sessions were removed by hand");
    Ok(())
}

async fn command(home: &Home, words: &[&str]) -> Result<String, Error> {
    let server = home.servers().context("it has no server")?;
    server.command(words).await
}
