//! A store that counts its calls and fails, hangs or waits where a test tells it to.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    collections::{HashMap, VecDeque},
    future::{Future, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use anynode::core::{
    Create, Draft, Error, ErrorKind, Found, Handle, Listing, Live, Page, Payload, Replace, Revoke,
    Revoked, Store, Swept, Touch, UserId, Version, Wanted, WriteId,
    store::{Channel, Facts, Item, NodeEntry, NodeId, Result, Roll},
};
use async_trait::async_trait;
use tokio::sync::Semaphore;

/// What a store is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Create,
    Load,
    Replace,
    Touch,
    Revoke,
    List,
    Scan,
    Watch,
    Nodes,
    Leave,
    CallRoll,
    Inspect,
    Sweep,
}

/// What happens to one call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing: for a call that others with a fault follow.
    None,
    /// It is not performed, and fails.
    Fail(ErrorKind),
    /// It is not performed, and never answers.
    Hang,
    /// It is not performed, and its outcome is unknown.
    LostCall,
    /// It is performed, and its outcome is unknown.
    LostAnswer,
    /// Another session takes the handle just before it.
    Occupy,
    /// It is performed once the gate is opened.
    Pause(Gate),
    /// It is performed, and answers once the gate is opened.
    PauseAnswer(Gate),
}

/// Where a call waits until it is told to go on.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

/// The wrapper.
#[derive(Debug)]
pub(crate) struct Spy {
    store: Arc<dyn Store>,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    calls: HashMap<Verb, usize>,
    next: HashMap<Verb, VecDeque<Fault>>,
    always: HashMap<Verb, Fault>,
    /// What happens to the call after so many others, of whatever verb.
    after: Option<(usize, Fault)>,
    touched: Vec<Handle>,
}

/// Longer than any test waits; shorter than what stops a test program that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

// === impl Gate ===

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// Waits until a call has come to the gate.
    pub(crate) async fn reached(&self) {
        let call = tokio::time::timeout(PATIENCE, self.0.0.acquire());
        call.await.expect("a call comes").expect("open").forget();
    }

    /// Lets one call through.
    pub(crate) fn open(&self) {
        self.0.1.add_permits(1);
    }

    /// Waits at the gate.
    pub(crate) async fn pass(&self) {
        self.0.0.add_permits(1);
        self.0.1.acquire().await.expect("open").forget();
    }
}

// === impl Spy ===

