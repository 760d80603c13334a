//! The tables, and the steps by which a schema reaches the version that this build knows.

use anynode_core::store::Result;

use super::{
    fault::{Act, Fault},
    link::Link,
    options::{Missing, Place, refused},
    row,
};

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

/// Brings the schema up to date, or says why it cannot be used.
///
/// Where it is up to date this only reads, so that a role without the right to create will do.
pub(super) async fn open(link: &Link, place: &Place, missing: Missing) -> Result<()> {
    let told = |fault: Fault| fault.error("open", Act::Read);
    match standing(link, place).await.map_err(told)? {
        Standing::Current => Ok(()),
        Standing::Newer(version) => Err(refused(format!(
            "the schema has version {version} and this anynode knows {VERSION} at most; use the \
             newer anynode"
        ))),
        Standing::Behind(0) if missing == Missing::Refuse => Err(refused(
            "the database has no such schema, or the role may not see it",
        )),
        Standing::Behind(_) => {
            migrate(link, place).await.map_err(told)?;
            tracing::info!(version = VERSION, "postgres: the schema is up to date");
            Ok(())
        }
    }
}

async fn standing(link: &Link, place: &Place) -> Result<Standing, Fault> {
    // By a query on the catalogue and not by its name: what the server knows of a name inside
    // a transaction may be older than a lock that the transaction waited for.
    let there = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n \
         ON n.oid = p.pronamespace WHERE n.nspname = '{}' AND p.proname = 'schema_version')",
        place.schema
    );
    let row = link.client.query_typed_one(&there, &[]).await?;
    if !row::value::<bool>(&row, 0, "exists")? {
        return Ok(Standing::Behind(0));
    }
    let version = format!("SELECT {}.schema_version()", place.schema_quoted());
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
