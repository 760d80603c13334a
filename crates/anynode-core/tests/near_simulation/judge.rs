//! Whether what clients were answered is what they were promised. It shares no code with the cache
//! and knows nothing of it: it compares answers with what happened.

use std::collections::HashMap;

use crate::{
    history::{History, Revocation, Value},
    plan::{At, Plan, Sort},
    shelf::{Id, SESSIONS, USERS},
};

/// The history, and what nodes and clients may hold the fleet to.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) history: History,
    deposed: At,
    expires: bool,
    nodes: Vec<Told>,
    /// The writes of which a client has seen the acknowledgement, and when.
    clients: HashMap<usize, Vec<(Id, At)>>,
}

/// What a node was told since it started.
#[derive(Clone, Debug, Default)]
struct Told {
    ended: [bool; SESSIONS],
    users: [Vec<Revocation>; USERS],
    /// The writes that it was acknowledged.
    acked: Vec<(usize, Id, At)>,
    /// When the store said that there is no such session.
    denied: [Option<At>; SESSIONS],
}

/// What a node did with a request.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) node: usize,
    pub(crate) client: usize,
    pub(crate) session: usize,
    pub(crate) secret: u64,
    /// When the client sent it, the node began with it, and the node was done.
    pub(crate) sent: At,
    pub(crate) arrived: At,
    pub(crate) decided: At,
    /// What was acknowledged before this, and before D, is in the answer.
    pub(crate) owed: At,
    /// Its secret was good then or later.
    pub(crate) good_at: At,
    /// Whether the companion cookie is all that promises the client to see its own writes.
    pub(crate) is_stale_ok: bool,
    pub(crate) outcome: Outcome,
    /// From where, for people.
    pub(crate) how: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the record that this write made.
    Accepted(Id),
    /// There is no such session, or the secret is wrong.
    Refused,
    /// The node knows that it was revoked.
    KnownDead,
}

/// What the error of clocks adds to the grace of a previous secret.
const GRACE_ERROR: At = 10_000;

/// How long the companion cookie lasts.
pub(crate) const COMPANION: At = 2_000_000;

// === impl Judge ===

