//! Stores with a bug in front of them, each of which a law has to catch: a suite that passes
//! these says nothing about a store that passes it.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use anynode_core::contract::World;
use anynode_core::store::{Channel, Swept, Target};
use anynode_core::store::{Create, Facts, Item, Listing, Page, Replace, Result, Revoke, Revoked};
use anynode_core::{
    Draft, Found, Handle, Live, NodeEntry, NodeId, Roll, RollId, Store, Touch, UserId, Version,
    Wanted,
};
use async_trait::async_trait;

use self::channel::Deaf;
use crate::world::{Laboratory, run};
use anynode_lab::server::Kind;

mod channel;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A taken handle is answered as if it had been created.
    CreatesTwice,
    /// A node remembers what it has loaded.
    LoadsFromMemory,
    /// A write that conflicts is made all the same.
    ReplacesBlindly,
    /// A write to a session that is not there creates it.
    Upserts,
    /// A use is acknowledged and forgotten.
    ForgetsTouches,
    /// The owner of a session is not asked for when it is revoked.
    IgnoresTheOwner,
    /// The session that is to be spared is revoked with the others.
    SparesNobody,
    /// A user's sessions are revoked one by one and their entry is left as it is.
    RevokesByList,
    /// A list ends with its first page.
    ListsOnePage,
    /// A sweep does nothing and says that it is done.
    NeverSweeps,
    /// A sweep ends what lives.
    SweepsTheLiving,
    /// A sweep takes whatever there is.
    SweepsWithoutLimit,
    /// A barrier passes at once, whatever is still to be told.
    PassesAtOnce,
    /// Revocations are not told.
    TellsNoRevocation,
    /// A channel begins without what was revoked before.
    BeginsEmpty,
    /// Nodes are not registered.
    KnowsNoNode,
    /// Who leaves stays registered.
    LetsNobodyLeave,
    /// No node hears that the roll was called.
    TellsNoCall,
    /// All calls of the roll have one number, so that an old answer passes for a new one.
    NumbersCallsAlike,
}

/// A store with a bug in front of it.
#[derive(Debug)]
pub(crate) struct Buggy {
    store: Arc<dyn Store>,
    bug: Bug,
    loaded: Mutex<HashMap<Handle, Live>>,
}

/// A law as the suite calls it.
pub(crate) type Law = for<'w> fn(&'w dyn World) -> Pin<Box<dyn Future<Output = ()> + 'w>>;

/// Sees a law fail on a store of this kind with this bug in front of it.
pub(crate) fn check(kind: Kind, bug: Bug, law: Law) {
    let world = Laboratory::of(kind).with(bug);
    // A server that does not start is no catch.
    run(world.stores(1));
    let outcome = catch_unwind(AssertUnwindSafe(|| run(law(&world))));
    assert!(outcome.is_err(), "{bug:?} survives on {kind}");
}

// === impl Buggy ===

impl Buggy {
    pub(crate) fn new(store: Arc<dyn Store>, bug: Bug) -> Self {
        Self {
            store,
            bug,
            loaded: Mutex::default(),
        }
    }

    async fn end_everything(&self) -> Result<()> {
        for item in self.store.scan(None, 100).await? {
            if let Item::Record(record, _) = item {
                let revoke = Revoke::session(record.handle, anynode_core::Cause::Idle);
                self.store.revoke(&revoke).await?;
            }
        }
        Ok(())
    }

