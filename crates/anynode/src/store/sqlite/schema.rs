//! The tables, and the steps by which a file reaches the version that this build knows.

use rusqlite::Connection;

use super::fault::Fault;

/// "anod" in ASCII: marks the file as ours (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i64 = 0x616e_6f64;

/// The version of the schema that this build writes.
pub(super) const VERSION: i64 = 1;

/// Whether a file can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is ours and up to date.
    Current,
    /// It is empty or of an older version.
    Behind(i64),
    /// A newer anynode wrote it.
    Newer(i64),
    /// Another application owns it.
    Foreign,
}

/// The steps, the first of which makes version 1 of an empty file.
const STEPS: [&str; 1] = [include_str!("version_1.sql")];

/// What stands in the file at one time, while others may be making it.
pub(super) fn standing(db: &Connection) -> Result<Standing, Fault> {
    // Each question by itself would see the file at another time.
    let reading = db.unchecked_transaction()?;
    let standing = standing_within(db)?;
    reading.commit()?;
    Ok(standing)
}

fn standing_within(db: &Connection) -> Result<Standing, Fault> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (application, version) {
        (0, 0) if tables == 0 => Standing::Behind(0),
        (APPLICATION_ID, VERSION) => Standing::Current,
        (APPLICATION_ID, newer) if newer > VERSION => Standing::Newer(newer),
        (APPLICATION_ID, older) if older > 0 => Standing::Behind(older),
        _ => Standing::Foreign,
    })
}

/// Brings the file up to date. The caller holds the write lock, so that of several processes
/// that open a new file at once one makes the tables and the others find them.
pub(super) fn migrate(db: &Connection) -> Result<Standing, Fault> {
    let Standing::Behind(version) = standing_within(db)? else {
        return standing_within(db);
    };
    let done = usize::try_from(version).unwrap_or(STEPS.len());
    for step in STEPS.iter().skip(done) {
        db.execute_batch(step)?;
    }
    db.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    ))?;
    standing_within(db)
}
