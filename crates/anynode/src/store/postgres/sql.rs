//! The statements with the schema's name in them, made once for a store.

use std::collections::HashMap;

use super::statement::{self, Statement};

/// The texts of all statements.
#[derive(Debug)]
pub(super) struct Sql(HashMap<&'static str, String>);

// === impl Sql ===

impl Sql {
    /// The statements on a schema, whose name is quoted.
    pub(super) fn new(schema: &str) -> Self {
        let text = |it: &&'static Statement| (it.name, it.text.replace("{s}", schema));
        Self(statement::ALL.iter().map(text).collect())
    }

    pub(super) fn of(&self, statement: &'static Statement) -> &str {
        self.0
            .get(statement.name)
            .expect("every statement is among all")
    }
}
