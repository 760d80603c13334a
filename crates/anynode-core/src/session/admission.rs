//! Who a request was let in as, whether that still holds, and when a secret is replaced.

use std::time::Duration;

use crate::{
    session::{Draft, Lifetime, Moment, Previous, Record, SecretHash, UserId},
    time::Timestamp,
};

/// Under which secret, user and authentication a request was admitted.
///
/// A change may only be carried over to a newer record that would still admit the request as
/// the same. Otherwise a slow request from before a login would write into the session of the
/// user who logged in meanwhile: fixation by data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    secret: SecretHash,
    user: Option<UserId>,
    authenticated_at: Option<Timestamp>,
}

/// Which secret of a record was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The one in force.
    Current,
    /// The one before it, within its grace.
    Previous,
}

/// How often a secret is replaced in use, and how long the one before it stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The age at which a secret is replaced.
    pub period: Duration,
    /// How long the previous secret is admitted after the first use of its successor.
    pub grace: Duration,
}

/// What a rotation asks of the present request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A new secret; the current one becomes the previous one.
    Rotate,
    /// Another new secret in place of one that never arrived; the previous one stays.
    RotateAgain,
    /// The successor has arrived at the client: the previous secret's grace starts to run.
    StartGrace,
}

/// Which secret of the record this is the hash of; `None` when it is neither the current one
/// nor a previous one that is still good.
pub fn admit(record: &Record, secret: &SecretHash, now: Timestamp) -> Option<Presented> {
    if record.secret == *secret {
        return Some(Presented::Current);
    }
    record
        .previous
        .is_some_and(|previous| previous.secret == *secret && now < previous.until)
        .then_some(Presented::Previous)
}

// === impl Admission ===

impl Admission {
    /// The admission of a request that presented `secret` to `record`.
    pub fn new(record: &Record, secret: SecretHash) -> Self {
        Self {
            secret,
            user: record.user().cloned(),
            authenticated_at: record.authenticated_at,
        }
    }

    /// Whether `newer` still admits the request as whom it was admitted: the same secret,
    /// current or within its grace, the same user and the same authentication.
    pub fn holds(&self, newer: &Record, now: Timestamp) -> bool {
        if crate::planted("rebase_across_login") {
            return true;
        }
        admit(newer, &self.secret, now).is_some()
            && self.user.as_ref() == newer.user()
            && self.authenticated_at == newer.authenticated_at
    }
}

// === impl Rotation ===

impl Rotation {
    /// What is due for a request that presented this secret of the record.
    ///
    /// A client that still holds the previous one has a successor under way, and gets no
    /// other before half a period shows that the response which bore it was lost. Without
    /// that other one it would be logged out at the end of the period.
    pub fn due(&self, record: &Record, presented: Presented, now: Timestamp) -> Due {
        if presented == Presented::Previous {
            let unused = record
                .previous
                .is_some_and(|previous| previous.until > now + self.grace);
            let lost = unused && now.since(record.secret_since) >= self.period / 2;
            return if lost { Due::RotateAgain } else { Due::Nothing };
        }
        if now.since(record.secret_since) >= self.period {
            return Due::Rotate;
        }
        match record.previous {
            Some(previous) if previous.until > now + self.grace => Due::StartGrace,
            _ => Due::Nothing,
        }
    }

    /// Makes `secret` the current one. The one before it stays good until a grace after its
    /// successor's first use, and for one period at most: a response that got lost on its way
    /// to the client logs nobody out.
    pub fn rotate(&self, draft: &mut Draft, secret: SecretHash) {
        draft.previous = Some(Previous {
            secret: draft.secret,
            until: Moment::After(self.period),
        });
        draft.secret = secret;
        draft.secret_since = Moment::NOW;
    }

    /// Makes `secret` the current one in place of one that never arrived: the previous one
    /// stays good for another period at most.
    pub fn rotate_again(&self, draft: &mut Draft, secret: SecretHash) {
        if let Some(previous) = &mut draft.previous {
            previous.until = Moment::After(self.period);
        }
        draft.secret = secret;
        draft.secret_since = Moment::NOW;
    }

    /// Starts the grace of the previous secret.
    pub fn start_grace(&self, draft: &mut Draft) {
        if let Some(previous) = &mut draft.previous {
            previous.until = Moment::After(self.grace);
        }
    }
}

// === impl Draft ===

impl Draft {
    /// Makes `secret` the only one that opens the record, from the write on.
    pub fn replace_secret(&mut self, secret: SecretHash) {
        self.secret = secret;
        self.secret_since = Moment::NOW;
        self.previous = None;
    }

