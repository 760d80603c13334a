//! The `anynode` program.
fn main() {}
