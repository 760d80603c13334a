//! Reclaims what is dead, in bounded steps that are a transaction each.

use anynode_core::Swept;

use super::{
    Inner, NODE_SILENCE_MAX, fault::Fault, link::Value, row, statement::Statement, upkeep,
};

/// How many records one statement removes: it holds their locks until its commit.
const BATCH_MAX: usize = 1_000;

/// How many batches of records one call looks at: most of those may be in use.
const BATCHES_MAX: usize = 64;

/// How many users one call looks at whose sessions were revoked.
const USERS_MAX: usize = 64;

/// How many changes one call removes.
const CHANGES_MAX: i64 = 10_000;

/// Removes up to `limit` dead items.
pub(super) async fn sweep(inner: &Inner, limit: usize) -> Result<Swept, Fault> {
    let mut budget = Budget {
        limit,
        removed: 0,
        more: false,
    };
    for looked_at in 1..=BATCHES_MAX {
        if !budget.has_room() {
            break;
        }
        let batch = budget.batch();
        let [seen, dead] = counts(inner, &upkeep::EXPIRED, &[&batch]).await?;
        budget.took(dead);
        if seen < batch {
            break;
        }
        budget.more |= looked_at == BATCHES_MAX;
    }
    while budget.has_room() {
        let batch = budget.batch();
        let [dead] = counts(inner, &upkeep::TOMBSTONES, &[&batch]).await?;
        budget.took(dead);
        if dead < batch {
            break;
        }
    }
    for looked_at in 1..=USERS_MAX {
        if !budget.has_room() {
            break;
        }
        let batch = budget.batch();
        let [users, dead] = counts(inner, &upkeep::OUTDATED, &[&batch]).await?;
        budget.took(dead);
        if users == 0 {
            break;
        }
        budget.more |= looked_at == USERS_MAX;
    }
    if budget.has_room() {
        let (batch, silence) = (budget.batch(), row::span(NODE_SILENCE_MAX));
        let [dead] = counts(inner, &upkeep::ENTRIES, &[&batch, &silence]).await?;
        budget.took(dead);
    }
    let [changes, kept] = counts(inner, &upkeep::CHANGES, &[&CHANGES_MAX]).await?;
    if kept == 0 {
        // Where there is no room for it yet, what was removed is removed all the same.
        let _ = inner.reserve.keep(inner.until(), &inner.writes).await;
    }
    Ok(Swept {
        removed: budget.removed,
        more: budget.more || !budget.has_room() || changes == CHANGES_MAX,
    })
}

/// How much one call may still remove.
struct Budget {
    limit: usize,
    removed: usize,
    more: bool,
}

// === impl Budget ===

impl Budget {
    fn has_room(&self) -> bool {
        self.removed < self.limit
    }

    fn batch(&self) -> i64 {
        let left = (self.limit - self.removed).min(BATCH_MAX);
        i64::try_from(left).expect("a batch is small")
    }

    fn took(&mut self, dead: i64) {
        self.removed += usize::try_from(dead).unwrap_or_default();
    }
}

async fn counts<const N: usize>(
    inner: &Inner,
    statement: &'static Statement,
    values: &[Value<'_>],
) -> Result<[i64; N], Fault> {
    // Each has its time: what an earlier one removed stays removed.
    let rows = inner.despite_full(inner.until(), &inner.writes, statement, values);
    let rows = rows.await?;
    let row = rows.first().ok_or(Fault::Corrupt("count"))?;
    let mut counts = [0; N];
    for (at, count) in counts.iter_mut().enumerate() {
        *count = row::value(row, at, "count")?;
    }
    Ok(counts)
}
