//! What is believed of one backend's health, and how each outcome and each check changes it.

use std::time::Duration;

use super::health::{Answer, BACKOFF_FIRST, BACKOFF_MAX, Check, Ejection, Thresholds};
use super::pool::{BackendState, ChosenAs, Health};

/// What is believed of a backend that was just added: that it is well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Condition {
    checks: Checks,
    service: Service,
    /// When it took a connection last.
    connected_at: Option<Duration>,
}

/// Whether there is room for one more ejected backend in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Full,
}

/// What its checks say.
#[derive(Clone, Copy, Debug)]
enum Checks {
    Passing { failed: u32 },
    Failing { passed: u32 },
}

/// What the outcomes of requests say.
#[derive(Clone, Copy, Debug)]
enum Service {
    Trusted {
        bad: u32,
    },
    Away {
        why: Why,
        failures: u32,
        failed_at: Duration,
        wait: Duration,
        until: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Unreachable,
    BadAnswers,
}

// === impl Condition ===

impl Condition {
    /// The state as it is shown, for a backend that serves.
    pub(super) fn state(&self) -> BackendState {
        if matches!(self.checks, Checks::Failing { .. }) {
            return BackendState::Failing;
        }
        match self.service {
            Service::Trusted { .. } => BackendState::Ready,
            Service::Away {
                why,
                failures,
                failed_at,
                until,
                ..
            } => match why {
                Why::Unreachable => BackendState::Down {
                    failures,
                    failed_at,
                    until,
                },
                Why::BadAnswers => BackendState::Ejected {
                    failures,
                    failed_at,
                    until,
                },
            },
        }
    }

    /// Tells whether a request may go there while others are left.
    pub(super) fn is_sound(&self, now: Duration) -> bool {
        match (self.checks, self.service) {
            (Checks::Failing { .. }, _) => false,
            (_, Service::Trusted { .. }) => true,
            (_, Service::Away { until, .. }) => until <= now,
        }
    }

    /// Tells whether it counts as away when there is a question of ejecting one more.
    pub(super) fn is_away(&self) -> bool {
        self.state() != BackendState::Ready
    }

    /// Notes that a request is sent there.
    pub(super) fn chosen(&mut self, now: Duration) -> ChosenAs {
        match &mut self.service {
            Service::Trusted { bad: 0 } => ChosenAs::Ready,
            Service::Trusted { .. } => ChosenAs::Suspect,
            // The next trial waits, so that a backend that swallows connects
            // costs one request its connect timeout, not all of them.
            Service::Away { wait, until, .. } => {
                *until = now + *wait;
                ChosenAs::Trial
            }
        }
    }

    pub(super) fn connect_failed(&mut self, chosen_at: Duration, now: Duration) -> Health {
        self.failed(Why::Unreachable, BACKOFF_FIRST, BACKOFF_MAX, chosen_at, now)
    }

    /// Notes that it took a connection.
    pub(super) fn connected(&mut self, now: Duration) {
        self.connected_at = self.connected_at.max(Some(now));
    }

    pub(super) fn connect_timed_out(&mut self, chosen_at: Duration, now: Duration) -> Health {
        if self
            .connected_at
            .is_some_and(|connected_at| connected_at >= chosen_at)
        {
            return Health::Unchanged;
        }
        self.connect_failed(chosen_at, now)
    }

    pub(super) fn answered(
        &mut self,
        answer: Answer,
        chosen_at: Duration,
        now: Duration,
        ejection: Option<(Ejection, Room)>,
    ) -> Health {
        let away_for = match self.service {
            Service::Trusted { .. } => None,
            Service::Away { why, .. } => Some(why),
        };
        match (away_for, answer) {
            (None, Answer::Good) => {
                self.service = Service::Trusted { bad: 0 };
                Health::Unchanged
            }
            (None, Answer::Bad | Answer::Missing) => self.counted(now, ejection),
            (Some(_), Answer::Good) => {
                self.service = Service::Trusted { bad: 0 };
                Health::CameBack
            }
            // It can be reached again; what it answers is the other question.
            (Some(Why::Unreachable), Answer::Bad) => {
                self.service = Service::Trusted { bad: 1 };
                Health::CameBack
            }
            (Some(Why::Unreachable), Answer::Missing) => self.connect_failed(chosen_at, now),
            (Some(Why::BadAnswers), Answer::Bad | Answer::Missing) => {
                let ejection = ejection.map_or_else(Ejection::default, |(ejection, _)| ejection);
                let (first, longest) = (ejection.first, ejection.longest);
                self.failed(Why::BadAnswers, first, longest, chosen_at, now)
            }
        }
    }

    pub(super) fn checked(&mut self, check: Check, thresholds: Thresholds) -> Health {
        let (checks, health) = match (self.checks, check) {
            (Checks::Passing { .. }, Check::Passed) => {
                (Checks::Passing { failed: 0 }, Health::Unchanged)
            }
            (Checks::Passing { failed }, Check::Failed) if failed + 1 < thresholds.fall.get() => {
                (Checks::Passing { failed: failed + 1 }, Health::Unchanged)
            }
            (Checks::Passing { .. }, Check::Failed) => {
                (Checks::Failing { passed: 0 }, Health::WentDown)
            }
            (Checks::Failing { .. }, Check::Failed) => {
                (Checks::Failing { passed: 0 }, Health::Unchanged)
            }
            (Checks::Failing { passed }, Check::Passed) if passed + 1 < thresholds.rise.get() => {
                (Checks::Failing { passed: passed + 1 }, Health::Unchanged)
            }
            (Checks::Failing { .. }, Check::Passed) => (Checks::default(), Health::CameBack),
        };
        self.checks = checks;
        health
    }

    /// One more bad answer of a backend that is trusted.
    fn counted(&mut self, now: Duration, ejection: Option<(Ejection, Room)>) -> Health {
        let Service::Trusted { bad } = &mut self.service else {
            return Health::Unchanged;
        };
        *bad = bad.saturating_add(1);
        match ejection {
            Some((ejection, Room::Free)) if *bad >= ejection.failures.get() => {
                self.failed(Why::BadAnswers, ejection.first, ejection.longest, now, now)
            }
            _ => Health::Unchanged,
        }
    }

    /// Goes away, or stays away for twice as long.
    ///
    /// Attempts begun before the last failure was noticed belong to it and do not count again.
    fn failed(
        &mut self,
        why: Why,
        first: Duration,
        longest: Duration,
        chosen_at: Duration,
        now: Duration,
    ) -> Health {
        let (failures, wait, health) = match self.service {
            Service::Away { failed_at, .. } if chosen_at < failed_at => return Health::Unchanged,
            Service::Away {
                why: before,
                failures,
                wait,
                ..
            } if before == why => {
                let wait = wait.saturating_mul(2).min(longest);
                (failures.saturating_add(1), wait, Health::Unchanged)
            }
            Service::Away { .. } => (1, first, Health::Unchanged),
            Service::Trusted { .. } => (1, first, Health::WentDown),
        };
        self.service = Service::Away {
            why,
            failures,
            failed_at: now,
            wait,
            until: now + wait,
        };
        health
    }
}

// === impl Checks ===

impl Default for Checks {
    fn default() -> Self {
        Self::Passing { failed: 0 }
    }
}

// === impl Service ===

impl Default for Service {
    fn default() -> Self {
        Self::Trusted { bad: 0 }
    }
}
