//! The child: writers that count up their own number, each update on the newest record.

use std::{io::Read, process::ExitCode, sync::Arc};

use anynode_core::{
    Draft, ErrorKind, Handle, Live, Payload, Replace, Store, WriteId,
    store::{Error, conflict_pause},
};

use crate::prove::store::{child::tell, random};

/// Runs this process's share of the writers until its input ends.
#[derive(Debug, clap::Args)]
pub struct Updater {
    #[arg(long)]
    store: String,
    #[arg(long)]
    session: Vec<Handle>,
    #[arg(long)]
    writers: usize,
    #[arg(long)]
    process: usize,
    #[arg(long)]
    processes: usize,
}

#[derive(Clone)]
struct Writer {
    store: Arc<dyn Store>,
    handle: Handle,
    session: usize,
    writer: usize,
}

/// The numbers of all writers in a session.
pub(super) fn counts(payload: &Payload) -> Vec<u64> {
    let numbers = payload.as_bytes().as_chunks::<8>().0;
    numbers
        .iter()
        .map(|bytes| u64::from_be_bytes(*bytes))
        .collect()
}

impl Updater {
    pub(crate) fn play(&self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let store = match runtime.block_on(anynode::store::open(&self.store)) {
            Ok(store) => store,
            Err(error) => {
                tell_error(&error);
                return ExitCode::FAILURE;
            }
        };
        let (stop, stopped) = tokio::sync::watch::channel(());
        let mut tasks = Vec::new();
        for (session, handle) in self.session.iter().enumerate() {
            for writer in (self.process..self.writers).step_by(self.processes) {
                let (store, handle) = (store.clone(), *handle);
                let writer = Writer {
                    store,
                    handle,
                    session,
                    writer,
                };
                let stopped = stopped.clone();
                tasks.push(runtime.spawn(async move {
                    while stopped.has_changed().is_ok() {
                        writer.update().await;
                    }
                }));
            }
        }
        // The parent lets go of our input when there is enough, or when it dies.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(stop);
        for task in tasks {
            runtime.block_on(task).expect("no panic");
        }
        ExitCode::SUCCESS
    }
}

impl Writer {
    /// One update, until it is acknowledged.
    async fn update(&self) {
        let mut base = self.load().await;
        tell(&format!("begun {} {}", self.session, self.writer));
        let mut rebases = 0_u32;
        loop {
            let draft = self.counted(&base);
            match self.store.replace(&base.record.version, &draft).await {
                Ok(Replace::Replaced(_)) => break,
                Ok(Replace::Conflict(_)) => {
                    // What the conflict told is old after a pause, and would conflict again.
                    tokio::time::sleep(conflict_pause(rebases, random())).await;
                    base = self.load().await;
                    rebases += 1;
                }
                Ok(Replace::Gone) => {
                    tell("error: a session is gone");
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => tell_error(&error),
                Err(error) => {
                    tell_error(&error);
                    return;
                }
            }
        }
        tell(&format!("done {} {} {rebases}", self.session, self.writer));
    }

    /// The record with our number one higher.
    fn counted(&self, base: &Live) -> Draft {
        let write = WriteId::from_bytes(random().to_be_bytes());
        let mut draft = base.record.draft(base.record.version.next(write));
        let mut counts = counts(&draft.payload);
        counts[self.writer] += 1;
        let bytes: Vec<u8> = counts.into_iter().flat_map(u64::to_be_bytes).collect();
        draft.payload = Payload::new(bytes);
        draft
    }

    async fn load(&self) -> Live {
        loop {
            match self.store.load(&self.handle).await {
                Ok(Some(live)) => return live,
                Ok(None) => tell("error: a session is gone"),
                Err(error) => tell_error(&error),
            }
            tokio::time::sleep(conflict_pause(6, random())).await;
        }
    }
}

fn tell_error(error: &Error) {
    let text = format!("{error:?}");
    if text.contains("locked") {
        tell("locked");
    } else {
        tell(&format!("error: {text}"));
    }
}
