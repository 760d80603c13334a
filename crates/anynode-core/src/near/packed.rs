//! A record in as few bytes as a near cache can keep it.

use std::{sync::Arc, time::Duration};

use super::varint::{Reader, Writer};
use crate::{
    session::{
        Binding, Device, Epoch, Handle, Kind, Live, Origin, Payload, Previous, Record, SecretHash,
        Spared, UserEntry, UserId, Version, WriteId,
    },
    time::Timestamp,
};

/// A live record without its handle, in one allocation that is shared with whoever reads it.
///
/// A [`Record`] with what hangs on it needs some 350 bytes beside its payload, mostly for what
/// most sessions do not have. Here a point in time takes as many bytes as its distance from the
/// others needs, and what is absent takes a bit.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Packed(Arc<[u8]>);

/// What every hit may ask of a copy, without allocating.
#[derive(Clone, Copy)]
struct Head {
    secret: SecretHash,
    has: u16,
    version: Version,
    /// The store's clock at the load.
    now: Timestamp,
    idle_timeout: Duration,
    idle_deadline: Timestamp,
    deadline: Timestamp,
    previous: Option<Previous<Timestamp>>,
}

/// What is there; the lowest two bits are the kind.
mod has {
    pub(super) const KIND: u16 = 0b11;
    pub(super) const PREVIOUS: u16 = 1 << 2;
    pub(super) const AUTHENTICATED: u16 = 1 << 3;
    pub(super) const BINDING: u16 = 1 << 4;
    pub(super) const ENTRY: u16 = 1 << 5;
    pub(super) const SPARED: u16 = 1 << 6;
    pub(super) const LABEL: u16 = 1 << 7;
    pub(super) const ADDRESS: u16 = 1 << 8;
}

/// What a reference-counted allocation keeps beside its bytes.
const COUNTS: usize = 2 * size_of::<usize>();

// === impl Packed ===

impl Packed {
    pub(super) fn of(live: &Live) -> Self {
        let (record, now) = (&*live.record, live.now);
        // Room for what is usually there, so that it is allocated once.
        let mut to = Writer::with_capacity(record.payload.len() + 160);
        to.bytes(record.secret.as_bytes());
        to.bytes(&has_of(live).to_le_bytes());
        to.bytes(record.version.write.as_bytes());
        to.number(record.version.counter);
        to.number(now.as_millis());
        to.number(record.idle_timeout.as_secs());
        to.number(record.idle_timeout.subsec_nanos().into());
        to.near(live.idle_deadline.as_millis(), now.as_millis());
        to.near(record.deadline.as_millis(), now.as_millis());
        if let Some(previous) = &record.previous {
            to.bytes(previous.secret.as_bytes());
            to.near(previous.until.as_millis(), now.as_millis());
        }
        to.near(record.secret_since.as_millis(), now.as_millis());
        to.near(record.created_at.as_millis(), now.as_millis());
        if let Some(authenticated_at) = record.authenticated_at {
            to.near(authenticated_at.as_millis(), now.as_millis());
        }
        let mut stamp = 0;
        if let Some(binding) = &record.binding {
            stamp = binding.stamp.as_micros();
            to.text(binding.user.as_str());
            to.number(stamp);
        }
        if let Some(entry) = &live.user {
            to.near(entry.epoch.as_micros(), stamp);
            if let Some(spared) = &entry.spared {
                to.bytes(spared.handle.as_bytes());
                to.near(spared.from.as_micros(), stamp);
            }
        }
        let device = [&record.device.label, &record.device.address];
        device.into_iter().flatten().for_each(|text| to.text(text));
        to.bytes(record.payload.as_bytes());
        Self(to.finish())
    }

    /// The live record as the store answered it.
    pub(super) fn live(&self, handle: Handle) -> Live {
        let (head, mut from) = self.head();
        let has = |part| head.has & part != 0;
        let near = |from: &mut Reader<'_>| from.near(head.now.as_millis());
        let secret_since = Timestamp::from_millis(near(&mut from));
        let created_at = Timestamp::from_millis(near(&mut from));
        let authenticated_at =
            has(has::AUTHENTICATED).then(|| Timestamp::from_millis(near(&mut from)));
        let binding = has(has::BINDING).then(|| Binding {
            user: UserId::new(from.text()).expect("it was a user id when it was packed"),
            stamp: Epoch::from_micros(from.number()),
        });
        let stamp = binding
            .as_ref()
            .map_or(0, |binding| binding.stamp.as_micros());
        let user = has(has::ENTRY).then(|| UserEntry {
            epoch: Epoch::from_micros(from.near(stamp)),
            spared: has(has::SPARED).then(|| Spared {
                handle: Handle::from_bytes(from.array()),
                from: Epoch::from_micros(from.near(stamp)),
            }),
        });
        let device = Device {
            label: has(has::LABEL).then(|| from.text().into()),
            address: has(has::ADDRESS).then(|| from.text().into()),
        };
        // The payload is not copied: most of a session's bytes are here, and a hit is read once.
        let begin = self.0.len() - from.rest().len();
        let record = Record {
            handle,
            kind: kind_of(head.has),
            secret: head.secret,
            secret_since,
            previous: head.previous,
            version: head.version,
            binding,
            created_at,
            authenticated_at,
            idle_timeout: head.idle_timeout,
            deadline: head.deadline,
            payload: Payload::end_of(self.0.clone(), begin),
            device,
        };
        Live {
            record: record.into(),
            idle_deadline: head.idle_deadline,
            user,
            now: head.now,
            // Nothing else is kept.
            origin: Origin::Followed,
        }
    }

