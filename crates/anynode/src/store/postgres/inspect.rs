//! What the server is and what it can promise: the raw material of `anynode doctor`.

use anynode_core::{ClockKind, Deposed, Facts};

use super::{
    Inner, NAME,
    fault::{Act, Fault},
    row, upkeep,
    write::judge,
};

pub(super) async fn inspect(inner: &Inner) -> Result<Facts, Fault> {
    let rows = inner.reads.call(Act::Read, &upkeep::FACTS, &[]).await?;
    let row = rows.first().ok_or(Fault::Corrupt("facts"))?;
    let on_disk: bool = row::value(row, 1, "fsync")?;
    let waits: bool = row::value(row, 2, "synchronous_standby_names")?;
    let copied: bool = row::value(row, 3, "standbys")?;
    Ok(Facts {
        store: NAME,
        version: row::value::<&str>(row, 0, "server_version")?.to_owned(),
        clock: ClockKind::Store,
        durability: judge(on_disk, waits, copied),
        deposed: if copied || waits {
            Deposed::Unbounded
        } else {
            Deposed::Never
        },
        notes: Vec::new(),
    })
}
