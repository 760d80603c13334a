//! The data directory that all others are copied from: to make one takes a second.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, bail};
use tokio::time::sleep;

use super::instance::{Instance, keep_private};
use super::sql::{self, SUPERUSER};
use super::{PASSWORD, PAUSE, USER, parent};
use crate::clock::boot_time;
use crate::server::place::{self, Place};
use crate::server::port;
use crate::server::process::{Order, Rights};
use crate::server::program;

/// Another name for each way of making it, so that no older one is taken for it.
const NAME: &str = "template-postgres-1";

/// How long another process may take to make it.
const MAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// The template, made by the first who asks for it.
///
/// # Errors
/// When it cannot be made.
pub(super) async fn made() -> Result<PathBuf, Error> {
    let above = place::above()?;
    let template = above.join(NAME);
    // Of the threads and processes that want it at the same time, one makes it. The lock goes
    // with the file, also when this process is killed.
    let lock = File::create(above.join(NAME).with_extension("lock"))?;
    let begun = boot_time();
    while let Err(TryLockError::WouldBlock) = lock.try_lock() {
        if boot_time() - begun > MAKE_TIMEOUT {
            bail!(
                "another process takes too long to make {}",
                template.display()
            );
        }
        sleep(PAUSE).await;
    }
    if !template.exists() {
        let place = Place::new("template")?;
        let data = place.make("data")?;
        make(&place, &data).await?;
        fs::rename(&data, &template).context("the template cannot be kept")?;
    }
    Ok(template)
}

async fn make(place: &Place, data: &Path) -> Result<(), Error> {
    keep_private(data)?;
    place::give_away(data)?;
    let password = place.path().join("password");
    fs::write(&password, PASSWORD)?;
    let arguments = [
        format!("--pgdata={}", data.display()),
        format!("--pwfile={}", password.display()),
        format!("--username={SUPERUSER}"),
        "--auth=scram-sha-256".to_owned(),
        "--encoding=UTF8".to_owned(),
        "--no-locale".to_owned(),
        "--no-sync".to_owned(),
        // Small ones, since every copy has one.
        "--wal-segsize=4".to_owned(),
    ];
    let order = Order {
        name: "initdb".to_owned(),
        program: program::script("initdb", "postgresql")?,
        arguments: arguments.map(OsString::from).to_vec(),
        rights: Rights::NeverRoot,
        farewell: "KILL",
        log: place.path().join("initdb.log"),
    };
    order.run()?;
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    let mut instance = Instance::start(data, place.path(), port::free()?, settings).await?;
    let role = format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'");
    sql::ask(instance.address(), &role).await?;
    let database = format!("CREATE DATABASE {USER} OWNER {USER}");
    sql::ask(instance.address(), &database).await?;
    instance.stop();
    Ok(())
}

/// Copies the template, with its owner.
///
/// # Errors
/// When it cannot be copied.
pub(super) fn copy(template: &Path, data: &Path) -> Result<(), Error> {
    let order = Order {
        name: "cp".to_owned(),
        program: PathBuf::from("cp"),
        arguments: vec!["-a".into(), template.into(), data.into()],
        rights: Rights::Same,
        farewell: "KILL",
        log: parent(data).join("cp.log"),
    };
    order.run()
}
