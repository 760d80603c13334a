//! Calls that are led back to a primary that was deposed, while the channel follows the new one.

use std::sync::Arc;

use anynode::NearCache;
use anynode::store::open;
use anynode_core::near::Condition;
use anynode_core::{Draft, Freshness, Handle, Origin, Replace, Store, Wanted, WriteId};
use anynode_lab::server::{Server, Setup};

use crate::meter::Meter;
use crate::pair::{Pair, address};
use crate::scene::{PATIENCE, created, draft, eventually};
use crate::switch::Way;

/// How often it is tried on a machine that may stand still.
const ROUNDS_MAX: u8 = 5;

/// The old primary still answers, as one does that has not been told yet, and of what the new one
/// writes nobody tells it. A node kept its answer, and gave it for a minute after it had found
/// back.
#[tokio::test]
async fn what_a_deposed_primary_answers_is_not_kept() {
    let meter = Meter::default();
    let _guard = meter.install();
    let pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("r0").await;
    let first = draft();
    created(&node, &first).await;
    pair.in_step().await;
    let (old, new) = (&pair.primary, &pair.replicas[0].server);
    new.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    pair.front().turn(Way::To(address(new)));
    let near = Arc::new(NearCache::from_arc(node.clone()));
    let is_trusted = || async { near.condition() == Condition::Trusted };
    eventually("the new one is followed", is_trusted).await;
    assert_eq!(origin(&node, &first.handle).await, Some(Origin::Followed));

    let there = open(&format!("redis://{}/", address(new))).await.unwrap();
    let mut last = first.clone();
    for round in 0..ROUNDS_MAX {
        let next = written(&last, round + 10);
        let replaced = there.replace(&last.version, &next).await.unwrap();
        assert!(matches!(replaced, Replace::Replaced(_)));
        near.caught_up(PATIENCE).await.unwrap();
        last = next;
        pair.front().lead(address(old));
        end(new, Clients::Calls).await;
        eventually("calls are led to the old one", || async {
            let is_elsewhere = origin(&node, &first.handle).await == Some(Origin::Elsewhere);
            is_elsewhere || !is_followed(new).await
        })
        .await;
        let read = near.load_for(&wanted(&near, &first)).await;
        let wrote = near.replace(&first.version, &written(&first, 3)).await;
        let (copies, is_told) = (near.copies(), is_followed(new).await);
        pair.front().lead(address(new));
        end(old, Clients::All).await;
        eventually("what the new one answers is kept", || async {
            let found = near.load_for(&wanted(&near, &first)).await;
            found.is_ok_and(|found| found.live.unwrap().record.version == last.version)
                && near.copies() == 1
        })
        .await;
        // The channel was lost as well, and went the same way: the machine stood still.
        if !is_told {
            continue;
        }
        let read = read.unwrap().live.unwrap().record.version;
        assert_ne!(read, last.version, "what the old one has");
        assert!(wrote.is_ok(), "in round {round}: {wrote:?}");
        assert_eq!(copies, 0);
        // Whoever wonders why a store is asked so often is told.
        let refused = meter.count_of("anynode_near_fills_refused_total", "elsewhere");
        assert!(refused >= 1, "{refused}");
        return;
    }
    panic!("the machine is too slow to tell");
}

fn written(first: &Draft, id: u8) -> Draft {
    Draft {
        version: first.version.next(WriteId::from_bytes([id; 8])),
        ..first.clone()
    }
}

async fn origin(node: &Arc<dyn Store>, handle: &Handle) -> Option<Origin> {
    let live = node.load(handle).await.ok()?;
    live.map(|live| live.origin)
}

fn wanted(near: &NearCache, draft: &Draft) -> Wanted {
    Wanted::new(draft.handle, Freshness::Bounded, near.now())
}

/// Whose connections are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// Of all but channels.
    Calls,
    All,
}

/// Ends connections to a server, as a fault on the way may.
pub(crate) async fn end(server: &Server, clients: Clients) {
    let listed = server.command(&["CLIENT", "LIST"]).await.unwrap();
    let is_call = |client: &&str| client.contains(" flags=N ");
    for client in listed
        .lines()
        .filter(|it| clients == Clients::All || is_call(it))
    {
        let id = client.split([' ', '=']).nth(1).unwrap();
        // That of the listing itself has ended already.
        let _ = server.command(&["CLIENT", "KILL", "ID", id]).await;
    }
}

/// Whether a channel follows it.
async fn is_followed(server: &Server) -> bool {
    let listed = server.command(&["CLIENT", "LIST"]).await.unwrap();
    let mut flags = listed.lines().filter_map(|line| line.split_once(" flags="));
    flags.any(|(_, rest)| {
        rest.split(' ')
            .next()
            .is_some_and(|flags| flags.contains('B'))
    })
}
