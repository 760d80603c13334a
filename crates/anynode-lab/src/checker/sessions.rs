//! The lives of sessions: what began, was used, was ended, and what was lost before that.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::{Call, Incident, Kind, What};

/// One session as its user saw it.
#[derive(Debug)]
pub(super) struct Life<'a> {
    pub(super) user: u32,
    pub(super) session: u32,
    /// The login that began it; its user knows that it did.
    pub(super) login: &'a Call,
    /// What was done under it, the login excepted, by the time of the invocation.
    pub(super) calls: Vec<&'a Call>,
    /// When somebody began to end it.
    pub(super) end_asked: Option<Duration>,
    /// When somebody was told that it had been ended, and when that was asked for.
    pub(super) end_known: Option<End>,
}

/// The end of a session that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    pub(super) known: Duration,
    pub(super) asked: Duration,
}

/// What became of sessions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sessions {
    /// Sessions that were begun.
    pub begun: usize,
    /// Those that a fault could have lost: begun before it, and not asked to end before it was
    /// over.
    pub at_stake: usize,
    /// Those that a fault could have lost and that would have been seen: begun before it, and
    /// used after it by a call whose answer tells whether the session is there.
    pub exposed: usize,
    /// Sessions that were refused although nobody had ended them, each counted once.
    pub lost: Vec<Loss>,
    /// Sessions that were answered by more than one node.
    pub moved: usize,
}

/// A session that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Whose it was.
    pub user: u32,
    /// Its number.
    pub session: u32,
    /// When its user knew that it had begun. Boot clock.
    pub begun: Duration,
    /// When its user learned that it was lost. Boot clock.
    pub at: Duration,
}

/// Gathers the calls of each session that was begun for sure.
pub(super) fn lives_of(calls: &[Call]) -> Vec<Life<'_>> {
    let mut lives = BTreeMap::new();
    for login in calls.iter().filter(|call| call.kind == Kind::Login) {
        if login.is_accepted() {
            let (user, session) = (login.user, login.session);
            lives.insert(
                (user, session),
                Life {
                    user,
                    session,
                    login,
                    calls: Vec::new(),
                    end_asked: None,
                    end_known: None,
                },
            );
        }
    }
    for call in calls.iter().filter(|call| call.kind != Kind::Login) {
        if let Some(life) = lives.get_mut(&(call.user, call.session)) {
            life.calls.push(call);
        }
    }
    for call in calls
        .iter()
        .filter(|call| call.revokes() && call.may_be_done())
    {
        let all_of_user = (call.user, 0)..=(call.user, u32::MAX);
        let one = (call.user, call.session)..=(call.user, call.session);
        let range = match call.kind {
            Kind::LogoutEverywhere => all_of_user,
            _ => one,
        };
        for (_, life) in lives.range_mut(range) {
            life.hear_of_end(call);
        }
    }
    let mut lives: Vec<_> = lives.into_values().collect();
    for life in &mut lives {
        life.calls.sort_by_key(|call| call.invoked);
    }
    lives
}

pub(super) fn check(lives: &[Life<'_>], incidents: &[Incident]) -> Sessions {
    let faults: Vec<&Incident> = incidents
        .iter()
        .filter(|incident| is_fault(&incident.what))
        .collect();
    Sessions {
        begun: lives.len(),
        at_stake: lives
            .iter()
            .filter(|life| life.is_at_stake(&faults))
            .count(),
        exposed: lives.iter().filter(|life| life.is_exposed(&faults)).count(),
        lost: lives.iter().filter_map(Life::loss).collect(),
        moved: lives.iter().filter(|life| life.has_moved()).count(),
    }
}

fn is_fault(what: &What) -> bool {
    match what {
        What::Crash { .. }
        | What::Pause { .. }
        | What::Deploy
        | What::Scale { .. }
        | What::Fault { .. } => true,
        What::Steady | What::ChangeAddresses | What::Revoke { .. } => false,
    }
}

// === impl Life ===

impl Life<'_> {
    fn hear_of_end(&mut self, call: &Call) {
        if self.login.invoked >= call.ended {
            return;
        }
        let asked = self.end_asked.get_or_insert(call.invoked);
        *asked = (*asked).min(call.invoked);
        // A login at the same time may have come after it.
        if call.is_accepted() && self.login.ended <= call.invoked {
            let end = End {
                known: call.ended,
                asked: call.invoked,
            };
            let known = self.end_known.get_or_insert(end);
            *known = (*known).min(end);
        }
    }

    /// The first refusal that came before anybody began to end it.
    pub(super) fn loss(&self) -> Option<Loss> {
        let nobody_ended_it =
            |call: &&&Call| self.end_asked.is_none_or(|asked| call.ended <= asked);
        let refusals = self.calls.iter().filter(|call| call.is_refused());
        let first = refusals
            .filter(nobody_ended_it)
            .map(|call| call.ended)
            .min()?;
        Some(Loss {
            user: self.user,
            session: self.session,
            begun: self.login.ended,
            at: first,
        })
    }

    fn is_at_stake(&self, faults: &[&Incident]) -> bool {
        let until = self.end_asked.unwrap_or(Duration::MAX);
        let mut faults = faults.iter();
        faults.any(|fault| self.login.ended <= fault.begun && fault.ended <= until)
    }

    fn is_exposed(&self, faults: &[&Incident]) -> bool {
        let until = self.end_asked.unwrap_or(Duration::MAX);
        // A logout is answered alike whether there is a session or not.
        let tells = |call: &&&Call| {
            let is_answered = call.is_accepted() || call.is_refused();
            is_answered && !call.revokes() && call.ended <= until
        };
        let telling = self.calls.iter().filter(tells);
        let Some(last) = telling.map(|call| call.invoked).max() else {
            return false;
        };
        let mut while_it_lived = faults
            .iter()
            .filter(|fault| self.login.ended <= fault.begun);
        while_it_lived.any(|fault| fault.ended <= last)
    }

    fn has_moved(&self) -> bool {
        let accepted = self.calls.iter().filter(|call| call.is_accepted());
        let mut nodes = accepted.filter_map(|call| call.node.as_deref());
        let first = self.login.node.as_deref().or_else(|| nodes.next());
        nodes.any(|node| Some(node) != first)
    }
}