    /// Binds the record to `user`, who has just proved who they are: a new secret without
    /// grace, and a lifetime that counts from now.
    pub fn bind(&mut self, user: UserId, lifetime: Lifetime, secret: SecretHash) {
        self.replace_secret(secret);
        self.user = Some(user);
        self.authenticated_at = Some(Moment::NOW);
        self.idle_timeout = lifetime.idle;
        self.deadline = Moment::After(lifetime.absolute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Epoch, record::tests::draft};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const OLD: SecretHash = SecretHash::from_bytes([9; 32]);
    const NEW: SecretHash = SecretHash::from_bytes([8; 32]);
    const ROTATION: Rotation = Rotation {
        period: Duration::from_secs(100),
        grace: Duration::from_secs(10),
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rotated() -> Record {
        let mut draft = draft(1);
        ROTATION.rotate(&mut draft, NEW);
        draft.settle(NOW, Epoch::ZERO)
    }

    #[test]
    fn both_secrets_are_admitted_until_the_period_ends() {
        let record = rotated();
        assert_eq!(admit(&record, &NEW, NOW), Some(Presented::Current));
        assert_eq!(
            admit(&record, &OLD, NOW + seconds(99)),
            Some(Presented::Previous)
        );
        assert_eq!(admit(&record, &OLD, NOW + seconds(100)), None);
    }

    #[test]
    fn the_first_use_of_the_successor_starts_the_grace() {
        let record = rotated();
        assert_eq!(
            ROTATION.due(&record, Presented::Previous, NOW),
            Due::Nothing
        );
        assert_eq!(
            ROTATION.due(&record, Presented::Current, NOW),
            Due::StartGrace
        );
        let mut draft = record.draft(record.version);
        ROTATION.start_grace(&mut draft);
        let record = draft.settle(NOW, Epoch::ZERO);
        assert_eq!(ROTATION.due(&record, Presented::Current, NOW), Due::Nothing);
        assert_eq!(
            admit(&record, &OLD, NOW + seconds(9)),
            Some(Presented::Previous)
        );
        assert_eq!(admit(&record, &OLD, NOW + seconds(10)), None);
    }

    #[test]
    fn a_successor_that_never_arrived_is_replaced_after_half_a_period() {
        let record = rotated();
        let due = |at| ROTATION.due(&record, Presented::Previous, NOW + seconds(at));
        assert_eq!(due(49), Due::Nothing);
        assert_eq!(due(50), Due::RotateAgain);
        let mut draft = record.draft(record.version);
        ROTATION.rotate_again(&mut draft, SecretHash::from_bytes([7; 32]));
        let again = draft.settle(NOW + seconds(50), Epoch::ZERO);
        assert_eq!(admit(&again, &NEW, NOW + seconds(50)), None);
        assert_eq!(
            admit(&again, &OLD, NOW + seconds(149)),
            Some(Presented::Previous)
        );
    }

    #[test]
    fn a_secret_is_due_after_its_period() {
        let record = draft(1).settle(NOW, Epoch::ZERO);
        assert_eq!(
            ROTATION.due(&record, Presented::Current, NOW + seconds(99)),
            Due::Nothing
        );
        assert_eq!(
            ROTATION.due(&record, Presented::Current, NOW + seconds(100)),
            Due::Rotate
        );
    }

    #[test]
    fn an_admission_holds_across_data_and_periodic_rotation() {
        let record = draft(1).settle(NOW, Epoch::ZERO);
        let admission = Admission::new(&record, OLD);
        assert!(admission.holds(&record, NOW));
        assert!(admission.holds(&rotated(), NOW));
        assert!(!admission.holds(&rotated(), NOW + seconds(100)));
    }

    #[test]
    fn an_admission_ends_with_a_login_even_under_a_secret_that_is_kept() {
        let record = draft(1).settle(NOW, Epoch::ZERO);
        let admission = Admission::new(&record, OLD);
        let user = UserId::new("ada").expect("a name");
        let lifetime = Lifetime {
            idle: seconds(60),
            absolute: seconds(600),
        };
        let mut login = record.draft(record.version);
        login.bind(user, lifetime, NEW);
        assert!(!admission.holds(&login.settle(NOW, Epoch::ZERO), NOW));
        login.secret = OLD;
        assert!(!admission.holds(&login.settle(NOW, Epoch::ZERO), NOW));
    }
}
