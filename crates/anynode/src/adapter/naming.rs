//! From the id that tower-sessions puts into its cookie to a session id of ours.

use anynode_core::{Handle, Secret, SessionId};
use sha2::{Digest, Sha256};

/// Handle and secret that belong to the 16 bytes of a tower-sessions id.
///
/// Both are halves of one hash, so nothing that a store keeps or a log shows leads back to the
/// cookie: the handle is no longer what opens the session.
pub(super) fn session_id(theirs: i128) -> SessionId {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"anynode tower-sessions id 1")
        .chain_update(theirs.to_le_bytes())
        .finalize()
        .into();
    let (mut handle, mut secret) = ([0; 16], [0; 16]);
    handle.copy_from_slice(&digest[..16]);
    secret.copy_from_slice(&digest[16..]);
    SessionId::new(Handle::from_bytes(handle), Secret::from_bytes(secret))
}

/// The id under which a session of ours is shown to code that asks for a tower-sessions id: its
/// handle, which opens nothing.
pub(super) fn shown_id(handle: &Handle) -> i128 {
    i128::from_le_bytes(*handle.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_stored_or_logged_is_the_cookie() {
        let id = session_id(0x0102_0304);
        let cookie = 0x0102_0304_i128.to_le_bytes();
        assert_ne!(id.handle().as_bytes(), &cookie);
        assert_ne!(&id.secret_hash().as_bytes()[..16], &cookie);
        assert_ne!(id.handle(), session_id(0x0102_0305).handle());
    }
}
