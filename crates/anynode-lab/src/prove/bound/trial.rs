//! Sessions that end: how they begin, and who ends them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Client, Opened};
use super::hand::Hand;
use super::round::Round;
use super::watcher::{Asking, Copies, Stage, Watcher, hold, until};
use crate::clock::boot_time;
use crate::history::{Ask, End, EndKind, Witnessed};

/// How many times a login is tried, and the time from one to the next.
const LOGINS_MAX: u32 = 60;
const LOGIN_AGAIN: Duration = Duration::from_millis(500);

/// For how long a revocation is asked for that is not acknowledged, and how often.
const GIVE_UP: Duration = Duration::from_secs(25);
const AGAIN: Duration = Duration::from_millis(250);

/// Some sessions of one user, and their end.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// No other has it.
    pub(super) number: u32,
    pub(super) kind: EndKind,
    /// The node that is asked to end them.
    pub(super) by: usize,
    /// When that is, from the begin of the round.
    pub(super) at: Duration,
    /// A node that has not heard of them until then.
    pub(super) cold: Option<usize>,
    pub(super) asking: Asking,
    pub(super) seed: u64,
}

/// The same, with copies of the sessions on the nodes.
pub(super) struct Held {
    pub(super) trial: Trial,
    pub(super) sessions: Vec<Opened>,
    pub(super) clients: Vec<Client>,
    pub(super) asks: Vec<Ask>,
}

// === impl Trial ===

impl Trial {
    /// Begins the sessions, and asks every node for them until it holds copies.
    ///
    /// # Errors
    /// When a node does neither in time.
    pub(super) async fn open(self, nodes: &[SocketAddr]) -> Result<Held, Error> {
        let mut clients: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(node, address)| Client::new(node, *address))
            .collect();
        let user = format!("u{}", self.number);
        let mut sessions = Vec::new();
        for number in 0..self.kind.sessions() {
            let client = clients.get_mut(self.by).context("there is no such node")?;
            let number = 2 * self.number + number;
            sessions.push(log_in(client, &user, number).await?);
        }
        let mut asks = Vec::new();
        for client in clients
            .iter_mut()
            .filter(|client| self.cold != Some(client.node))
        {
            for session in &sessions {
                asks.extend(hold(client, session).await?);
            }
        }
        Ok(Held {
            trial: self,
            sessions,
            clients,
            asks,
        })
    }

    /// The node that is asked to end the sessions, if one is.
    fn end_is_asked_of(&self) -> Option<u8> {
        let node = u8::try_from(self.by).ok();
        node.filter(|_| self.kind != EndKind::ByHand)
    }
}

async fn log_in(client: &mut Client, user: &str, number: u32) -> Result<Opened, Error> {
    let mut tries = 1;
    loop {
        match client.log_in(user, number).await {
            Ok(session) => return Ok(session),
            Err(error) if tries == LOGINS_MAX => return Err(error.context("nobody can log in")),
            Err(_) => tries += 1,
        }
        sleep(LOGIN_AGAIN).await;
    }
}

// === impl EndKind ===

impl EndKind {
    /// How many sessions a user has for it.
    fn sessions(self) -> u32 {
        match self {
            Self::Session | Self::ByHand => 1,
            Self::User | Self::UserButOne => 2,
        }
    }

    /// What the first session of the user asks for.
    fn path(self) -> &'static str {
        match self {
            Self::Session | Self::ByHand => "/logout",
            Self::User => "/logout-everywhere",
            Self::UserButOne => "/logout-elsewhere",
        }
    }
}

// === impl Held ===

impl Held {
    /// Ends them while all nodes are asked for them.
    pub(super) async fn pass(mut self, round: Arc<Round>, hand: Hand) -> Result<Witnessed, Error> {
        let trial = &self.trial;
        let (say, stage) = watch::channel(Stage::Due);
        let spared = (trial.kind == EndKind::UserButOne).then(|| self.sessions[0].clone());
        let ending = &self.sessions[usize::from(spared.is_some())..];
        let due = round.begin + trial.at;
        let mut watching = JoinSet::new();
        for client in self.clients.drain(..) {
            let copies = match trial.cold == Some(client.node) {
                true => Copies::None,
                false => Copies::Held,
            };
            let seed = trial.seed.wrapping_add(u64::from(trial.number) << 8);
            let seed = seed.wrapping_add(u64::try_from(client.node)?);
            let watcher = Watcher {
                rng: fastrand::Rng::with_seed(seed),
                client,
                ending: ending.to_vec(),
                spared: spared.clone(),
                copies,
                asking: trial.asking,
                due,
                stage: stage.clone(),
                round: round.clone(),
                asks: Vec::new(),
            };
            watching.spawn(watcher.watch());
        }
        until(due).await;
        let asked = boot_time();
        say.send_replace(Stage::Asked);
        let acknowledged = end(trial, &self.sessions[0], &round, &hand, asked).await;
        say.send_replace(acknowledged.map_or(Stage::GivenUp, Stage::Acknowledged));
        let mut witnessed = Witnessed {
            asks: self.asks,
            ends: vec![End {
                kind: trial.kind,
                sessions: ending.iter().map(|session| session.number).collect(),
                by: trial.end_is_asked_of(),
                spared: spared.map(|session| session.number),
                asked,
                acknowledged,
            }],
            ..Witnessed::default()
        };
        drop(hand);
        while let Some(asks) = watching.join_next().await {
            witnessed.asks.extend(asks?);
        }
        Ok(witnessed)
    }
}

/// Ends sessions; when that was acknowledged, if it was.
pub(super) async fn end(
    trial: &Trial,
    session: &Opened,
    round: &Round,
    hand: &Hand,
    asked: Duration,
) -> Option<Duration> {
    let mut client = Client::new(trial.by, round.nodes[trial.by]);
    loop {
        let ended = match trial.kind {
            EndKind::ByHand => hand.remove(session.handle).await,
            kind => client.end(session, kind.path()).await,
        };
        let now = boot_time();
        if ended.is_ok() {
            return Some(now);
        }
        if now > asked + GIVE_UP {
            return None;
        }
        sleep(AGAIN).await;
    }
}
