//! The driver of PostgreSQL, and what is sent to one.

use std::collections::HashMap;
use std::error::Error;

use anynode_lab::server::Server;
use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};

use super::capture::{Captured, Sent};
use super::driver::Driver;
use super::{SESSIONS, Verb};
use crate::gauge;
use crate::relay::Protocol;

/// The connections, and what they have prepared: the store's statement and the plain one.
pub(crate) struct Clients {
    loads: Vec<Prepared>,
    replaces: Vec<Prepared>,
    value: Vec<u8>,
}

struct Prepared {
    client: Client,
    ours: Statement,
    plain: Statement,
}

/// A statement that is performed with its values.
pub(crate) struct Performed {
    connection: usize,
    statement: Parsed,
    values: Vec<Raw>,
}

/// A statement with the types of its parameters: those that the store named, which are not
/// always those that the server would infer.
#[derive(Clone)]
struct Parsed {
    text: String,
    types: Vec<Type>,
}

/// A value as it was sent; none is null.
#[derive(Debug)]
struct Raw(Option<Vec<u8>>);

/// Reads what a client says to the server.
pub(crate) struct Messages {
    connection: usize,
    rest: Vec<u8>,
    is_greeted: bool,
    statements: HashMap<Vec<u8>, Parsed>,
}

// === impl Clients ===

impl Clients {
    fn of(&self, verb: Verb, task: usize) -> &Prepared {
        let prepared = match verb {
            Verb::Load => &self.loads,
            Verb::Replace => &self.replaces,
        };
        &prepared[task % prepared.len()]
    }
}

impl Driver for Clients {
    type Protocol = Messages;

    async fn connect(server: &Server, url: &str, captured: &Captured<Messages>) -> Self {
        let bytes = format!(
            "SELECT avg(pg_column_size(r.*))::bigint FROM {}.record r",
            gauge::schema(url)
        );
        let length: usize = server.command(&[&bytes]).await.unwrap().parse().unwrap();
        let fill = format!(
            "CREATE TABLE plain (id bigint PRIMARY KEY, value bytea NOT NULL) \
             WITH (fillfactor = 85); \
             INSERT INTO plain SELECT n, convert_to(repeat('x', {length}), 'UTF8') \
             FROM generate_series(0, {SESSIONS} - 1) n; \
             GRANT ALL ON plain TO PUBLIC"
        );
        server.command(&[&fill]).await.unwrap();
        let mut both = [Vec::new(), Vec::new()];
        for (verb, prepared) in [Verb::Load, Verb::Replace].into_iter().zip(&mut both) {
            for _ in 0..captured.connections(verb) {
                let message = captured.message(verb, 0, 0);
                prepared.push(prepare(server, verb, message).await);
            }
        }
        let [loads, replaces] = both;
        Self {
            loads,
            replaces,
            value: vec![b'x'; length],
        }
    }

    async fn send(&self, verb: Verb, task: usize, message: &Performed) {
        let Prepared { client, ours, .. } = self.of(verb, task);
        let values: Vec<_> = message.values.iter().map(Raw::value).collect();
        let rows = client.query(ours, &values).await.unwrap();
        assert_eq!(rows.len(), 1, "an answer");
    }

    async fn plain(&self, verb: Verb, task: usize, session: usize) {
        let Prepared { client, plain, .. } = self.of(verb, task);
        let id = i64::try_from(session).unwrap();
        let values: &[&(dyn ToSql + Sync)] = match verb {
            Verb::Load => &[&id],
            Verb::Replace => &[&id, &self.value],
        };
        let rows = client.query(plain, values).await.unwrap();
        assert_eq!(rows.len(), 1, "an answer");
    }
}

async fn prepare(server: &Server, verb: Verb, message: &Performed) -> Prepared {
    let url = server.url();
    let url = url.split('?').next().unwrap();
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let plain = match verb {
        Verb::Load => "SELECT value FROM plain WHERE id = $1",
        Verb::Replace => "UPDATE plain SET value = $2 WHERE id = $1 RETURNING 1",
    };
    let Parsed { text, types } = &message.statement;
    Prepared {
        ours: client.prepare_typed(text, types).await.unwrap(),
        plain: client.prepare(plain).await.unwrap(),
        client,
    }
}

// === impl Performed ===

impl Sent for Performed {
    fn connection(&self) -> usize {
        self.connection
    }
}

// === impl Raw ===

impl Raw {
    fn value(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(bytes) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        out.put_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

// === impl Messages ===

impl Messages {
    /// Takes the next whole message: its kind and what is in it.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        // The greeting, and the wish for TLS before it, have no kind.
        let kind = usize::from(self.is_greeted);
        let length = self.rest.get(kind..kind + 4)?.try_into().unwrap();
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
        if self.rest.len() < kind + length {
            return None;
        }
        let message: Vec<u8> = self.rest.drain(..kind + length).collect();
        if self.is_greeted {
            return Some((message[0], message[5..].to_vec()));
        }
        const WISH_FOR_TLS: [u8; 4] = 80_877_103_u32.to_be_bytes();
        self.is_greeted = message[4..8] != WISH_FOR_TLS;
        Some((0, Vec::new()))
    }

    fn performed(&self, mut bind: &[u8]) -> Performed {
        let _portal = text(&mut bind);
        let statement = text(&mut bind);
        let formats = number(&mut bind);
        bind = &bind[2 * formats..];
        let count = number(&mut bind);
        let values = (0..count).map(|_| {
            let (length, rest) = bind.split_at(4);
            bind = rest;
            let length = i32::from_be_bytes(length.try_into().unwrap());
            let bytes = usize::try_from(length).ok().map(|length| {
                let (bytes, rest) = bind.split_at(length);
                bind = rest;
                bytes.to_vec()
            });
            Raw(bytes)
        });
        Performed {
            connection: self.connection,
            values: values.collect(),
            statement: self.statements[&statement].clone(),
        }
    }
}

impl Protocol for Messages {
    type Message = Performed;

    fn new(connection: usize) -> Self {
        Self {
            connection,
            rest: Vec::new(),
            is_greeted: false,
            statements: HashMap::new(),
        }
    }

    fn read(&mut self, bytes: &[u8], messages: &mut Vec<Performed>) {
        self.rest.extend_from_slice(bytes);
        while let Some((kind, body)) = self.next() {
            let mut body = body.as_slice();
            match kind {
                b'P' => {
                    let name = text(&mut body);
                    self.statements.insert(name, parsed(body));
                }
                b'B' => {
                    let performed = self.performed(body);
                    // A hint to other nodes belongs to no operation; there are fifty a second
                    // at most.
                    if !performed.statement.text.contains("pg_notify") {
                        messages.push(performed);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The statement in a message, after its name.
fn parsed(mut body: &[u8]) -> Parsed {
    let text = String::from_utf8(text(&mut body)).unwrap();
    let count = number(&mut body);
    let types = body.chunks_exact(4).take(count).map(|oid| {
        let oid = u32::from_be_bytes(oid.try_into().unwrap());
        Type::from_oid(oid).expect("the store names types of the server")
    });
    Parsed {
        text,
        types: types.collect(),
    }
}

/// Takes what stands before the next zero.
fn text(bytes: &mut &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap();
    let text = bytes[..end].to_vec();
    *bytes = &bytes[end + 1..];
    text
}

/// Takes a number of two bytes.
fn number(bytes: &mut &[u8]) -> usize {
    let (number, rest) = bytes.split_at(2);
    *bytes = rest;
    usize::from(u16::from_be_bytes(number.try_into().unwrap()))
}
