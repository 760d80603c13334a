//! What `--store` names: a file, a store that somebody runs, or one that is to be started.

use std::fmt;
use std::str::FromStr;

use super::Kind;

/// The store that a command works on.
///
/// `Display` shows the scheme of a URL alone: the rest may hold a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// A new SQLite file.
    #[default]
    File,
    /// A store that somebody else runs.
    Url(String),
    /// A store that is started for the command and ended with it.
    Kind(Kind),
}

/// The text names neither a URL nor a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStore;

impl FromStr for Wanted {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        if text == "sqlite" {
            return Ok(Self::File);
        }
        if text.contains(':') {
            return Ok(Self::Url(text.to_owned()));
        }
        text.parse().map(Self::Kind).map_err(|_| UnknownStore)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("sqlite"),
            Self::Url(url) => f.write_str(url.split(':').next().unwrap_or_default()),
            Self::Kind(kind) => write!(f, "{kind}"),
        }
    }
}

impl fmt::Display for UnknownStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no URL of a store, nor a kind that can be started: sqlite")?;
        for kind in Kind::ALL {
            write!(f, ", {kind}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownStore {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_url_or_by_kind() {
        let wanted = |text: &str| text.parse::<Wanted>();
        assert_eq!(wanted("sqlite"), Ok(Wanted::File));
        assert_eq!(
            wanted("redis-cluster"),
            Ok(Wanted::Kind(Kind::RedisCluster))
        );
        assert_eq!(wanted("oracle"), Err(UnknownStore));
        let url = "redis://:hunter2@h/";
        assert_eq!(wanted(url), Ok(Wanted::Url(url.to_owned())));
        assert_eq!(wanted(url).unwrap().to_string(), "redis");
        assert!(UnknownStore.to_string().contains("sqlite, redis, valkey-8"));
    }
}
