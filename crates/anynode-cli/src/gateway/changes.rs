//! What the log says when the backends are others than before.

use std::fmt;

use anynode_gateway::{Backend, Duty};

/// What became of one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Added(&'a Backend),
    Removed(&'a Backend),
    /// It goes on, and anything of it is another than before.
    Changed(&'a Backend),
}

/// The differences between two sets of backends; a backend is the same if its name is.
pub(super) fn changes<'a>(before: &'a [Backend], now: &'a [Backend]) -> Vec<Change<'a>> {
    let named = |among: &'a [Backend], name: &str| among.iter().find(|of| of.name == name);
    let mut changes = Vec::new();
    for backend in now {
        match named(before, &backend.name) {
            None => changes.push(Change::Added(backend)),
            Some(old) if old != backend => changes.push(Change::Changed(backend)),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|old| named(now, &old.name).is_none());
    changes.extend(gone.map(Change::Removed));
    changes
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, backend) = match self {
            Self::Added(backend) => ("added", *backend),
            Self::Removed(backend) => ("removed", *backend),
            Self::Changed(backend) => ("changed", *backend),
        };
        let Backend { name, address, .. } = backend;
        write!(formatter, "backend {name:?} at {address} {what}")?;
        match backend.duty {
            Duty::Draining if !matches!(self, Self::Removed(_)) => {
                formatter.write_str(", it drains")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_said_and_nothing_else() {
        let backend = |name: &str, port| Backend::new(name, ([127, 0, 0, 1], port).into());
        let before = [backend("a", 1), backend("b", 2), backend("c", 3)];
        let mut now = [backend("d", 4), backend("c", 3), backend("b", 2)];
        now[2].duty = Duty::Draining;
        let said = changes(&before, &now);
        let said: Vec<String> = said.iter().map(Change::to_string).collect();
        let expected = [
            "backend \"d\" at 127.0.0.1:4 added",
            "backend \"b\" at 127.0.0.1:2 changed, it drains",
            "backend \"a\" at 127.0.0.1:1 removed",
        ];
        assert_eq!(said, expected);
        assert_eq!(changes(&before, &before), []);
    }
}
