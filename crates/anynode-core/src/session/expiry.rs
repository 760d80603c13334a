//! When a session is alive, and when its use is worth telling the store.

use std::{collections::HashMap, time::Duration};

use crate::{
    session::{Cause, Handle, Live, Record, UserEntry},
    time::Timestamp,
};

/// The longest absolute lifetime that any node may grant, and so how long a user entry is
/// kept after it last moved: 400 days, the longest life a browser gives a cookie
/// (RFC 6265bis section 5.5).
pub const ABSOLUTE_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How long a tombstone stays for a handle that the store did not know when it was revoked.
///
/// Only a `create` that was already on its way can make such a handle appear, and every store
/// call ends within its deadline, so an hour is far on the safe side.
pub const UNKNOWN_TOMBSTONE: Duration = Duration::from_secs(60 * 60);

/// How long a session may live: unused, and at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Time without use after which it ends.
    pub idle: Duration,
    /// Time from authentication, before that from creation, after which it ends.
    pub absolute: Duration,
}

/// One use of a session that the store should count from: `age` ago.
///
/// The age is relative because the store computes the deadline with its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The session that was used.
    pub handle: Handle,
    /// How long ago.
    pub age: Duration,
}

/// The uses of sessions that one node has still to report: at most one for each session and
/// eighth of its idle timeout, whatever the traffic.
///
/// Time is a [`Duration`] on the node's boot clock.
///
/// ```
/// # use anynode_core::{Handle, expiry::Touches};
/// # use std::time::Duration;
/// let mut touches = Touches::new(1_000);
/// let (handle, second) = (Handle::from_bytes([1; 16]), Duration::from_secs);
/// touches.used(handle, second(80), second(100));
/// touches.used(handle, second(80), second(103));
/// assert_eq!(touches.take(second(104), 100).len(), 1);
/// touches.used(handle, second(80), second(105)); // within 10 s of the last report
/// assert!(touches.take(second(106), 100).is_empty());
/// ```
#[derive(Debug)]
pub struct Touches {
    waiting: HashMap<Handle, Use>,
    reported: HashMap<Handle, Use>,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    at: Duration,
    every: Duration,
}

/// Why the session is dead, or `None` while it is alive.
///
/// Revocation of the user comes first: it is the answer that its owner has to hear.
pub fn ended(
    record: &Record,
    idle_deadline: Timestamp,
    user: Option<&UserEntry>,
    now: Timestamp,
) -> Option<Cause> {
    if !stamp_is_good(record, user) {
        return Some(Cause::Epoch);
    }
    if record.deadline <= now {
        return Some(Cause::Absolute);
    }
    (idle_deadline <= now).then_some(Cause::Idle)
}

/// Whether the record is unbound, or its stamp is one that its user's entry admits.
pub fn stamp_is_good(record: &Record, user: Option<&UserEntry>) -> bool {
    let Some(binding) = &record.binding else {
        return true;
    };
    let entry = user.copied().unwrap_or_default();
    entry.admits(&record.handle, binding.stamp)
}

/// The idle deadline of a record used at `now`: never past the absolute one.
pub fn idle_deadline(record: &Record, now: Timestamp) -> Timestamp {
    (now + record.idle_timeout).min(record.deadline)
}

/// The idle deadline after a use `age` ago: it only ever moves forward.
pub fn touched(record: &Record, current: Timestamp, now: Timestamp, age: Duration) -> Timestamp {
    idle_deadline(record, now.back(age)).max(current)
}

/// Whether a use seen with this answer of the store is worth a touch: an eighth of the idle
/// timeout has gone by since the last one, whichever node sent it.
pub fn touch_is_due(live: &Live) -> bool {
    let left = live.idle_deadline.since(live.now);
    let bound_by_absolute = live.idle_deadline >= live.record.deadline;
    !bound_by_absolute && left < live.record.idle_timeout - touch_interval(live.record.idle_timeout)
}

/// The shortest time between two touches of one session: an eighth of its idle timeout. A
/// session may thus end up to that much early, never late.
pub fn touch_interval(idle_timeout: Duration) -> Duration {
    idle_timeout / 8
}

// === impl Touches ===

impl Touches {
    /// An empty set that holds at most `capacity` sessions. What does not fit is not touched,
    /// and a session that stays in use is offered again by its next request.
    pub fn new(capacity: usize) -> Self {
        Self {
            waiting: HashMap::new(),
            reported: HashMap::new(),
            capacity,
        }
    }

