//! How a store is set up beyond its kind.

/// What is asked of a store that is to be started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// What survives when the server is killed.
    pub persistence: Persistence,
    /// Replicas of each primary of a Redis cluster or under sentinels; none means one.
    pub replicas: Option<usize>,
    /// Whether a second PostgreSQL follows the first; without effect on other kinds.
    pub standby: Standby,
    /// The size of a disk of its own for the data of the primary, log and all, which can be
    /// filled; of PostgreSQL only, and this process has to be allowed to mount.
    pub disk_bytes: Option<u64>,
    /// Lines of the server's configuration, a name and a value each, which come last and so
    /// replace those that are set by default.
    pub settings: Vec<(String, String)>,
}

/// What survives when the server is killed.
///
/// What PostgreSQL has committed survives the end of its process in each of these; without
/// persistence it does not wait for the disk, so that it would be lost with the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing on Redis, which is fast and starts empty.
    #[default]
    None,
    /// All but about the last second: Redis with `appendfsync everysec`.
    EverySecond,
    /// All that was acknowledged: Redis with `appendfsync always`.
    Always,
}

/// Whether a second PostgreSQL follows the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    /// There is none.
    #[default]
    None,
    /// It follows when it can; a fail-over may lose what was acknowledged.
    Asynchronous,
    /// A commit waits for it.
    Synchronous,
}

// === impl Setup ===

impl Setup {
    /// This setup with another line of configuration.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}
