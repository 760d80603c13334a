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

use super::setup::{Persistence, Setup};

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
    ];
    lines.extend(own_lines(setup));
    lines
}

/// The lines that this setup adds.
fn own_lines(setup: &Setup) -> impl Iterator<Item = String> {
    let settings = setup.settings.iter();
    settings.map(|(name, value)| format!("{name} {value}"))
}
