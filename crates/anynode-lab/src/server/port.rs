//! Finds ports for servers that have to be told theirs.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};

use anyhow::{Error, bail};

/// Below the ports that the system gives to outgoing connections, so that a server that was
/// killed finds its port free again.
const FIRST: u16 = 10_000;
const LAST: u16 = 19_999;

/// A node of a Redis cluster talks to the others on the port that lies so far above its own.
pub(super) const BUS_OFFSET: u16 = 10_000;

/// More misses than this are no accident.
const TRIES_MAX: usize = 1_000;

/// What this process has given away: a server that is being started does not listen yet.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port that is free and whose bus port is free as well. Another process may still take it
/// first; then the server does not start, and is started again with other ports.
///
/// # Errors
/// When none is found.
pub(super) fn free() -> Result<u16, Error> {
    for _ in 0..TRIES_MAX {
        let port = fastrand::u16(FIRST..=LAST);
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + BUS_OFFSET) {
            let mut given = GIVEN.lock().expect("nobody panics with the lock");
            if given.insert(port) {
                return Ok(port);
            }
        }
    }
    bail!("no port between {FIRST} and {LAST} is free");
}
