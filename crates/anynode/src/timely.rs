//! A store whose every call ends within a deadline and is counted.

use std::{
    error, fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anynode_core::{
    Create, Draft, Error, ErrorKind, Facts, Found, Handle, Listing, Live, NodeEntry, Page, Replace,
    Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version, Wanted, store::Result,
};
use metrics::{counter, histogram};

use crate::clock::{boot_time, within};

/// The store of a layer, as the middleware calls it.
#[derive(Clone, Debug)]
pub(crate) struct Timely {
    store: Arc<dyn Store>,
    limit: Duration,
}

/// What a request has asked of the store so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: AtomicU32,
    /// On the boot clock, in microseconds.
    known_at: AtomicU64,
    /// Whether what is known was known before this request asked.
    from_copy: AtomicBool,
}

/// What a call that was cut off may have done.
#[derive(Clone, Copy)]
enum CutOff {
    Nothing,
    Perhaps,
}

/// An error with what caused it: what a driver says, such as that the disk is full.
struct Causes<'a>(&'a Error);

// === impl Timely ===

impl Timely {
    pub(crate) fn new(store: Arc<dyn Store>, limit: Duration) -> Self {
        Self { store, limit }
    }

    /// The store itself.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) async fn create(&self, draft: &Draft, tally: &Tally) -> Result<Create> {
        let call = self.store.create(draft);
        let call = self.call("create", CutOff::Perhaps, call);
        tally.learning(call).await
    }

    pub(crate) async fn load(&self, handle: &Handle, tally: &Tally) -> Result<Option<Live>> {
        let call = self.store.load(handle);
        let call = self.call("load", CutOff::Nothing, call);
        tally.learning(call).await
    }

    /// The session in a copy that may answer this request. It is no call, and is counted nowhere
    /// among them.
    pub(crate) fn copy(&self, wanted: &Wanted, tally: &Tally) -> Option<Live> {
        tally.know(self.store.copy(wanted)?, wanted.arrived)
    }

    /// As `load`, for a request that may be answered from a copy, or by what another request asked
    /// for. Such an answer is no call either.
    pub(crate) async fn load_for(&self, wanted: &Wanted, tally: &Tally) -> Result<Option<Live>> {
        let begun = boot_time();
        let call = self.store.load_for(wanted);
        let found = self.in_time("load", CutOff::Nothing, call).await;
        let is_known = matches!(found, Ok(Found { as_of: Some(_), .. }));
        if !is_known || anynode_core::planted("hit_is_counted_as_a_call") {
            note("load", begun, &found);
            tally.count();
        }
        Ok(tally.know(found?, wanted.arrived))
    }

    pub(crate) async fn replace(
        &self,
        base: &Version,
        draft: &Draft,
        tally: &Tally,
    ) -> Result<Replace> {
        let call = self.store.replace(base, draft);
        let call = self.call("replace", CutOff::Perhaps, call);
        tally.learning(call).await
    }

    pub(crate) async fn touch(&self, batch: &[Touch]) -> Result<()> {
        let call = self.store.touch(batch);
        self.call("touch", CutOff::Perhaps, call).await
    }

    pub(crate) async fn revoke(&self, revoke: &Revoke, tally: &Tally) -> Result<Revoked> {
        tally.count();
        let call = self.store.revoke(revoke);
        self.call("revoke", CutOff::Perhaps, call).await
    }

    pub(crate) async fn list(&self, user: &UserId, page: &Page, tally: &Tally) -> Result<Listing> {
        tally.count();
        let call = self.store.list(user, page);
        self.call("list", CutOff::Nothing, call).await
    }

    pub(crate) async fn sweep(&self, limit: usize) -> Result<Swept> {
        let call = self.store.sweep(limit);
        self.call("sweep", CutOff::Nothing, call).await
    }

    pub(crate) async fn call_roll(&self) -> Result<Roll> {
        let call = self.store.call_roll();
        self.call("call_roll", CutOff::Perhaps, call).await
    }

    pub(crate) async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        let call = self.store.nodes();
        self.call("nodes", CutOff::Nothing, call).await
    }

    pub(crate) async fn inspect(&self) -> Result<Facts> {
        let call = self.store.inspect();
        self.call("inspect", CutOff::Nothing, call).await
    }

    async fn call<T>(
        &self,
        verb: &'static str,
        cut_off: CutOff,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let begun = boot_time();
        let answer = self.in_time(verb, cut_off, call).await;
        note(verb, begun, &answer);
        answer
    }

    async fn in_time<T>(
        &self,
        verb: &'static str,
        cut_off: CutOff,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        within(self.limit, call).await.unwrap_or_else(|| {
            let kind = match cut_off {
                CutOff::Nothing => ErrorKind::Unavailable,
                CutOff::Perhaps => ErrorKind::Indeterminate,
            };
            Err(Error::new(kind, "store", verb).with_detail("no answer within the deadline"))
        })
    }
}

/// Counts a call that was begun then, and says so if it failed.
fn note<T>(verb: &'static str, begun: Duration, answer: &Result<T>) {
    let seconds = boot_time().saturating_sub(begun).as_secs_f64();
    histogram!("anynode_store_seconds", "verb" => verb).record(seconds);
    if let Err(error) = answer {
        let kind = error.kind().as_str();
        counter!("anynode_store_errors_total", "verb" => verb, "kind" => kind).increment(1);
        tracing::warn!(verb, error = %Causes(error), "store call failed");
    }
}

// === impl Tally ===

impl Tally {
    /// How many calls there were, whatever became of them.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Relaxed)
    }

    /// When the store was asked for what is known of the session, on the boot clock.
    pub(crate) fn known_at(&self) -> Duration {
        Duration::from_micros(self.known_at.load(Relaxed))
    }

    /// What is known of the session is what the store said then, to this request or another.
    pub(crate) fn know_since(&self, asked_at: Duration) {
        let micros = u64::try_from(asked_at.as_micros()).unwrap_or(u64::MAX);
        self.known_at.store(micros, Relaxed);
        self.from_copy.store(false, Relaxed);
    }

    /// Whether what is known of the session was known before this request asked for it.
    pub(crate) fn is_from_copy(&self) -> bool {
        self.from_copy.load(Relaxed)
    }

    /// What is known of the session is this, found by a request that asked then.
    fn know(&self, found: Found, asked_at: Duration) -> Option<Live> {
        let as_of = match anynode_core::planted("copy_says_it_is_new") {
            true => None,
            false => found.as_of,
        };
        self.know_since(as_of.unwrap_or(asked_at));
        self.from_copy.store(found.as_of.is_some(), Relaxed);
        found.live
    }

    fn count(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Counts a call whose answer tells how the session stands. What it says may have been
    /// outdated the moment after it was asked, so that is its age.
    async fn learning<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.count();
        let asked_at = boot_time();
        let answer = call.await;
        if answer.is_ok() {
            self.know_since(asked_at);
        }
        answer
    }
}

// === impl Causes ===

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: &dyn error::Error = self.0;
        write!(f, "{cause}")?;
        while let Some(source) = cause.source() {
            write!(f, ": {source}")?;
            cause = source;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_is_logged_with_every_cause() {
        let disk = std::io::Error::other("disk is full");
        let driver =
            std::io::Error::other(Error::new(ErrorKind::Corrupt, "b", "c").with_source(disk));
        let error = Error::new(ErrorKind::Unavailable, "sqlite", "create").with_source(driver);
        let logged = Causes(&error).to_string();
        assert!(
            logged.starts_with("sqlite: create: unavailable: "),
            "{logged}"
        );
        assert!(logged.ends_with(": disk is full"), "{logged}");
    }
}