impl Spy {
    pub(crate) fn new(store: impl Store) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::new(store),
            script: Mutex::default(),
        })
    }

    /// How many calls of the verb there were.
    pub(crate) fn calls(&self, verb: Verb) -> usize {
        self.script().calls.get(&verb).copied().unwrap_or_default()
    }

    /// How many calls of any verb there were.
    pub(crate) fn all_calls(&self) -> usize {
        self.script().calls.values().sum()
    }

    /// How many calls wrote or tried to.
    pub(crate) fn writes(&self) -> usize {
        let verbs = [Verb::Create, Verb::Replace, Verb::Touch, Verb::Revoke];
        verbs.into_iter().map(|verb| self.calls(verb)).sum()
    }

    /// The sessions whose use was reported, in that order.
    pub(crate) fn touched(&self) -> Vec<Handle> {
        self.script().touched.clone()
    }

    /// What happens to the next call of the verb that has no fault yet.
    pub(crate) fn next(&self, verb: Verb, fault: Fault) {
        self.script().next.entry(verb).or_default().push_back(fault);
    }

    /// Has the next call of the verb wait at a gate before it is performed.
    pub(crate) fn pause(&self, verb: Verb) -> Gate {
        let gate = Gate::new();
        self.next(verb, Fault::Pause(gate.clone()));
        gate
    }

    /// Has the next call of the verb wait at a gate before it answers.
    pub(crate) fn pause_answer(&self, verb: Verb) -> Gate {
        let gate = Gate::new();
        self.next(verb, Fault::PauseAnswer(gate.clone()));
        gate
    }

    /// What happens to the n-th call from now on, of whatever verb; the next one is the first.
    pub(crate) fn nth(&self, n: usize, fault: Fault) {
        self.script().after = Some((n - 1, fault));
    }

    /// Whether the n-th call has come.
    pub(crate) fn nth_has_come(&self) -> bool {
        self.script().after.is_none()
    }

    /// What happens to every call of these verbs from now on.
    pub(crate) fn always(&self, verbs: &[Verb], fault: &Fault) {
        let mut script = self.script();
        for verb in verbs {
            script.always.insert(*verb, fault.clone());
        }
    }

    /// The store can not be reached any more.
    pub(crate) fn go_down(&self) {
        let verbs = [
            Verb::Create,
            Verb::Load,
            Verb::Replace,
            Verb::Touch,
            Verb::Revoke,
            Verb::List,
        ];
        self.always(&verbs, &Fault::Fail(ErrorKind::Unavailable));
    }

    /// No faults any more.
    pub(crate) fn recover(&self) {
        let mut script = self.script();
        script.always.clear();
        script.next.clear();
        script.after = None;
    }

    /// Everything that the store keeps.
    pub(crate) async fn items(&self) -> Vec<Item> {
        self.store.scan(None, 1_000_000).await.expect("memory")
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script
            .lock()
            .expect("no test panics while it holds it")
    }

    fn fault(&self, verb: Verb) -> Fault {
        let mut script = self.script();
        *script.calls.entry(verb).or_default() += 1;
        match script.after.take() {
            Some((0, fault)) => return fault,
            Some((others, fault)) => script.after = Some((others - 1, fault)),
            None => {}
        }
        let next = script.next.get_mut(&verb).and_then(VecDeque::pop_front);
        let fault = next.or_else(|| script.always.get(&verb).cloned());
        fault.unwrap_or(Fault::None)
    }

    async fn call<T>(&self, verb: Verb, call: impl Future<Output = Result<T>>) -> Result<T> {
        let fault = self.fault(verb);
        self.suffer(fault, call).await
    }

    async fn suffer<T>(&self, fault: Fault, call: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = || Error::new(ErrorKind::Indeterminate, "spy", "call");
        match fault {
            Fault::None | Fault::Occupy => call.await,
            Fault::Fail(kind) => Err(Error::new(kind, "spy", "call")),
            Fault::Hang => pending().await,
            Fault::LostCall => Err(lost()),
            Fault::LostAnswer => call.await.and_then(|_| Err(lost())),
            Fault::Pause(gate) => {
                gate.pass().await;
                call.await
            }
            Fault::PauseAnswer(gate) => {
                let answer = call.await;
                gate.pass().await;
                answer
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Spy {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        let fault = self.fault(Verb::Create);
        if let Fault::Occupy = fault {
            let mut other = draft.clone();
            other.version = other.version.next(WriteId::from_bytes([7; 8]));
            other.payload = Payload::new(*b"another's");
            self.store.create(&other).await?;
        }
        self.suffer(fault, self.store.create(draft)).await
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        self.call(Verb::Load, self.store.load(handle)).await
    }

    fn keeps_copies(&self) -> bool {
        self.store.keeps_copies()
    }

    fn copy(&self, wanted: &Wanted) -> Option<Found> {
        self.store.copy(wanted)
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.call(Verb::Load, self.store.load_for(wanted)).await
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        let call = self.store.replace(base, draft);
        self.call(Verb::Replace, call).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        let handles = batch.iter().map(|touch| touch.handle);
        self.script().touched.extend(handles);
        self.call(Verb::Touch, self.store.touch(batch)).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        self.call(Verb::Revoke, self.store.revoke(revoke)).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        self.call(Verb::List, self.store.list(user, page)).await
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.call(Verb::Scan, self.store.scan(cursor, limit)).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        self.call(Verb::Watch, self.store.watch(node)).await
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        self.call(Verb::Nodes, self.store.nodes()).await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        self.call(Verb::Leave, self.store.leave(node)).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        self.call(Verb::CallRoll, self.store.call_roll()).await
    }

    async fn inspect(&self) -> Result<Facts> {
        self.call(Verb::Inspect, self.store.inspect()).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.call(Verb::Sweep, self.store.sweep(limit)).await
    }
}
