//! SQL to a PostgreSQL, outside of any store.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Error};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::PASSWORD;

/// The user that may do everything, and the database that is there from the start.
pub(super) const SUPERUSER: &str = "postgres";

/// A server that does not answer for so long does not answer; a promotion is waited for.
const DEADLINE: Duration = Duration::from_secs(20);

/// Asks in the database that is there from the start.
///
/// # Errors
/// When the server does not answer in time, or with an error.
pub(super) async fn ask(server: SocketAddr, sql: &str) -> Result<String, Error> {
    ask_in(server, SUPERUSER, sql).await
}

/// Asks in this database.
///
/// # Errors
/// As [`ask`].
pub(super) async fn ask_in(server: SocketAddr, database: &str, sql: &str) -> Result<String, Error> {
    ask_as(SUPERUSER, server, database, sql).await
}

/// Asks as this user, by a connection of its own, and answers a line for each row.
///
/// # Errors
/// As [`ask`].
pub(super) async fn ask_as(
    user: &str,
    server: SocketAddr,
    database: &str,
    sql: &str,
) -> Result<String, Error> {
    let mut config = Config::new();
    config
        .host(server.ip().to_string())
        .port(server.port())
        .user(user)
        .password(PASSWORD)
        .dbname(database);
    let asking = async {
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let answer = client.simple_query(sql).await;
        drop(client);
        // What ended the connection shows in the answer.
        connection.await?.unwrap_or_default();
        Ok::<_, Error>(answer?)
    };
    let answer = timeout(DEADLINE, asking).await;
    let answer = answer.with_context(|| format!("{server} does not answer"))??;
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(text_of(row)),
        _ => None,
    });
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

fn text_of(row: &SimpleQueryRow) -> String {
    let columns = (0..row.len()).map(|column| row.get(column).unwrap_or_default());
    columns.collect::<Vec<_>>().join("|")
}
