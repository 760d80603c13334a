//! The children: one revokes, one writes.

use std::{collections::HashMap, io::BufRead, process::ExitCode, sync::Arc, time::Duration};

use anynode_core::{
    Cause, Create, Handle, Live, Replace, Revoke, Store, Touch, WriteId, store::Error,
};

use super::Race;
use crate::prove::store::{child::tell, random};

/// Races as it is told to, until its input ends.
#[derive(Debug, clap::Args)]
pub struct Racer {
    #[arg(long)]
    store: String,
}

impl Racer {
    /// Plays the one who revokes.
    pub(crate) fn revoke(&self) -> ExitCode {
        self.play(|store, _, race| async move {
            let revoke = match race.user() {
                Some(user) => Revoke::user(user, Cause::User),
                None => Revoke::session(race.handle(), Cause::User),
            };
            store.revoke(&revoke).await.map(|_| ())
        })
    }

    /// Plays the one who writes.
    pub(crate) fn write(&self) -> ExitCode {
        self.play(|store, loaded, race| async move {
            let loaded = loaded.ok_or_else(|| missing("load"))?;
            write_until_gone(store.as_ref(), race, loaded).await
        })
    }

    fn play<F>(&self, act: impl Fn(Arc<dyn Store>, Option<Live>, Race) -> F) -> ExitCode
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let store = match runtime.block_on(anynode::store::open(&self.store)) {
            Ok(store) => store,
            Err(error) => {
                tell(&format!("{error:?}"));
                return ExitCode::FAILURE;
            }
        };
        let mut loaded: HashMap<Handle, Live> = HashMap::new();
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some((verb, batch)) = line.split_once(' ') else {
                continue;
            };
            let races = Race::batch(batch.parse().expect("a number"));
            if verb == "load" {
                for race in races {
                    match runtime.block_on(store.load(&race.handle())) {
                        Ok(Some(live)) => drop(loaded.insert(race.handle(), live)),
                        Ok(None) => tell("a session is missing"),
                        Err(error) => tell(&format!("{error:?}")),
                    }
                }
            } else {
                let tasks = races.map(|race| {
                    let base = loaded.remove(&race.handle());
                    runtime.spawn(act(store.clone(), base, race))
                });
                for task in tasks.collect::<Vec<_>>() {
                    if let Err(error) = runtime.block_on(task).expect("no panic") {
                        tell(&format!("{error:?}"));
                    }
                }
            }
            tell("end");
        }
        ExitCode::SUCCESS
    }
}

/// Writes on what it knows, until it is told that the session is gone; then tries everything
/// else that could bring it back.
async fn write_until_gone(store: &dyn Store, race: Race, loaded: Live) -> Result<(), Error> {
    let mut base = loaded;
    // A minute's worth: the revocation is under way.
    for _ in 0..60_000 {
        let write = WriteId::from_bytes(random().to_be_bytes());
        let draft = base.record.draft(base.record.version.next(write));
        match store.replace(&base.record.version, &draft).await? {
            Replace::Replaced(live) | Replace::Conflict(live) => base = live,
            Replace::Gone => {
                tell("gone");
                let touch = Touch {
                    handle: race.handle(),
                    age: Duration::ZERO,
                };
                store.touch(&[touch]).await?;
                let created = store.create(&race.draft()).await?;
                let alive = store.load(&race.handle()).await?;
                if alive.is_some() || matches!(created, Create::Created(_)) {
                    tell("risen");
                }
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_micros(random() % 1_000)).await;
    }
    Err(missing("replace"))
}

fn missing(verb: &'static str) -> Error {
    Error::new(anynode_core::ErrorKind::Unavailable, "anynode-lab", verb)
        .with_detail("a race did not take place")
}
