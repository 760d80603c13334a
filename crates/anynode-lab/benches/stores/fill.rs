//! Fills stores, fast.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anynode_core::{Create, Draft, Store};
use anynode_lab::server::Server;

use crate::session;

/// How many calls fill a store at once.
pub(crate) const IN_FLIGHT: u32 = 256;

/// Sessions of each user.
pub(crate) const OF_EACH_USER: u32 = 20;

/// Performs an operation once for each number below `count`, many at a time.
pub(crate) async fn each<O, F>(count: u32, operation: O)
where
    O: Fn(u32) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicU32::new(0));
    let tasks = (0..IN_FLIGHT).map(|_| {
        let (next, operation) = (next.clone(), operation.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                operation(number).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// Creates sessions through the store.
pub(crate) async fn create(
    store: &Arc<dyn Store>,
    count: u32,
    draft: impl Fn(u32) -> Draft + Clone + Send + Sync + 'static,
) {
    let store = store.clone();
    each(count, move |number| {
        let (store, draft) = (store.clone(), draft(number));
        async move {
            let created = store.create(&draft).await.unwrap();
            assert!(matches!(created, Create::Created(_)), "the store is new");
        }
    })
    .await;
}

/// A session of a user who has [`OF_EACH_USER`], with this idle timeout.
pub(crate) fn of_a_user(number: u32, idle_timeout: Duration) -> Draft {
    let user = session::user(number / OF_EACH_USER);
    Draft {
        idle_timeout,
        ..session::draft(number, Some(user))
    }
}

/// Fills the schema of a PostgreSQL with sessions of users: creates the first through the store
/// and copies its row, which takes a tenth of the time.
pub(crate) async fn copy(
    server: &Server,
    schema: &str,
    store: &Arc<dyn Store>,
    count: u32,
    idle_timeout: Duration,
) {
    let first = of_a_user(0, idle_timeout);
    let created = store.create(&first).await.unwrap();
    assert!(matches!(created, Create::Created(_)), "the store is new");
    let ask = format!(
        "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM \
         information_schema.columns WHERE table_schema = '{schema}' AND table_name = 'record'"
    );
    let columns = server.command(&[&ask]).await.unwrap();
    let values = columns.split(", ").map(|column| match column {
        // As many as random ones, and nobody has to know them.
        "handle" => "decode(md5(n::text), 'hex')".to_owned(),
        "user_id" => {
            format!("convert_to('user-' || lpad((n / {OF_EACH_USER})::text, 7, '0'), 'UTF8')")
        }
        other => format!("r.{other}"),
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let handle = first.handle.as_bytes().iter();
    let handle: String = handle.map(|byte| format!("{byte:02x}")).collect();
    let copied = format!(
        "INSERT INTO {schema}.record ({columns}) SELECT {values} \
         FROM (SELECT * FROM {schema}.record WHERE handle = '\\x{handle}') r, generate_series(1, {}) n",
        count - 1
    );
    server_sql(server, &copied).await;
    server_sql(server, "VACUUM ANALYZE").await;
}

/// Tells a PostgreSQL what takes longer than a command may.
pub(crate) async fn server_sql(server: &Server, sql: &str) {
    let (client, connection) = connect(server).await;
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap();
}

async fn connect(server: &Server) -> (tokio_postgres::Client, tokio::task::JoinHandle<()>) {
    let url = server.url();
    let url = url.split('?').next().unwrap();
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let driver = tokio::spawn(async move { connection.await.unwrap() });
    (client, driver)
}
