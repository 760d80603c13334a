//! The words and the rules of anynode: pure, without I/O, clock or randomness.
