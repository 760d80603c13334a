//! The report of a comparison: its table, its page and its JSON.

mod page;
mod synthetic;
mod table;
