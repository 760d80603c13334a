//! What to do to a pool so that it holds other backends, and nothing to those that stay.

use std::fmt;

use anynode_gateway::{Backend, Duty};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Remove(Backend),
    /// Adds it, or replaces the one of its name.
    Insert(Backend),
    Drain(Backend),
}

/// The steps from one set of backends to another, in the order in which they have to be made.
///
/// A backend that stays is not touched, because inserting it would forget what is known of its health. New ones
/// come before old ones go, as long as there is room: a pool that is exchanged is never empty.
pub(super) fn changes(applied: &[Backend], wanted: &[Backend]) -> Vec<Change> {
    let mut inserts = Vec::new();
    let mut drains = Vec::new();
    for backend in wanted {
        let before = applied.iter().find(|of| of.name == backend.name);
        if before == Some(backend) {
            continue;
        }
        let is_draining = backend.duty == Duty::Draining;
        let only_drains = before.is_some_and(|before| {
            is_draining
                && Backend {
                    duty: Duty::Draining,
                    ..before.clone()
                } == *backend
        });
        if !only_drains {
            inserts.push(Change::Insert(backend.clone()));
        }
        if is_draining {
            drains.push(Change::Drain(backend.clone()));
        }
    }
    let gone = |of: &&Backend| !wanted.iter().any(|backend| backend.name == of.name);
    let removes = applied.iter().filter(gone).cloned().map(Change::Remove);
    let has_room = applied.len() + inserts.len() <= anynode::core::balance::BACKENDS_MAX;
    if has_room {
        inserts.into_iter().chain(drains).chain(removes).collect()
    } else {
        removes.chain(inserts).chain(drains).collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, backend) = match self {
            Self::Remove(backend) => ("removed", backend),
            Self::Insert(backend) => ("added or replaced", backend),
            Self::Drain(backend) => ("draining", backend),
        };
        write!(
            formatter,
            "backend {:?} at {} {what}",
            backend.name, backend.address
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(name: &str, port: u16) -> Backend {
        Backend::new(name, ([127, 0, 0, 1], port).into())
    }

    fn draining(backend: Backend) -> Backend {
        Backend {
            duty: Duty::Draining,
            ..backend
        }
    }

    #[test]
    fn what_stays_is_not_touched() {
        let both = [backend("a", 1), draining(backend("b", 2))];
        assert_eq!(changes(&both, &both), []);
        let reversed = [both[1].clone(), both[0].clone()];
        assert_eq!(changes(&both, &reversed), []);
    }

    #[test]
    fn what_takes_over_comes_before_what_goes() {
        let (old, new) = (backend("a", 1), backend("b", 2));
        assert_eq!(
            changes(std::slice::from_ref(&old), std::slice::from_ref(&new)),
            [Change::Insert(new), Change::Remove(old)]
        );
    }

    #[test]
    fn a_backend_that_is_to_drain_is_not_replaced_and_comes_back_by_being_inserted() {
        let up = [backend("a", 1)];
        let down = [draining(backend("a", 1))];
        assert_eq!(changes(&up, &down), [Change::Drain(down[0].clone())]);
        assert_eq!(changes(&down, &up), [Change::Insert(up[0].clone())]);
    }

    #[test]
    fn a_new_backend_that_drains_is_inserted_first() {
        let new = draining(backend("a", 1));
        let expected = [Change::Insert(new.clone()), Change::Drain(new.clone())];
        assert_eq!(changes(&[], &[new]), expected);
    }
}
