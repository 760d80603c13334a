//! The clients: each with a cookie, and a wish.

use std::time::Duration;

use anynode_core::{Device, Draft, Kind, Live, Moment, Version, near::Freshness};

use crate::{
    judge::COMPANION,
    plan::{At, MILLI},
    record::{ABSOLUTE, first, payload, secret, secret_of},
    shelf::{Id, SESSIONS, handle},
    verb::Verb,
    world::{Due, World},
};

/// One browser, and the session that its cookie names.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: usize,
    secret: u64,
    /// The companion cookie, and when it came.
    seen: Option<(Version, At)>,
    is_out: bool,
}

/// A request on its way through a node.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) client: usize,
    pub(crate) session: usize,
    pub(crate) secret: u64,
    pub(crate) seen: Option<Version>,
    pub(crate) freshness: Freshness,
    pub(crate) wish: Wish,
    pub(crate) sent: At,
    pub(crate) arrived: At,
    pub(crate) tries: u8,
    pub(crate) rebases: u8,
    /// Whether it comes when everything is well, and has to be answered.
    pub(crate) is_audit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Read,
    Change,
    Rotate,
    LogIn,
    Revoke,
    RevokeUser,
    RevokeOthers,
}

/// How many browsers there are, and about how long each waits between requests.
pub(crate) const CLIENTS: usize = 4;
const PAUSE: At = 900 * MILLI;

/// Of so many wishes; the first is by far the most frequent.
const WISHES: &[Wish] = &[
    Wish::Change,
    Wish::Change,
    Wish::Change,
    Wish::Rotate,
    Wish::LogIn,
    Wish::LogIn,
    Wish::Revoke,
    Wish::RevokeUser,
    Wish::RevokeOthers,
];

// === impl World ===

impl World {
    /// Everybody has a session, half of them bound, and asks from now on.
    pub(crate) fn begin_clients(&mut self) {
        for client in 0..CLIENTS {
            self.create(client, client);
            let is_bound = self.draws.one_in(2);
            if is_bound {
                self.log_in_at_once(client);
            }
            let first = self.draws.below(PAUSE);
            self.after(first, Due::Client(client));
        }
    }

    /// The session is there, everywhere, before anything happens.
    fn create(&mut self, client: usize, session: usize) {
        let (id, now) = (self.id(), self.now);
        let draft = Draft {
            handle: handle(session),
            kind: Kind::Session,
            secret: secret(id),
            secret_since: Moment::NOW,
            previous: None,
            version: first(id),
            user: None,
            created_at: Moment::NOW,
            authenticated_at: None,
            idle_timeout: self.plan.idle(),
            deadline: Moment::After(ABSOLUTE),
            payload: payload(0),
            device: Device::default(),
        };
        let part = self.plan.part_of(session);
        let term = self.parts[part].term();
        self.perform(part, term, Verb::Create(draft), None);
        let made = Client {
            session,
            secret: id,
            seen: None,
            is_out: false,
        };
        self.tell(|_| format!("c{client} has session {session} since {now}"));
        match self.clients.get_mut(client) {
            Some(old) => *old = made,
            None => self.clients.push(made),
        }
    }

    fn log_in_at_once(&mut self, client: usize) {
        let node = self.draws.index(self.nodes.len());
        let request = self.request(client, Wish::LogIn);
        self.after(MILLI, Due::Request(node, request));
    }

    pub(crate) fn request(&mut self, client: usize, wish: Wish) -> Request {
        let now = self.now;
        let stale = Duration::from_millis(self.draws.between(200, 1_500));
        let of = &self.clients[client];
        let classes = [
            Freshness::Bounded,
            Freshness::Bounded,
            Freshness::Bounded,
            Freshness::Bounded,
            Freshness::Strict,
            Freshness::StaleOk(stale),
        ];
        let seen = of.seen.filter(|(_, since)| now < since + COMPANION);
        Request {
            client,
            session: of.session,
            secret: of.secret,
            seen: seen.map(|(version, _)| version),
            freshness: self.draws.one_of(&classes),
            wish,
            sent: now,
            arrived: now,
            tries: 0,
            rebases: 0,
            is_audit: false,
        }
    }

    /// A client sends a request, or several at once.
    pub(crate) fn client_asks(&mut self, client: usize) {
        if self.now >= self.plan.well {
            return;
        }
        let node = self.draws.index(self.nodes.len());
        let wish = match self.draws.one_in(4) {
            true => self.draws.one_of(WISHES),
            false => Wish::Read,
        };
        let request = self.request(client, wish);
        let at = self.way();
        self.after(at, Due::Request(node, request));
        if self.draws.one_in(4) {
            for _ in 0..self.draws.between(1, 3) {
                let (at, request) = (self.way(), self.request(client, Wish::Read));
                self.after(at, Due::Request(node, request));
            }
        }
        let pause = self.draws.below(PAUSE) + 1;
        self.after(pause, Due::Client(client));
        self.begin_anew(client);
    }

    /// Whoever is out comes back with a new session; the old cookie may still be tried before.
    fn begin_anew(&mut self, client: usize) {
        let session = self.clients[client].session + CLIENTS;
        if self.clients[client].is_out && session < SESSIONS && self.draws.one_in(3) {
            self.create(client, session);
        }
    }

    /// A client has a response with a cookie; some are lost.
    pub(crate) fn client_hears(&mut self, node: usize, request: &Request, live: &Live, id: Id) {
        if self.draws.one_in(30) {
            return;
        }
        let client = &mut self.clients[request.client];
        if client.session != request.session {
            return;
        }
        if secret_of(&live.record.secret) == id {
            client.secret = id;
        }
        let version = live.record.version;
        if client
            .seen
            .is_none_or(|(seen, _)| seen.counter <= version.counter)
        {
            client.seen = Some((version, self.now));
        }
        self.judge.client_acked(request.client, id, self.now);
        self.follow_up(request.client, node);
    }

    /// After a change the client is sent on to another page, which any node may serve.
    pub(crate) fn follow_up(&mut self, client: usize, node: usize) {
        if self.now < self.plan.well && !self.draws.one_in(3) {
            let other = self.draws.index(self.nodes.len());
            let node = self.draws.one_of(&[node, other]);
            let (at, request) = (self.way(), self.request(client, Wish::Read));
            self.after(at, Due::Request(node, request));
        }
    }

    pub(crate) fn learns_of_end(&mut self, request: &Request) {
        let client = &mut self.clients[request.client];
        if client.session == request.session && client.secret == request.secret {
            client.is_out = true;
        }
    }
}