    /// Notes that a session with this idle timeout was used at `now`.
    pub fn used(&mut self, handle: Handle, idle_timeout: Duration, now: Duration) {
        let every = touch_interval(idle_timeout);
        if let Some(last) = self.reported.get(&handle)
            && now < last.at + last.every
        {
            return;
        }
        if self.waiting.len() < self.capacity || self.waiting.contains_key(&handle) {
            self.waiting.insert(handle, Use { at: now, every });
        }
    }

    /// Up to `limit` touches to send now.
    pub fn take(&mut self, now: Duration, limit: usize) -> Vec<Touch> {
        self.reported.retain(|_, last| now < last.at + last.every);
        let handles: Vec<_> = self.waiting.keys().copied().take(limit).collect();
        handles
            .into_iter()
            .filter_map(|handle| {
                let used = self.waiting.remove(&handle)?;
                if self.reported.len() < self.capacity {
                    self.reported.insert(handle, used);
                }
                Some(Touch {
                    handle,
                    age: now.saturating_sub(used.at),
                })
            })
            .collect()
    }

    /// Puts back touches that could not be sent, unless the session was used again meanwhile.
    pub fn put_back(&mut self, touches: &[Touch], now: Duration) {
        for touch in touches {
            if let Some(used) = self.reported.remove(&touch.handle)
                && self.waiting.len() < self.capacity
            {
                let at = now.saturating_sub(touch.age).min(used.at);
                self.waiting
                    .entry(touch.handle)
                    .or_insert(Use { at, ..used });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Epoch, Origin, record::tests::draft};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn live(idle_left: u64) -> Live {
        let record = draft(1).settle(NOW, Epoch::ZERO);
        Live {
            idle_deadline: NOW + Duration::from_secs(idle_left),
            record: record.into(),
            user: None,
            now: NOW,
            origin: Origin::Followed,
        }
    }

    #[test]
    fn a_deadline_is_the_first_instant_at_which_the_session_is_dead() {
        let record = draft(1).settle(NOW, Epoch::ZERO);
        let idle = idle_deadline(&record, NOW);
        let just_before = idle.back(Duration::from_millis(1));
        assert_eq!(ended(&record, idle, None, just_before), None);
        assert_eq!(ended(&record, idle, None, idle), Some(Cause::Idle));
        assert_eq!(
            ended(
                &record,
                record.deadline + Duration::from_secs(9),
                None,
                record.deadline
            ),
            Some(Cause::Absolute)
        );
    }

    #[test]
    fn a_touch_moves_forward_only_and_never_past_the_absolute_deadline() {
        let record = draft(1).settle(NOW, Epoch::ZERO);
        let current = idle_deadline(&record, NOW);
        let late = NOW + Duration::from_secs(595);
        assert_eq!(
            touched(&record, current, late, Duration::ZERO),
            record.deadline
        );
        assert_eq!(
            touched(&record, current, NOW, Duration::from_secs(30)),
            current
        );
    }

    #[test]
    fn a_touch_is_due_after_an_eighth_of_the_idle_timeout() {
        assert!(!touch_is_due(&live(60)));
        assert!(!touch_is_due(&live(53)));
        assert!(touch_is_due(&live(52)));
    }

    #[test]
    fn a_session_near_its_absolute_deadline_is_not_touched_in_vain() {
        let mut near = live(20);
        let mut record = (*near.record).clone();
        record.deadline = near.idle_deadline;
        near.record = record.into();
        assert!(!touch_is_due(&near));
    }

    #[test]
    fn touches_that_could_not_be_sent_are_offered_again_with_their_age() {
        let (mut touches, second) = (Touches::new(10), Duration::from_secs);
        let handle = Handle::from_bytes([1; 16]);
        touches.used(handle, second(80), second(100));
        let sent = touches.take(second(101), 10);
        touches.put_back(&sent, second(101));
        let again = touches.take(second(102), 10);
        assert_eq!(
            again,
            [Touch {
                handle,
                age: second(2)
            }]
        );
    }

    #[test]
    fn touches_stay_within_their_capacity() {
        let mut touches = Touches::new(2);
        for name in 0..5 {
            touches.used(
                Handle::from_bytes([name; 16]),
                Duration::from_secs(8),
                Duration::ZERO,
            );
        }
        assert_eq!(touches.take(Duration::ZERO, 10).len(), 2);
    }
}
