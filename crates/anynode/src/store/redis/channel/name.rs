//! What the names of written keys tell: a push carries nothing else.

use std::str::FromStr;

use anynode_core::{
    BarrierId, Cause, Epoch, Event, Handle, RollId, Spared, Timestamp, Tombstone, UserEntry, UserId,
};

/// The names that a channel hears of, by their prefixes.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Records and revocations of everyone.
    pub(super) tracked: String,
    /// The heartbeats of this channel and of no other.
    pub(super) own: String,
}

/// What a written key tells this channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// Something that a node has to hear.
    Event(Event),
    /// The canary of a barrier of this channel.
    Canary(BarrierId),
}

// === impl Names ===

impl Names {
    /// What the name of a written key tells. A tracked name that cannot be read is a flush:
    /// it means something to someone, perhaps to a newer release of anynode.
    pub(super) fn read(&self, name: &[u8]) -> Told {
        let text = std::str::from_utf8(name).ok();
        if let Some(number) = text.and_then(|text| text.strip_prefix(self.own.as_str())) {
            let number = number.rsplit(':').next().and_then(|text| text.parse().ok());
            return number.map_or(Told::Event(Event::Flush), |id| Told::Canary(BarrierId(id)));
        }
        let rest = text.and_then(|text| text.strip_prefix(self.tracked.as_str()));
        Told::Event(rest.and_then(event).unwrap_or(Event::Flush))
    }

    /// The name of the canary of a barrier, in the slot of this tag.
    pub(super) fn canary(&self, tag: &str, barrier: BarrierId) -> String {
        format!("{}{{{tag}}}:{}", self.own, barrier.0)
    }
}

/// The event that `KIND:{TAG}:REST` tells.
fn event(name: &str) -> Option<Event> {
    let (kind, rest) = name.split_once(":{")?;
    let (_, rest) = rest.split_once("}:")?;
    match kind {
        "s" => rest.parse().ok().map(Event::Changed),
        "r" => tombstone(rest).map(Event::Revoked),
        "u" => user(rest).map(|(user, entry)| Event::User(user, entry)),
        "q" => number(rest).map(|roll| Event::Roll(RollId(roll))),
        _ => None,
    }
}

/// `HANDLE:CAUSE:UNTIL`.
fn tombstone(text: &str) -> Option<Tombstone> {
    let mut parts = text.split(':');
    let handle = parts.next()?.parse().ok()?;
    let cause = Cause::from_code(number(parts.next()?)?)?;
    let until = Timestamp::from_millis(number(parts.next()?)?);
    parts.next().is_none().then_some(Tombstone {
        handle,
        cause,
        until,
    })
}

/// `EPOCH:SPARED:FROM:USER`; a user may have colons in it.
fn user(text: &str) -> Option<(UserId, UserEntry)> {
    let mut parts = text.splitn(4, ':');
    let epoch = Epoch::from_micros(number(parts.next()?)?);
    let (spared, from) = (parts.next()?, parts.next()?);
    let spared = match spared {
        "-" => None,
        handle => Some(Spared {
            handle: Handle::from_str(handle).ok()?,
            from: Epoch::from_micros(number(from)?),
        }),
    };
    let user = UserId::new(parts.next()?).ok()?;
    Some((user, UserEntry { epoch, spared }))
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle::from_bytes([7; 16]);

    fn read(name: impl AsRef<[u8]>) -> Told {
        let (tracked, own) = ("an:k:".to_owned(), "an:h:n1:0a0b0c0d:".to_owned());
        Names { tracked, own }.read(name.as_ref())
    }

    #[test]
    fn the_name_of_a_record_says_that_it_changed() {
        let told = read(format!("an:k:s:{{070}}:{HANDLE}"));
        assert_eq!(told, Told::Event(Event::Changed(HANDLE)));
    }

    #[test]
    fn the_name_of_a_revocation_is_the_tombstone() {
        let told = read(format!("an:k:r:{{070}}:{HANDLE}:2:1234"));
        let expected = Tombstone {
            handle: HANDLE,
            cause: Cause::Admin,
            until: Timestamp::from_millis(1_234),
        };
        assert_eq!(told, Told::Event(Event::Revoked(expected)));
    }

    #[test]
    fn the_name_of_a_user_entry_is_the_entry() {
        let user = UserId::new("a:{b}:c").expect("a name");
        let epoch = Epoch::from_micros(9);
        let told = read("an:k:u:{0ff}:9:-:0:a:{b}:c");
        let entry = UserEntry {
            epoch,
            spared: None,
        };
        assert_eq!(told, Told::Event(Event::User(user.clone(), entry)));
        let told = read(format!("an:k:u:{{0ff}}:9:{HANDLE}:5:a:{{b}}:c"));
        let from = Epoch::from_micros(5);
        let spared = Some(Spared {
            handle: HANDLE,
            from,
        });
        let entry = UserEntry { epoch, spared };
        assert_eq!(told, Told::Event(Event::User(user, entry)));
    }

    #[test]
    fn the_name_of_a_call_of_the_roll_is_its_number() {
        let told = read("an:k:q:{an:n}:1790000000000000");
        let roll = RollId(1_790_000_000_000_000);
        assert_eq!(told, Told::Event(Event::Roll(roll)));
    }

    #[test]
    fn the_name_of_an_own_heartbeat_is_the_canary_of_its_barrier() {
        let told = read("an:h:n1:0a0b0c0d:{fff}:17");
        assert_eq!(told, Told::Canary(BarrierId(17)));
    }

    #[test]
    fn a_name_that_cannot_be_read_is_a_flush() {
        for name in [
            "an:k:",
            "an:k:s:{070}:short",
            "an:k:s:070",
            "an:k:x:{070}:1",
            "an:k:r:{070}:AAAAAAAAAAAAAAAAAAAAAA:99:1",
            "an:k:r:{070}:AAAAAAAAAAAAAAAAAAAAAA:2:x",
            "an:k:r:{070}:AAAAAAAAAAAAAAAAAAAAAA:2:1:0",
            "an:k:u:{0ff}:9:-:0",
            "an:k:u:{0ff}:9:-:0:",
            "an:k:q:{an:n}:x",
            "an:h:n1:0a0b0c0d:{fff}:x",
            "another",
        ] {
            assert_eq!(read(name), Told::Event(Event::Flush), "{name}");
        }
        assert_eq!(read(b"an:k:s:\xff"), Told::Event(Event::Flush));
    }
}
