//! What people read: a table that fits a terminal of 80 columns, and a card for one session.

use std::fmt::Write;
use std::time::Duration;

use anynode::SessionInfo;
use anynode::core::{Timestamp, UserId};

use super::shape::rfc3339;
use crate::print::Line;

/// What is left of 80 columns for the name of the client.
const DEVICE_CHARS_MAX: usize = 16;

/// A line for each session, under a line of titles.
pub(super) fn table(sessions: &[SessionInfo]) -> String {
    let mut table = format!(
        "{:<22}  {:<16}  {:<8}  {:<8}  DEVICE",
        "HANDLE", "CREATED (UTC)", "IDLE IN", "ENDS IN"
    );
    for session in sessions {
        let row = format!(
            "\n{}  {}  {:<8}  {:<8}  {}",
            session.handle,
            minute(session.created_at),
            left(session.idle_left),
            left(session.absolute_left),
            shortened(device(session)),
        );
        table.push_str(row.trim_end());
    }
    table
}

/// Everything that is shown of one session.
pub(super) fn card(session: &SessionInfo) -> String {
    let user = session.user.as_ref().map(UserId::as_str);
    let address = session.device.address.as_deref();
    let authenticated = session.authenticated_at.map(rfc3339);
    let rows = [
        ("handle", session.handle.to_string()),
        ("user", Line(user.unwrap_or("nobody")).to_string()),
        ("created", rfc3339(session.created_at)),
        (
            "logged in",
            authenticated.unwrap_or_else(|| "no".to_owned()),
        ),
        ("idle in", left(session.idle_left)),
        ("ends in", left(session.absolute_left)),
        ("device", Line(device(session)).to_string()),
        ("address", Line(address.unwrap_or("unknown")).to_string()),
    ];
    let mut card = String::new();
    for (name, value) in rows {
        writeln!(card, "{name:<10} {value}").expect("text grows");
    }
    card.trim_end().to_owned()
}

fn device(session: &SessionInfo) -> &str {
    session.device.label.as_deref().unwrap_or("unknown")
}

fn minute(at: Timestamp) -> String {
    rfc3339(at)[..16].replace('T', " ")
}

fn shortened(device: &str) -> String {
    let shown = Line(device).to_string();
    if shown.chars().count() <= DEVICE_CHARS_MAX {
        return shown;
    }
    let kept: String = shown.chars().take(DEVICE_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

/// The two largest units, rounded down, in at most 8 characters.
fn left(left: Duration) -> String {
    let seconds = left.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_rounded_down_to_two_units() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (1_799, "29m 59s"),
            (28_799, "7h 59m"),
            (86_400 * 399 + 86_399, "399d 23h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(left(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_long_name_of_a_client_is_cut() {
        assert_eq!(shortened("Firefox on Linux"), "Firefox on Linux");
        assert_eq!(shortened("Firefox on Linux 7"), "Firefox on Linu…");
    }
}
