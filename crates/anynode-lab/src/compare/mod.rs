//! What each strategy costs its users, measured side by side: the report and how it is shown.
//!
//! - `report`: what was measured, as `report.json` keeps it, and the table that follows from it
//! - `terminal`: the table as plain text
//! - `html`: the table and the plots as one page that needs no network

pub mod html;
pub mod report;
pub mod terminal;
