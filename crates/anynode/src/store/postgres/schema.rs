//! The tables, and the steps by which a schema reaches the version that this build knows.

use std::sync::Arc;

use anynode_core::store::Result;
use tokio_postgres::types::Type;

use super::{
    dial::Dialler,
    fault::{Act, Fault},
    lane::before,
    link::Link,
    options::{Missing, Place, refused},
    row,
};
use crate::clock::boot_time;

/// The version of the schema that this build writes.
pub(super) const VERSION: i32 = 1;

/// Whether a schema can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is up to date.
    Current,
    /// It is not there, or of an older version.
    Behind(i32),
    /// A newer anynode made it.
    Newer(i32),
}

/// The steps, the first of which makes version 1 where nothing is.
const STEPS: [&str; 1] = [include_str!("version_1.sql")];

/// Whoever changes the schema holds this lock: of many nodes that start at once, one makes the
/// tables and the others find them. The number is "anynode" in ASCII.
const LOCK: i64 = 0x0061_6e79_6e6f_6465;

/// How many times as long as a call a change of the schema may take, with the wait for a node
/// that makes the same one: half a minute, unless set otherwise.
const MIGRATION_CALLS: u32 = 15;

/// Brings the schema up to date, or says why it cannot be used.
///
/// Where it is up to date this only reads, so that a role without the right to create will do.
/// Looking has the time of a call, and changing that of [`MIGRATION_CALLS`].
pub(super) async fn open(link: &Arc<Link>, dialler: &Dialler, missing: Missing) -> Result<()> {
    let told = |fault: Fault| fault.error("open", Act::Read);
    let place = &dialler.place;
    let looking = within(link, dialler, 1, standing(link, place));
    match looking.await.map_err(told)? {
        Standing::Current => Ok(()),
        Standing::Newer(version) => Err(refused(format!(
            "the schema has version {version} and this anynode knows {VERSION} at most; use the \
             newer anynode"
        ))),
        Standing::Behind(0) if missing == Missing::Refuse => Err(refused(
            "the database has no such schema, or the role may not see it",
        )),
        Standing::Behind(_) => {
            let migrating = within(link, dialler, MIGRATION_CALLS, migrate(link, place));
            migrating.await.map_err(told)?;
            tracing::info!(version = VERSION, "postgres: the schema is up to date");
            Ok(())
        }
    }
}

/// Has the server give up what takes longer than so many calls may.
async fn within<T>(
    link: &Arc<Link>,
    dialler: &Dialler,
    calls: u32,
    asking: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let until = boot_time() + dialler.limit * calls;
    let answer = before(until, asking).await;
    answer.unwrap_or_else(|| {
        dialler.end(link);
        Err(Fault::Late)
    })
}

async fn standing(link: &Link, place: &Place) -> Result<Standing, Fault> {
    let function = format!("{}.schema_version()", place.schema_quoted());
    // Asked of the tables and not of `to_regprocedure`: who waited for another's migration would
    // be answered from a cache that the wait for a lock of this kind does not renew.
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p \
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
                 WHERE n.nspname::text = $1 AND p.proname = 'schema_version')";
    let schema = place.schema.as_str();
    let row = link
        .client
        .query_typed_one(there, &[(&schema, Type::TEXT)])
        .await?;
    if !row.get::<_, bool>(0) {
        return Ok(Standing::Behind(0));
    }
    let version = format!("SELECT {function}");
    let row = link.client.query_typed_one(&version, &[]).await?;
    Ok(match row::value(&row, 0, "version")? {
        VERSION => Standing::Current,
        newer if newer > VERSION => Standing::Newer(newer),
        older => Standing::Behind(older),
    })
}

/// Holds the lock for one transaction, which no pooler divides. Where something fails the
/// connection is not used again, and the server takes everything back.
async fn migrate(link: &Link, place: &Place) -> Result<(), Fault> {
    let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})");
    link.client.batch_execute(&begin).await?;
    // Somebody else may have done it while this waited for the lock.
    if let Standing::Behind(version) = standing(link, place).await? {
        let done = usize::try_from(version).unwrap_or(STEPS.len());
        for step in STEPS.iter().skip(done) {
            link.client.batch_execute(&named(step, place)).await?;
        }
    }
    link.client.batch_execute("COMMIT").await?;
    Ok(())
}

/// A step on the schema of this store.
fn named(step: &str, place: &Place) -> String {
    let schema = place.schema_quoted();
    step.replace("anynode.", &format!("{schema}.")).replace(
        "CREATE SCHEMA IF NOT EXISTS anynode;",
        &format!("CREATE SCHEMA IF NOT EXISTS {schema};"),
    )
}
