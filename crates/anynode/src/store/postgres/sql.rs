//! The statements with the schema's name in them, made once for a store.

use std::collections::HashMap;

use super::statement::{self, Statement};
use crate::store::planted::{Bug, with_bug};

/// The texts of all statements.
#[derive(Debug)]
pub(super) struct Sql(HashMap<&'static str, String>);

/// What may be planted into the statements.
const BUGS: &[Bug] = &[
    Bug {
        planted: "cursor_by_number",
        good: "xid >= pg_snapshot_xmin($1::text::pg_snapshot) \
               AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)",
        bad: "xid >= pg_snapshot_xmax($1::text::pg_snapshot)",
    },
    Bug {
        planted: "postgres_replace_ignores_the_version",
        good: " AND r.counter = $17 AND r.write = $18 AND ",
        bad: " AND coalesce(r.counter, $17) > 0 AND coalesce(r.write, $18) IS NOT NULL AND ",
    },
    Bug {
        planted: "postgres_epoch_counts_from_zero",
        good: "greatest(1, c.now * 1000)",
        bad: "1",
    },
    Bug {
        planted: "postgres_touch_goes_back",
        good: " AND least(c.now - t.age + r.idle_timeout, r.deadline) > r.idle_deadline",
        bad: "",
    },
    Bug {
        planted: "postgres_sweep_forgets_epoch_deaths",
        good: " OR (due.good AND due.idle_deadline <= c.now)",
        bad: " OR due.idle_deadline <= c.now",
    },
];

// === impl Sql ===

impl Sql {
    /// The statements on a schema, whose name is quoted.
    pub(super) fn new(schema: &str) -> Self {
        let text =
            |it: &&'static Statement| (it.name, with_bug(it.text, BUGS).replace("{s}", schema));
        Self(statement::ALL.iter().map(text).collect())
    }

    pub(super) fn of(&self, statement: &'static Statement) -> &str {
        self.0
            .get(statement.name)
            .expect("every statement is among all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_place() {
        for Bug { good, .. } in BUGS {
            let has = |it: &&Statement| it.text.contains(good);
            assert!(statement::ALL.into_iter().any(|it| has(&it)), "{good}");
        }
    }
}
