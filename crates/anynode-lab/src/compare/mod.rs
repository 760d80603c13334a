//! What each strategy costs its users, measured side by side, and how it is shown.
//!
//! - `arguments`: what it is told
//! - `run`: takes every strategy through the same steps
//! - `report`: what was measured, as `report.json` keeps it, and the table that follows from it
//! - `terminal`: the table as plain text
//! - `html`: the table and the plots as one page that needs no network

mod arguments;
mod run;

pub mod html;
pub mod report;
pub mod terminal;

pub use self::arguments::Compare;
