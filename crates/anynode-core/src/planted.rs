//! Known bugs, to see that a check catches each: `cargo xtask teeth`.

/// Whether this program has the bug of this name.
///
/// Only a program built with `cfg(planted)` can have one: that which its environment names, so
/// that all of them are tried with one build. In every other it is `false` at compile time.
#[doc(hidden)]
#[must_use]
#[inline]
pub fn planted(name: &str) -> bool {
    cfg!(planted) && std::env::var_os("ANYNODE_PLANTED").is_some_and(|chosen| chosen == name)
}