impl Judge {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            history: History::default(),
            deposed: plan.deposed,
            expires: plan.odd == crate::plan::Odd::Expiring,
            nodes: vec![Told::default(); plan.nodes],
            clients: HashMap::new(),
        }
    }

    pub(crate) fn restarted(&mut self, node: usize) {
        self.nodes[node] = Told::default();
    }

    /// Notes that a fail-over lost these writes.
    pub(crate) fn forked(&mut self, lost: &[Id], is_of_part: impl Fn(usize) -> bool) {
        self.history.forked(lost, is_of_part);
        for node in &mut self.nodes {
            node.denied = [None; SESSIONS];
        }
    }

    /// Notes that a node remembers that this session was revoked.
    pub(crate) fn told(&mut self, node: usize, session: usize) {
        self.nodes[node].ended[session] = true;
    }

    /// Notes that a node remembers that a user's sessions were revoked.
    pub(crate) fn told_user(&mut self, node: usize, user: usize, moment: At) {
        let of = &self.history.users[user];
        let mut all = of.log.iter().chain(&of.lost);
        let told = &mut self.nodes[node].users[user];
        let Err(place) = told.binary_search_by_key(&moment, |one| one.moment) else {
            return;
        };
        if let Some(revocation) = all.find(|one| one.moment == moment) {
            told.insert(place, revocation.clone());
        }
    }

    /// Notes that a node was acknowledged a write.
    pub(crate) fn node_acked(&mut self, node: usize, session: usize, id: Id, now: At) {
        self.nodes[node].acked.push((session, id, now));
    }

    /// Notes that a client was.
    pub(crate) fn client_acked(&mut self, client: usize, id: Id, now: At) {
        self.clients.entry(client).or_default().push((id, now));
    }

    /// Notes that the store said that there is no such session.
    pub(crate) fn denied(&mut self, node: usize, session: usize, now: At) {
        self.nodes[node].denied[session].get_or_insert(now);
    }

    /// What is wrong with a decision, if anything is.
    pub(crate) fn judge(&self, decision: &Decision) -> Result<(), String> {
        match decision.outcome {
            Outcome::Accepted(id) => self.accepted(decision, id),
            Outcome::Refused => self.refused(decision),
            Outcome::KnownDead if self.history.ever_ended(decision.session) => Ok(()),
            Outcome::KnownDead => Err("a session that nobody revoked counts as revoked".into()),
        }
    }

    fn accepted(&self, decision: &Decision, id: Id) -> Result<(), String> {
        let Some(value) = self.history.value(id) else {
            return Err(format!("write {id} never happened"));
        };
        if value.session != decision.session {
            return Err("the record of another session".into());
        }
        self.is_fresh(decision, id, value)?;
        self.is_not_told(decision, value)?;
        self.has_own_writes(decision, id)?;
        // A node that has not heard of its end moves a copy on by touches that change nothing; for
        // how long it may not have heard is another check's.
        let is_unheard = self.history.now(decision.session).is_none();
        if !is_unheard && self.history.sessions[decision.session].until < decision.good_at {
            return Err("accepted after its end (I9)".into());
        }
        let is_good = |(secret, until): (u64, At)| {
            secret == decision.secret && decision.good_at <= until + self.deposed + GRACE_ERROR
        };
        if value.secret != decision.secret && !value.previous.is_some_and(is_good) {
            return Err("accepted with another secret".into());
        }
        Ok(())
    }

    /// I1: whatever was acknowledged long enough ago is in the answer.
    fn is_fresh(&self, decision: &Decision, id: Id, value: &Value) -> Result<(), String> {
        let (history, session) = (&self.history, decision.session);
        let owed = decision.owed.checked_sub(self.deposed);
        let is_owed = |acked: Option<At>| acked.is_some_and(|acked| Some(acked) < owed);
        let place = history.place(session, id);
        let later = &history.sessions[session].log[place..];
        if let Some(write) = later.iter().find(|write| is_owed(write.acked)) {
            let what = if write.is_end { "the end" } else { "a write" };
            return Err(format!(
                "{what} {} acknowledged at {:?} is missing from {id} (I1)",
                write.id, write.acked
            ));
        }
        let Some(user) = value.user else {
            return Ok(());
        };
        let mut log = history.users[user].log.iter();
        match log.find(|one| is_owed(one.acked) && one.kills(value)) {
            None => Ok(()),
            Some(one) => Err(format!(
                "revocation {} of the user acknowledged at {:?} is missing from {id} (I1)",
                one.id, one.acked
            )),
        }
    }

    /// I3: what a node was told or said itself stays so.
    fn is_not_told(&self, decision: &Decision, value: &Value) -> Result<(), String> {
        let told = &self.nodes[decision.node];
        if told.ended[decision.session] {
            return Err("accepted by a node that was told of its end (I3)".into());
        }
        if told.denied[decision.session].is_some_and(|at| at < decision.arrived) {
            return Err("accepted by a node that said it was dead (I3)".into());
        }
        let Some(user) = value.user else {
            return Ok(());
        };
        match told.users[user].iter().any(|one| one.kills(value)) {
            false => Ok(()),
            true => Err("accepted by a node that was told of its user's revocation (I3)".into()),
        }
    }

    /// I6: a node shows its own writes, and a client sees its own.
    fn has_own_writes(&self, decision: &Decision, id: Id) -> Result<(), String> {
        let session = decision.session;
        let place = self.history.place(session, id);
        let later = &self.history.sessions[session].log[place..];
        let is_later = |id: Id| later.iter().any(|write| write.id == id);
        let mut own = self.nodes[decision.node].acked.iter();
        let before = |at: At| at < decision.arrived;
        if own.any(|(of, id, at)| *of == session && before(*at) && is_later(*id)) {
            return Err("a node shows less than it wrote itself (I6)".into());
        }
        let shown = |at: At| {
            let lasts = !decision.is_stale_ok || decision.decided < at + COMPANION;
            lasts && at + self.deposed < decision.sent
        };
        let mut seen = self.clients.get(&decision.client).into_iter().flatten();
        if seen.any(|(id, at)| shown(*at) && is_later(*id)) {
            return Err("a client sees less than it wrote itself (I6)".into());
        }
        Ok(())
    }

    /// I8: whoever is logged in is not turned away.
    fn refused(&self, decision: &Decision) -> Result<(), String> {
        let (history, session) = (&self.history, decision.session);
        let Some((_, value)) = history.now(session) else {
            return Ok(());
        };
        if self.expires || history.ever_ended(session) {
            return Ok(());
        }
        let is_good = value.secret == decision.secret
            || value.previous.is_some_and(|(secret, until)| {
                let margin = self.deposed + GRACE_ERROR;
                secret == decision.secret && decision.decided + margin < until
            });
        let issued = |id: Id| {
            history
                .value(id)
                .is_some_and(|of| of.secret == decision.secret)
        };
        let mut log = history.sessions[session].log.iter();
        let since = log
            .find(|write| issued(write.id))
            .and_then(|write| write.acked);
        let was_good = since.is_some_and(|at| at + self.deposed < decision.arrived);
        match is_good && was_good {
            true => Err("a living session is refused with its secret (I8)".into()),
            false => Ok(()),
        }
    }

    /// At the end: whatever was revoked, and lost, and remembered by a node that is there, is
    /// revoked again.
    pub(crate) fn lost_for_good(&self, plan: &Plan) -> Result<u64, String> {
        let mut brought_back = 0;
        if plan.store == Sort::Linearizable {
            return Ok(0);
        }
        for told in &self.nodes {
            for session in (0..SESSIONS).filter(|session| told.ended[*session]) {
                let of = &self.history.sessions[session];
                let has_ended = of.log.iter().any(|write| write.is_end);
                if !has_ended {
                    return Err(format!(
                        "the end of session {session} is lost for good (R2)"
                    ));
                }
                brought_back += u64::from(of.has_lost);
            }
            for user in 0..USERS {
                let of = &self.history.users[user];
                let mut alive = (0..SESSIONS).filter_map(|session| self.history.now(session));
                let is_his = |value: &Value| value.user == Some(user);
                let ended = |value| told.users[user].iter().any(|one| one.kills(value));
                if alive.any(|(_, value)| is_his(value) && ended(value)) {
                    return Err("the revocation of a user is lost for good (R2)".into());
                }
                brought_back += u64::try_from(of.lost.len()).unwrap();
            }
        }
        Ok(brought_back)
    }
}
