//! Pages in a real browser: Chromium, headless, driven over WebDriver.

mod demo;
mod webdriver;
