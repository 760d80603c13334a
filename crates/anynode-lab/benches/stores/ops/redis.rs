//! The driver of Redis, and what is sent to one.

use anynode_lab::server::Server;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, Value};
use tokio::net::TcpStream;

use super::capture::{Captured, Sent};
use super::driver::Driver;
use super::{SESSIONS, Verb};
use crate::relay::Protocol;

/// The connections, and the plain commands of every session.
pub(crate) struct Connection {
    connections: [Vec<MultiplexedConnection>; 2],
    plain: [Vec<Cmd>; 2],
}

/// A command with its arguments.
pub(crate) struct Command {
    connection: usize,
    command: Cmd,
}

/// Reads commands: arrays of bulk strings.
pub(crate) struct Commands {
    connection: usize,
    rest: Vec<u8>,
}

// === impl Connection ===

impl Connection {
    fn of(&self, verb: Verb, task: usize) -> MultiplexedConnection {
        let connections = match verb {
            Verb::Load => &self.connections[0],
            Verb::Replace => &self.connections[1],
        };
        connections[task % connections.len()].clone()
    }
}

impl Driver for Connection {
    type Protocol = Commands;

    async fn connect(server: &Server, _: &str, captured: &Captured<Commands>) -> Self {
        let mut connections = [Vec::new(), Vec::new()];
        for (verb, connections) in [Verb::Load, Verb::Replace]
            .into_iter()
            .zip(&mut connections)
        {
            for _ in 0..captured.connections(verb) {
                connections.push(connect(server).await);
            }
        }
        let load = captured.message(Verb::Load, 0, 0);
        let words: Vec<_> = load.command.args_iter().collect();
        // FCALL, its name, how many keys; and the first key is the record's.
        let redis::Arg::Simple(record) = words[3] else {
            panic!("a key is plain bytes");
        };
        let ask = ["STRLEN", std::str::from_utf8(record).unwrap()];
        let length: usize = server.command(&ask).await.unwrap().parse().unwrap();
        assert!(length > 500, "the first key is the record's");
        let commands = |make: &dyn Fn(String) -> Cmd| -> Vec<Cmd> {
            (0..SESSIONS)
                .map(|session| make(format!("plain:{session}")))
                .collect()
        };
        let value = vec![b'x'; length];
        let plain = [
            commands(&|key| redis::cmd("GET").arg(key).to_owned()),
            commands(&|key| {
                let mut set = redis::cmd("SET");
                set.arg(key)
                    .arg(&value)
                    .arg("PX")
                    .arg(86_400_000)
                    .to_owned()
            }),
        ];
        for set in &plain[1] {
            let mut connection = connections[1][0].clone();
            connection.send_packed_command(set).await.unwrap();
        }
        Self { connections, plain }
    }

    async fn send(&self, verb: Verb, task: usize, message: &Command) {
        let mut connection = self.of(verb, task);
        let reply = connection.send_packed_command(&message.command).await;
        assert!(matches!(reply, Ok(Value::Array(_))), "an answer");
    }

    async fn plain(&self, verb: Verb, task: usize, session: usize) {
        let mut connection = self.of(verb, task);
        let command = match verb {
            Verb::Load => &self.plain[0][session],
            Verb::Replace => &self.plain[1][session],
        };
        let reply = connection.send_packed_command(command).await;
        assert!(
            matches!(reply, Ok(Value::BulkString(_) | Value::Okay)),
            "an answer"
        );
    }
}

/// As the store connects, but that it gives up on what is late.
async fn connect(server: &Server) -> MultiplexedConnection {
    let stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let connecting = MultiplexedConnection::new_with_config(&info, stream, config);
    let (connection, driver) = connecting.await.unwrap();
    tokio::spawn(driver);
    connection
}

// === impl Command ===

impl Sent for Command {
    fn connection(&self) -> usize {
        self.connection
    }
}

// === impl Commands ===

impl Commands {
    /// The words of the first command and what it takes of the bytes, if it is whole.
    fn first(&self) -> Option<(Cmd, usize)> {
        let (count, mut at) = self.number(0, b'*')?;
        let mut command = Cmd::new();
        for _ in 0..count {
            let (length, from) = self.number(at, b'$')?;
            command.arg(self.rest.get(from..from + length)?);
            at = from + length + 2;
        }
        (at <= self.rest.len()).then_some((command, at))
    }

    /// The number in the line at `at`, and where the next begins.
    fn number(&self, at: usize, sign: u8) -> Option<(usize, usize)> {
        let line = self.rest.get(at..)?;
        let end = line.windows(2).position(|bytes| bytes == b"\r\n")?;
        assert_eq!(line[0], sign, "commands are arrays of bulk strings");
        let number = std::str::from_utf8(&line[1..end]).unwrap();
        Some((number.parse().unwrap(), at + end + 2))
    }
}

impl Protocol for Commands {
    type Message = Command;

    fn new(connection: usize) -> Self {
        Self {
            connection,
            rest: Vec::new(),
        }
    }

    fn read(&mut self, bytes: &[u8], messages: &mut Vec<Command>) {
        self.rest.extend_from_slice(bytes);
        while let Some((command, length)) = self.first() {
            self.rest.drain(..length);
            let connection = self.connection;
            // The other commands, one or two a second, are of the watch over the server.
            if matches!(
                command.args_iter().next(),
                Some(redis::Arg::Simple(b"FCALL"))
            ) {
                messages.push(Command {
                    connection,
                    command,
                });
            }
        }
    }
}
