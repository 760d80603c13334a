//! Random bytes from the operating system: the only place that asks for them.

use anynode_core::{Handle, Secret, SessionId, WriteId};

/// A session id that nobody had before.
pub(crate) fn session_id() -> SessionId {
    SessionId::new(Handle::from_bytes(bytes()), secret())
}

/// A secret that nobody had before.
pub(crate) fn secret() -> Secret {
    Secret::from_bytes(bytes())
}

/// The id of one write.
pub(crate) fn write_id() -> WriteId {
    WriteId::from_bytes(bytes())
}

/// A random number, for jitter.
pub(crate) fn number() -> u64 {
    u64::from_ne_bytes(bytes())
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // There is no safe way to go on: a guessable secret is worse than a failed request.
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
