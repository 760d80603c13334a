//! The verbs that read: one statement each, so that every answer is of one moment.

use std::{sync::Arc, time::Duration};

use anynode_core::{Handle, Item, Listing, Live, NodeEntry, NodeId, Page, UserId};

use super::{
    Inner, NODE_SILENCE_MAX,
    fault::{Act, Fault},
    fence::awaited,
    lane::Lane,
    link::Value,
    row, statement, upkeep,
};

/// The record, while it is alive (L2).
pub(super) async fn load(
    inner: &Arc<Inner>,
    until: Duration,
    lane: &Arc<Lane>,
    handle: &Handle,
) -> Result<Option<Live>, Fault> {
    let handle = &handle.as_bytes()[..];
    let rows = inner
        .read(until, lane, &statement::LOAD, &[&handle])
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let names = row::value(row, 22, "synchronous_standby_names")?;
    let was_proved = inner.dialler.awaits_standbys();
    inner.dialler.hear_awaited(awaited(names));
    if !was_proved {
        // Perhaps it was not known that another may take the server's place.
        inner.prove(until).await?;
    }
    let (now, kept) = row::kept(row)?;
    Ok(kept.is_alive(now).then(|| kept.live(now)))
}

/// The live sessions of a user (L7).
pub(super) async fn list(inner: &Arc<Inner>, user: &UserId, page: &Page) -> Result<Listing, Fault> {
    let (user, after) = (user.as_str().as_bytes(), after(page.after.as_ref()));
    // One more, which tells whether there is another page.
    let limit = i64::try_from(page.limit() + 1).unwrap_or(i64::MAX);
    let values: [Value<'_>; 3] = [&user, &after, &limit];
    let rows = inner.read(inner.until(), &inner.reads, &statement::LIST, &values);
    let rows = rows.await?;
    let mut sessions = Vec::with_capacity(rows.len());
    for row in rows.iter().take(page.limit()) {
        let (now, kept) = row::kept(row)?;
        sessions.push(kept.live(now));
    }
    let last = sessions.last().map(|live| live.record.handle);
    let next = last.filter(|_| rows.len() > page.limit());
    Ok(Listing { sessions, next })
}

/// Everything after a handle, dead or alive, in the order of handles.
pub(super) async fn scan(
    inner: &Inner,
    cursor: Option<&Handle>,
    limit: usize,
) -> Result<Vec<Item>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [Value<'_>; 2] = [&after(cursor), &limit];
    let rows = inner
        .reads
        .call(inner.until(), Act::Read, &statement::SCAN, &values)
        .await?;
    rows.iter().map(row::item).collect()
}

/// The nodes that are not silent for longer than their lease.
pub(super) async fn nodes(inner: &Inner) -> Result<Vec<NodeEntry>, Fault> {
    let silence = row::span(NODE_SILENCE_MAX);
    let rows = inner
        .reads
        .call(inner.until(), Act::Read, &upkeep::NODES, &[&silence])
        .await?;
    let mut nodes = Vec::with_capacity(rows.len());
    for row in &rows {
        let node = NodeId::new(row::value::<&str>(row, 0, "node")?);
        nodes.push(NodeEntry {
            node: node.map_err(|_| Fault::Corrupt("node"))?,
            heartbeat_at: row::time(row, 1, "heartbeat_at")?,
            answered: Some(row::roll(row, 2, "answered")?).filter(|roll| roll.0 > 0),
        });
    }
    Ok(nodes)
}

/// Where a page starts; no bytes come before every handle.
fn after(handle: Option<&Handle>) -> &[u8] {
    handle.map_or(&[], |handle| handle.as_bytes())
}
