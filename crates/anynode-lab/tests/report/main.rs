//! The report of a comparison: its table, its page and its JSON.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod page;
mod synthetic;
mod table;

#[path = "../../../anynode-cli/tests/browser/webdriver.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod webdriver;