    /// Revokes what the first page lists, and somebody who is nobody to have an answer.
    async fn revoke_by_list(&self, user: &UserId, revoke: &Revoke) -> Result<Revoked> {
        for live in self.store.list(user, &Page::FIRST).await?.sessions {
            let one = Revoke::session(live.record.handle, revoke.cause);
            self.store.revoke(&one).await?;
        }
        let nobody = Handle::from_bytes([0xaa; 16]);
        self.store
            .revoke(&Revoke::session(nobody, revoke.cause))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Buggy {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        let created = self.store.create(draft).await?;
        if self.bug == Bug::CreatesTwice && created == Create::Duplicate {
            let there = self.store.load(&draft.handle).await?;
            return Ok(there.map_or(Create::Duplicate, Create::Created));
        }
        Ok(created)
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        let remembered = self.loaded.lock().unwrap().get(handle).cloned();
        if self.bug == Bug::LoadsFromMemory && remembered.is_some() {
            return Ok(remembered);
        }
        let loaded = self.store.load(handle).await?;
        if let Some(live) = &loaded {
            self.loaded.lock().unwrap().insert(*handle, live.clone());
        }
        Ok(loaded)
    }

    fn keeps_copies(&self) -> bool {
        false
    }

    fn copy(&self, _: &Wanted) -> Option<Found> {
        None
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.load(&wanted.handle).await.map(Found::asked)
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        match (self.bug, self.store.replace(base, draft).await?) {
            (Bug::ReplacesBlindly, Replace::Conflict(newer)) => {
                self.store.replace(&newer.record.version, draft).await
            }
            (Bug::Upserts, Replace::Gone) => Ok(match self.store.create(draft).await? {
                Create::Created(live) => Replace::Replaced(live),
                Create::Duplicate => Replace::Gone,
            }),
            (_, answer) => Ok(answer),
        }
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        if self.bug == Bug::ForgetsTouches {
            return Ok(());
        }
        self.store.touch(batch).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        let target = match (self.bug, &revoke.target) {
            (Bug::IgnoresTheOwner, Target::SessionOf(_, handle)) => Target::Session(*handle),
            (Bug::SparesNobody, Target::UserExcept(user, _)) => Target::User(user.clone()),
            (Bug::RevokesByList, Target::User(user)) => {
                return self.revoke_by_list(user, revoke).await;
            }
            (_, target) => target.clone(),
        };
        let cause = revoke.cause;
        self.store.revoke(&Revoke { target, cause }).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        let mut listing = self.store.list(user, page).await?;
        if self.bug == Bug::ListsOnePage {
            listing.next = None;
        }
        Ok(listing)
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.store.scan(cursor, limit).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        let channel = self.store.watch(node).await?;
        Ok(Box::new(Deaf {
            channel,
            bug: self.bug,
            passed: VecDeque::new(),
        }))
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        if self.bug == Bug::KnowsNoNode {
            return Ok(Vec::new());
        }
        self.store.nodes().await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        match self.bug {
            Bug::LetsNobodyLeave => Ok(()),
            _ => self.store.leave(node).await,
        }
    }

    async fn call_roll(&self) -> Result<Roll> {
        match (self.bug, self.store.call_roll().await?) {
            (Bug::NumbersCallsAlike, Roll::Called(_)) => Ok(Roll::Called(RollId(7))),
            (_, roll) => Ok(roll),
        }
    }

    async fn inspect(&self) -> Result<Facts> {
        self.store.inspect().await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        match self.bug {
            Bug::NeverSweeps => Ok(Swept {
                removed: 0,
                more: false,
            }),
            Bug::SweepsTheLiving => {
                self.end_everything().await?;
                self.store.sweep(limit).await
            }
            Bug::SweepsWithoutLimit => self.store.sweep(1000).await,
            _ => self.store.sweep(limit).await,
        }
    }
}

/// Emits a test for each bug: `bugs::replaces_blindly_is_caught`.
macro_rules! bugs_on {
    ($kind:ident: $($name:ident: $bug:ident by $law:ident::$check:ident)*) => {$(
        #[test]
        fn $name() {
            let law: $crate::bugs::Law = |world| Box::pin(anynode_core::contract::$law::$check(world));
            $crate::bugs::check(anynode_lab::server::Kind::$kind, $crate::bugs::Bug::$bug, law);
        }
    )*};
}

/// Every bug, and the law that has to catch it, on a kind.
macro_rules! all_bugs_on {
    ($kind:ident) => {
        $crate::bugs::bugs_on! { $kind:
            creates_twice_is_caught: CreatesTwice by l01_create::a_live_handle_is_a_duplicate
            loads_from_memory_is_caught: LoadsFromMemory by l02_load::a_write_on_one_node_is_loaded_on_all
            replaces_blindly_is_caught: ReplacesBlindly by l03_replace::an_older_version_is_a_conflict
            upserts_is_caught: Upserts by l03_replace::an_absent_session_is_gone
            forgets_touches_is_caught: ForgetsTouches by l05_touch::a_touch_moves_the_idle_deadline_forward
            ignores_the_owner_is_caught: IgnoresTheOwner by l06_revoke::nobody_revokes_a_session_that_is_not_theirs
            spares_nobody_is_caught: SparesNobody by l06_spare::one_session_is_spared
            revokes_by_list_is_caught: RevokesByList by l06_revoke::a_user_wide_revocation_divides_before_from_after
            lists_one_page_is_caught: ListsOnePage by l07_list::pages_join_to_the_whole_list
            never_sweeps_is_caught: NeverSweeps by l08_sweep::the_expired_are_finally_swept
            sweeps_the_living_is_caught: SweepsTheLiving by l08_sweep::nothing_live_is_swept
            sweeps_without_limit_is_caught: SweepsWithoutLimit by l08_sweep::a_sweep_keeps_to_its_limit
            passes_at_once_is_caught: PassesAtOnce by l12_watch::no_acknowledged_write_passes_a_barrier
            tells_no_revocation_is_caught: TellsNoRevocation by l12_watch::a_revocation_comes_before_the_barrier
            begins_empty_is_caught: BeginsEmpty by l12_snapshot::the_snapshot_has_every_live_revocation
            knows_no_node_is_caught: KnowsNoNode by l12_nodes::a_watching_node_is_registered
            lets_nobody_leave_is_caught: LetsNobodyLeave by l12_nodes::a_node_that_leaves_is_registered_no_more
            tells_no_call_is_caught: TellsNoCall by l12_roll::a_call_is_heard_on_every_channel
            numbers_calls_alike_is_caught: NumbersCallsAlike by l12_roll::a_later_call_has_a_greater_number
        }
    };
}

pub(crate) use {all_bugs_on, bugs_on};
