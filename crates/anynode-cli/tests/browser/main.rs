//! Pages in a real browser: Chromium, headless, driven over WebDriver.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod demo;
mod webdriver;
