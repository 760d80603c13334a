//! How many bytes a store takes.

use std::path::Path;
use std::time::Duration;

use anynode_lab::server::{Kind, Server};
use rusqlite::Connection;

use crate::arguments::Backend;
use crate::fill::server_sql;

/// A store's server or file, which can be asked how large it is.
pub(crate) enum Place {
    Sqlite(tempfile::TempDir),
    Server(Backend, Server),
}

/// What a store takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bytes {
    /// For as long as sessions and their ends are kept.
    pub(crate) kept: f64,
    /// What channels read, kept for minutes.
    pub(crate) changes: f64,
}

// === impl Place ===

impl Place {
    pub(crate) async fn start(backend: Backend) -> Self {
        let kind = match backend {
            Backend::Sqlite => return Self::Sqlite(tempfile::tempdir_in(".").unwrap()),
            Backend::Redis => Kind::Redis,
            Backend::Postgres => Kind::Postgres,
        };
        Self::Server(backend, Server::start(kind).await.unwrap())
    }

    /// The URL of a store of its own.
    pub(crate) fn fresh_url(&self, name: &str) -> String {
        match self {
            Self::Sqlite(directory) => {
                format!("sqlite:{}", directory.path().join(name).display())
            }
            Self::Server(_, server) => server.fresh_url(),
        }
    }

    /// What the store at this URL takes, when all that was freed is given back.
    pub(crate) async fn bytes(&self, url: &str) -> Bytes {
        match self {
            Self::Sqlite(_) => of_file(Path::new(url.strip_prefix("sqlite:").unwrap())),
            Self::Server(Backend::Redis, server) => Bytes {
                kept: used_memory(server).await,
                changes: 0.0,
            },
            Self::Server(_, server) => {
                server_sql(server, "VACUUM FULL").await;
                let schema = schema(url);
                Bytes {
                    kept: relations(server, schema, "<> 'change'").await,
                    changes: relations(server, schema, "= 'change'").await,
                }
            }
        }
    }

    /// What the live data of the store at this URL takes, where what is free may stay with the
    /// store for what comes next.
    pub(crate) async fn in_use(&self, url: &str) -> f64 {
        match self {
            Self::Server(Backend::Postgres, server) => {
                server_sql(server, "VACUUM").await;
                pages_in_use(server, schema(url)).await
            }
            _ => self.bytes(url).await.kept,
        }
    }
}

/// The schema in the URL of a PostgreSQL.
pub(crate) fn schema(url: &str) -> &str {
    let (_, from) = url.split_once("schema=").unwrap();
    from.split('&').next().unwrap()
}

/// What a Redis uses, once it has stopped giving back.
async fn used_memory(server: &Server) -> f64 {
    let mut before = f64::INFINITY;
    for _ in 0..100 {
        let info = server.command(&["INFO", "memory"]).await.unwrap();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        let used: f64 = line.unwrap().trim().parse().unwrap();
        if used > before * 0.9999 {
            return used;
        }
        before = used;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    before
}

async fn relations(server: &Server, schema: &str, which: &str) -> f64 {
    let ask = format!(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = '{schema}' AND c.relkind = 'r' AND c.relname {which}"
    );
    server.command(&[&ask]).await.unwrap().parse().unwrap()
}

/// The live bytes of the tables and indexes, but for the log of changes: their pages without
/// what is free in them.
async fn pages_in_use(server: &Server, schema: &str) -> f64 {
    let extend = "CREATE EXTENSION IF NOT EXISTS pgstattuple";
    server.command(&[extend]).await.unwrap();
    let ask = format!(
        "SELECT sum(CASE c.relkind \
         WHEN 'r' THEN (SELECT table_len - free_space - dead_tuple_len FROM pgstattuple(c.oid)) \
         ELSE (SELECT 8192 * (internal_pages + CASE leaf_pages WHEN 0 THEN 0 ELSE \
         leaf_pages * avg_leaf_density / 100 END) FROM pgstatindex(c.oid::regclass)) END) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_index i ON i.indexrelid = c.oid \
         LEFT JOIN pg_class t ON t.oid = i.indrelid \
         WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'i') \
         AND coalesce(t.relname, c.relname) <> 'change'"
    );
    server.command(&[&ask]).await.unwrap().parse().unwrap()
}

fn of_file(path: &Path) -> Bytes {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute_batch("VACUUM").unwrap();
    let mut ask = db
        .prepare("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
        .unwrap();
    let tables = ask.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, f64>(1)?))
    });
    let mut bytes = Bytes::default();
    for table in tables.unwrap() {
        let (name, size) = table.unwrap();
        // The indexes of a table have its name in theirs.
        if name.contains("change") {
            bytes.changes += size;
        } else {
            bytes.kept += size;
        }
    }
    bytes
}