    /// Whether this is the hash of a secret that opens the record so long after the load.
    pub(super) fn admits(&self, secret: &SecretHash, since: Duration) -> bool {
        if self.secret() == *secret {
            return true;
        }
        let (head, _) = self.head();
        let now = head.now + since;
        let previous = head.previous;
        previous.is_some_and(|previous| previous.secret == *secret && now < previous.until)
    }

    pub(super) fn version(&self) -> Version {
        self.head().0.version
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        self.head().0.idle_timeout
    }

    /// How long after the load the record ends absolutely.
    pub(super) fn absolute_left(&self) -> Duration {
        let (head, _) = self.head();
        head.deadline.since(head.now)
    }

    /// The store's clock at the load.
    pub(super) fn loaded_at(&self) -> Timestamp {
        self.head().0.now
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        COUNTS + self.0.len()
    }

    fn secret(&self) -> SecretHash {
        SecretHash::from_bytes(Reader(&self.0).array())
    }

    /// The fixed part, and the rest to read on from.
    fn head(&self) -> (Head, Reader<'_>) {
        let mut from = Reader(&self.0);
        let secret = SecretHash::from_bytes(from.array());
        let has = u16::from_le_bytes(from.array());
        let write = WriteId::from_bytes(from.array());
        let counter = from.number();
        let now = from.number();
        let seconds = from.number();
        let nanos = u32::try_from(from.number()).expect("less than a second");
        let idle_deadline = from.near(now);
        let deadline = from.near(now);
        let previous = (has & has::PREVIOUS != 0).then(|| Previous {
            secret: SecretHash::from_bytes(from.array()),
            until: Timestamp::from_millis(from.near(now)),
        });
        let head = Head {
            secret,
            has,
            version: Version { counter, write },
            now: Timestamp::from_millis(now),
            idle_timeout: Duration::new(seconds, nanos),
            idle_deadline: Timestamp::from_millis(idle_deadline),
            deadline: Timestamp::from_millis(deadline),
            previous,
        };
        (head, from)
    }
}

fn has_of(live: &Live) -> u16 {
    let record = &*live.record;
    let parts = [
        (record.previous.is_some(), has::PREVIOUS),
        (record.authenticated_at.is_some(), has::AUTHENTICATED),
        (record.binding.is_some(), has::BINDING),
        (live.user.is_some(), has::ENTRY),
        (
            live.user.is_some_and(|user| user.spared.is_some()),
            has::SPARED,
        ),
        (record.device.label.is_some(), has::LABEL),
        (record.device.address.is_some(), has::ADDRESS),
    ];
    let there = parts.iter().filter(|(is_there, _)| *is_there);
    let kind = u16::from(record.kind.code() - 1);
    there.fold(kind, |has, (_, part)| has | part)
}

fn kind_of(has: u16) -> Kind {
    let [low, _] = (has & has::KIND).to_le_bytes();
    Kind::from_code(low + 1).expect("two bits for four kinds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::record::tests::draft;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn bare() -> Live {
        draft(1).live(NOW, None)
    }

    fn full() -> Live {
        let mut live = bare();
        let handle = Handle::from_bytes([2; 16]);
        let (stamp, from) = (Epoch::from_micros(1_699_000_000_000_123), Epoch::ZERO);
        live.user = Some(UserEntry {
            epoch: Epoch::from_micros(1_700_000_000_000_456),
            spared: Some(Spared { handle, from }),
        });
        let record = Arc::make_mut(&mut live.record);
        let user = UserId::new("ada@example.org").expect("a name");
        record.binding = Some(Binding { user, stamp });
        record.previous = Some(Previous {
            secret: SecretHash::from_bytes([8; 32]),
            until: NOW + Duration::from_millis(700),
        });
        record.authenticated_at = Some(Timestamp::from_millis(0));
        record.deadline = Timestamp::from_millis(u64::MAX);
        record.idle_timeout = Duration::new(1_800, 999_999_999);
        record.device = Device::new(Some("Firefox on Linux"), Some(""));
        record.kind = Kind::Node;
        record.version.counter = u64::MAX;
        live
    }

    #[test]
    fn what_is_packed_reads_back_as_it_was() {
        for live in [bare(), full()] {
            assert_eq!(Packed::of(&live).live(live.record.handle), live);
        }
    }

    #[test]
    fn what_a_hit_asks_for_is_read_without_the_rest() {
        let live = full();
        let packed = Packed::of(&live);
        assert_eq!(packed.version(), live.record.version);
        assert_eq!(packed.loaded_at(), NOW);
        assert_eq!(packed.idle_timeout(), live.record.idle_timeout);
        assert_eq!(
            Packed::of(&bare()).absolute_left(),
            Duration::from_secs(600)
        );
    }

    #[test]
    fn a_secret_is_judged_as_by_the_record() {
        let (live, now, late) = (full(), Duration::ZERO, Duration::from_millis(700));
        let packed = Packed::of(&live);
        for (secret, since) in [(9, now), (8, now), (8, late), (7, now)] {
            let secret = SecretHash::from_bytes([secret; 32]);
            let expected = crate::session::admit(&live.record, &secret, NOW + since).is_some();
            assert_eq!(packed.admits(&secret, since), expected);
        }
    }

    #[test]
    fn a_usual_session_takes_little_beside_its_payload() {
        let mut live = full();
        live.user = None;
        let record = Arc::make_mut(&mut live.record);
        (record.previous, record.device) = (None, Device::default());
        record.version.counter = 20;
        record.deadline = NOW + Duration::from_secs(86_400);
        record.idle_timeout = Duration::from_secs(1_800);
        record.authenticated_at = Some(record.created_at);
        let beside = Packed::of(&live).bytes() - live.record.payload.len();
        assert!(beside <= 112, "{beside}");
    }
}
