//! The line in which a node tells its parent where it serves.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One line of JSON, the first that a node prints on stdout, and outside of a demonstration the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    /// Where the node answers HTTP.
    pub(crate) address: SocketAddr,
}

// === impl Hello ===

impl Hello {
    /// Prints the line.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.flush()
    }

    /// Reads the line; `None` when it is no such line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lines_are_no_hello() {
        let hello = Hello {
            address: "127.0.0.1:4001".parse().unwrap(),
        };
        assert_eq!(
            Hello::parse("{\"address\":\"127.0.0.1:4001\"}\n"),
            Some(hello)
        );
        for line in ["", "\n", "listening", "{}", "{\"address\":4001}"] {
            assert_eq!(Hello::parse(line), None, "{line:?}");
        }
    }
}
