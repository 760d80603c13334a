//! `load` and `replace` beside the bare driver, plain reads and writes, and tower-sessions.

mod capture;
mod driver;
mod ours;
mod postgres;
mod redis;

use std::sync::Arc;

use anynode_lab::server::{Kind, Server};

use self::capture::Captured;
use self::driver::Driver;
use self::ours::Ours;
use self::postgres::Clients;
use self::redis::Connection;
use crate::arguments::{Arguments, Backend};
use crate::contest::{Rate, Side, contest, repeat, shown};
use crate::peers::Peer;
use crate::relay::{Protocol, Relay, Unread};

/// How many sessions the operations go round.
const SESSIONS: usize = 4_096;

const IN_FLIGHT: [usize; 3] = [1, 16, 64];

/// What a ratio to the bare driver may not fall below.
const BARE_MIN: f64 = 0.9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Load,
    Replace,
}

pub(crate) async fn run(arguments: &Arguments) {
    println!(
        "\n# load and replace\n\n\
         Operations per second, median of {} turns, of {SESSIONS} sessions of 500 bytes; and how \
         many times as\nmany as the bare driver sending the very same command, as a plain read \
         or write of as many bytes by\nprimary key, and as tower-sessions' store (in a process \
         of its own, without a ping before each use of\na connection): medians of ratios within \
         a round with their 95 % interval. The servers do not wait for a disk.\n",
        arguments.rounds
    );
    for backend in arguments.servers() {
        let short = match backend {
            Backend::Redis => compare::<Connection>(backend, Kind::Redis, arguments).await,
            _ => compare::<Clients>(backend, Kind::Postgres, arguments).await,
        };
        let of = 2 * IN_FLIGHT.len();
        println!(
            "\n{}: {} of {of} ratios to the bare driver are at least {BARE_MIN}\n",
            backend.name(),
            of - short
        );
    }
}

/// Compares on one server, and counts the ratios below the bar.
async fn compare<D: Driver>(backend: Backend, kind: Kind, arguments: &Arguments) -> usize {
    let server = Server::start(kind).await.unwrap();
    let url = server.fresh_url();
    let ours = Arc::new(Ours::fill(&url).await);
    let captured = Arc::new(capture::capture::<D::Protocol>(&server, &url, &ours).await);
    let driver = Arc::new(D::connect(&server, &url, &captured).await);
    let peer = Peer::start(backend.name(), &server.url()).await;
    tell_round_trips(backend, &server, &captured).await;
    println!("| store | verb | in flight | per second | bare driver | plain | tower-sessions |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    let mut short = 0;
    for verb in [Verb::Load, Verb::Replace] {
        for in_flight in IN_FLIGHT {
            let sides = sides(verb, &ours, &captured, &driver, &peer);
            let rates = contest(&sides, in_flight, arguments.rounds).await;
            ours.check().await;
            let ratios: Vec<_> = rates[1..].iter().map(|it| rates[0].over(it)).collect();
            short += usize::from(ratios[0].median < BARE_MIN);
            let shown: Vec<_> = ratios.iter().map(shown).collect();
            println!(
                "| {} | {verb:?} | {in_flight} | {:.0} | {} |",
                backend.name(),
                rates[0].median(),
                shown.join(" | ")
            );
        }
    }
    short
}

/// Ours, the bare driver, plain commands, and tower-sessions.
fn sides<'a, D: Driver>(
    verb: Verb,
    ours: &Arc<Ours>,
    captured: &Arc<Captured<D::Protocol>>,
    driver: &Arc<D>,
    peer: &'a Peer,
) -> [Side<'a>; 4] {
    let ours_again = ours.clone();
    let anynode = move |in_flight| -> Rate<'a> {
        let ours = ours_again.clone();
        Box::pin(repeat(in_flight, SESSIONS, move |_, session| {
            let ours = ours.clone();
            async move { ours.perform(verb, session).await }
        }))
    };
    let (ours, captured, sending) = (ours.clone(), captured.clone(), driver.clone());
    let bare = move |in_flight| -> Rate<'a> {
        let (ours, captured, driver) = (ours.clone(), captured.clone(), sending.clone());
        Box::pin(repeat(in_flight, SESSIONS, move |task, session| {
            let (ours, captured, driver) = (ours.clone(), captured.clone(), driver.clone());
            async move {
                let turned = ours.turned(session);
                let message = captured.message(verb, session, turned);
                driver.send(verb, task, message).await;
                if verb == Verb::Replace {
                    ours.turn(session);
                }
            }
        }))
    };
    let driver = driver.clone();
    let plain = move |in_flight| -> Rate<'a> {
        let driver = driver.clone();
        Box::pin(repeat(in_flight, SESSIONS, move |task, session| {
            let driver = driver.clone();
            async move { driver.plain(verb, task, session).await }
        }))
    };
    [
        Box::new(anynode),
        Box::new(bare),
        Box::new(plain),
        Box::new(move |in_flight| peer.turn(verb, in_flight)),
    ]
}

async fn tell_round_trips<P: Protocol>(backend: Backend, server: &Server, ours: &Captured<P>) {
    let upstream = server.addresses()[0];
    let relay = Relay::<Unread>::start(upstream).await;
    let peer = Peer::start(backend.name(), &relay.url(&server.url(), upstream)).await;
    let mut theirs = [0.0; 2];
    for (verb, theirs) in [Verb::Load, Verb::Replace].into_iter().zip(&mut theirs) {
        let before = relay.turns();
        let done = peer.count(verb).await;
        #[allow(clippy::cast_precision_loss, reason = "some thousands")]
        let turns = (relay.turns() - before) as f64;
        *theirs = turns / done;
    }
    let [load, replace] = ours.round_trips();
    println!(
        "{}: round trips, counted in front of the server: load {load:.2}, replace {replace:.2}; \
         tower-sessions load {:.2}, save {:.2}.\nThe store and the bare driver each use {} \
         connections for loads and {} for writes.\n",
        backend.name(),
        theirs[0],
        theirs[1],
        ours.connections(Verb::Load),
        ours.connections(Verb::Replace),
    );
}
