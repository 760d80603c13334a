//! Redis and Valkey.

mod ask;
mod cluster;
mod group;
mod node;
mod sentinel;
mod single;

pub(super) use self::cluster::Cluster;
pub(super) use self::sentinel::Sentinel;
pub(super) use self::single::Single;

use std::net::Ipv4Addr;

use super::setup::{Persistence, Setup};

/// Where connections among servers come from, so that they can be told from those of clients.
pub(super) const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Where they go to, however they learn of each other.
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What every node is told, and then what this setup wants.
fn lines(setup: &Setup) -> Vec<String> {
    let persistence = match setup.persistence {
        Persistence::None => "appendonly no",
        Persistence::EverySecond => "appendonly yes\nappendfsync everysec",
        Persistence::Always => "appendonly yes\nappendfsync always",
    };
    let mut lines = vec![
        // Its standard output is the log.
        "daemonize no".to_owned(),
        "save \"\"".to_owned(),
        persistence.to_owned(),
        "maxmemory-policy noeviction".to_owned(),
        // A replica is served at once, and from memory.
        "repl-diskless-sync yes".to_owned(),
        "repl-diskless-sync-delay 0".to_owned(),
        format!("bind-source-addr {SOURCE}"),
        // Else nobody from there would be let in; they listen on this machine alone.
        "protected-mode no".to_owned(),
    ];
    lines.extend(own_lines(setup));
    lines
}

/// The lines that this setup adds.
fn own_lines(setup: &Setup) -> impl Iterator<Item = String> {
    let settings = setup.settings.iter();
    settings.map(|(name, value)| format!("{name} {value}"))
}
