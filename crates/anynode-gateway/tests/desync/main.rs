//! Requests that two servers could read differently, sent through the gateway to three servers that might.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod answers;
mod backend;
mod case;
mod corpus;
mod odd;
mod run;
mod wire;

use self::backend::Backend;
use self::run::{Delivery, check_all};

#[test]
fn nothing_is_smuggled_to_hyper() {
    check_all(&Backend::hyper(), Delivery::AtOnce);
}

#[test]
fn nothing_is_smuggled_to_node() {
    check_all(&Backend::tool("node", "echo.js"), Delivery::AtOnce);
}

#[test]
fn nothing_is_smuggled_to_python() {
    check_all(&Backend::tool("python", "echo.py"), Delivery::AtOnce);
}

#[test]
fn nothing_is_smuggled_in_small_pieces() {
    check_all(&Backend::hyper(), Delivery::InPieces);
}
