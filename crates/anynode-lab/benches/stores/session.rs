//! The sessions that are measured: eight keys, 500 bytes, of a user who is logged in.

use std::time::Duration;

use anynode_core::{Device, Draft, Handle, Kind, Moment, Payload, SecretHash, UserId};
use anynode_core::{Version, WriteId};

/// How long a session may go unused that is to stay alive.
pub(crate) const IDLE: Duration = Duration::from_secs(3_600);

/// The handle with this number: spread as random ones are, and the same in each run.
pub(crate) fn handle(number: u32) -> Handle {
    let spread = |factor: u64| u64::from(number + 1).wrapping_mul(factor).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&spread(0x9e37_79b9_7f4a_7c15));
    bytes[8..].copy_from_slice(&spread(0xd1b5_4a32_d192_ed03));
    Handle::from_bytes(bytes)
}

/// The user with this number.
pub(crate) fn user(number: u32) -> UserId {
    UserId::new(format!("user-{number:07}")).unwrap()
}

/// The session with this number, not used yet.
pub(crate) fn draft(number: u32, user: Option<UserId>) -> Draft {
    Draft {
        handle: handle(number),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([9; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([1; 8])),
        authenticated_at: user.as_ref().map(|_| Moment::NOW),
        user,
        created_at: Moment::NOW,
        idle_timeout: IDLE,
        deadline: Moment::After(24 * IDLE),
        payload: payload(),
        device: Device::new(Some("Firefox on Linux"), Some("198.51.100.7")),
    }
}

/// As the middleware's benchmark has it: seven texts and a counter, 500 encoded bytes.
fn payload() -> Payload {
    let texts = (0..7).map(|key| format!("\"key-{key}\":\"{}\",", "x".repeat(57)));
    let texts: String = texts.collect();
    let mut bytes = format!("{{{texts}\"visits\":7}}").into_bytes();
    bytes.resize(500, b' ');
    Payload::new(bytes)
}
