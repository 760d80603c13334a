//! Calls that are led back to a primary that was deposed, while the channel follows the new one.

use std::sync::Arc;

use anynode::NearCache;
use anynode::store::open;
use anynode_core::near::Condition;
use anynode_core::{Draft, Freshness, Handle, Origin, Replace, Store, Wanted, WriteId};
use anynode_lab::server::{Server, Setup};

use crate::pair::{Pair, address};
use crate::scene::{created, draft, eventually};
use crate::switch::Way;

/// The old primary still answers, as one does that has not been told yet, and of what the new one
/// writes nobody tells it. A node kept its answer, and gave it for a minute after it had found
/// back.
#[tokio::test]
async fn what_a_deposed_primary_answers_is_not_kept() {
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

    pair.front().lead(address(old));
    end_calls(new).await;
    let is_elsewhere = || async { origin(&node, &first.handle).await == Some(Origin::Elsewhere) };
    eventually("calls are led to the old one", is_elsewhere).await;
    let second = written(&first, 2);
    let there = open(&format!("redis://{}/", address(new))).await.unwrap();
    let replaced = there.replace(&first.version, &second).await.unwrap();
    assert!(matches!(replaced, Replace::Replaced(_)));
    near.caught_up(crate::scene::PATIENCE).await.unwrap();
    let found = near.load_for(&wanted(&near, &first)).await.unwrap();
    let found = found.live.unwrap();
    assert_eq!(found.record.version, first.version, "what the old one has");
    assert_eq!(near.copies(), 0);
    let own = near.replace(&first.version, &written(&first, 3)).await;
    assert!(matches!(own, Ok(Replace::Replaced(_))), "{own:?}");
    assert_eq!(near.copies(), 0);

    pair.front().lead(address(new));
    end_calls(old).await;
    eventually("what the new one answers is kept", || async {
        let version = near.load_for(&wanted(&near, &first)).await;
        version.is_ok_and(|found| found.live.unwrap().record.version == second.version)
            && near.copies() == 1
    })
    .await;
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

/// Ends all connections to a server but those of channels, as a fault on the way may.
async fn end_calls(server: &Server) {
    let clients = server.command(&["CLIENT", "LIST"]).await.unwrap();
    for client in clients
        .lines()
        .filter(|client| client.contains(" flags=N "))
    {
        let id = client.split([' ', '=']).nth(1).unwrap();
        // That of the listing itself has ended already.
        let _ = server.command(&["CLIENT", "KILL", "ID", id]).await;
    }
}
