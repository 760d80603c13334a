//! The SQLite store: the laws of a store, and what is particular to a file.

#![cfg(feature = "sqlite")]

mod channel;
mod contract;
mod corrupt;
mod file;
mod full;
mod processes;
mod scene;
