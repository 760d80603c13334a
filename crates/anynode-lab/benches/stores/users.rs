//! `list` and `revoke` of one user among very many sessions and among few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anynode_core::{Cause, Page, Revoke, Store};

use crate::arguments::{Arguments, Backend};
use crate::contest::{Rate, SLICE, Side, contest, shown};
use crate::fill::{self, OF_EACH_USER};
use crate::gauge::Place;
use crate::session::{self, IDLE};

/// How many sessions are few.
const FEW: u32 = 10_000;

/// How many users a turn logs out.
const REVOKED_IN_A_TURN: u32 = 20;

/// For more there are not users enough to log out.
const ROUNDS_MAX: usize = 19;

/// How many times as long it may take among very many.
const TIMES_MAX: f64 = 1.3;

/// A store, and how many sessions it was filled with.
struct Filled {
    store: Arc<dyn Store>,
    users: u32,
    /// Users below this were logged out.
    revoked: AtomicU32,
}

pub(crate) async fn run(arguments: &Arguments) {
    let many = arguments.sessions.max(FEW);
    let rounds = arguments.rounds.min(ROUNDS_MAX);
    println!(
        "\n# One user of {OF_EACH_USER} sessions among {many} and among {FEW}\n\n\
         One operation at a time, {rounds} turns. How many times as long it takes among very many: \
         median of the\nratios within a round with its 95 % interval; at most {TIMES_MAX}. \
         Filled through `create` ({} at once), PostgreSQL by\ncopying a row that `create` \
         made; then vacuumed and analyzed, as autovacuum does.\n",
        fill::IN_FLIGHT
    );
    println!(
        "| store | verb | per second, few | per second, many | times as long | bytes of a session \
         among many |\n|---|---|--:|--:|--:|--:|"
    );
    for backend in &arguments.stores {
        compare(*backend, many, rounds).await;
    }
}

async fn compare(backend: Backend, many: u32, rounds: usize) {
    let place = Place::start(backend).await;
    let few = fill(&place, "few.db", FEW).await.0;
    let (many, bytes) = fill(&place, "many.db", many).await;
    for (verb, turn) in [("list", list as Turn), ("revoke", revoke as Turn)] {
        let sides: [Side<'_>; 2] = [Box::new(|_| turn(&few)), Box::new(|_| turn(&many))];
        let rates = contest(&sides, 1, rounds).await;
        let times = rates[0].over(&rates[1]);
        println!(
            "| {} | {verb} | {:.0} | {:.0} | {}{} | {bytes:.0} |",
            backend.name(),
            rates[0].median(),
            rates[1].median(),
            shown(&times),
            if times.median > TIMES_MAX {
                " missed"
            } else {
                ""
            },
        );
    }
}

/// Fills a store, and says what each session takes.
async fn fill(place: &Place, name: &str, sessions: u32) -> (Filled, f64) {
    let url = place.fresh_url(name);
    let store = anynode::store::open(&url).await.unwrap();
    let empty = place.in_use(&url).await;
    let begun = Instant::now();
    match place {
        Place::Server(Backend::Postgres, server) => {
            let schema = crate::gauge::schema(&url);
            fill::copy(server, schema, &store, sessions, IDLE).await;
        }
        _ => fill::create(&store, sessions, |number| fill::of_a_user(number, IDLE)).await,
    }
    eprintln!("filled with {sessions} sessions in {:.0?}", begun.elapsed());
    let bytes = (place.in_use(&url).await - empty) / f64::from(sessions);
    let filled = Filled {
        store,
        users: sessions / OF_EACH_USER,
        revoked: AtomicU32::new(0),
    };
    (filled, bytes)
}

type Turn = for<'a> fn(&'a Filled) -> Rate<'a>;

/// Lists the sessions of users who were not logged out, one after another.
fn list(filled: &Filled) -> Rate<'_> {
    Box::pin(async move {
        let begun = Instant::now();
        let mut done = 0;
        while begun.elapsed() < SLICE {
            // The last hundred are never logged out; spread, so that no page is at hand.
            let user = session::user(filled.users - 1 - done * 37 % 100);
            let page = filled.store.list(&user, &Page::FIRST).await.unwrap();
            let expected = usize::try_from(OF_EACH_USER).unwrap();
            assert_eq!(page.sessions.len(), expected, "all sessions of the user");
            done += 1;
        }
        f64::from(done) / begun.elapsed().as_secs_f64()
    })
}

/// Logs out users, each once and everywhere.
fn revoke(filled: &Filled) -> Rate<'_> {
    Box::pin(async move {
        let begun = Instant::now();
        for _ in 0..REVOKED_IN_A_TURN {
            let user = filled.revoked.fetch_add(1, Ordering::Relaxed);
            assert!(user < filled.users - 100, "there are users left");
            let revoke = Revoke::user(session::user(user), Cause::User);
            filled.store.revoke(&revoke).await.unwrap();
        }
        f64::from(REVOKED_IN_A_TURN) / begun.elapsed().as_secs_f64()
    })
}
