//! What the near cache is measured against: a map in shards, which checks nothing.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex},
};

use anynode_core::{Handle, Record, near::Shard};

/// As many shards as the near cache has, each behind the same lock.
pub(crate) struct Plain(Vec<Mutex<Records>>);

type Records = HashMap<Handle, Arc<Record>, BuildHasherDefault<Spread>>;

/// Handles are random already, so that one multiplication spreads them: a map that guards
/// against numbers chosen by others would be slower, and an easier mark.
#[derive(Default)]
pub(crate) struct Spread(u64);

const SHARDS: usize = 64;

// === impl Plain ===

impl Plain {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    pub(crate) fn insert(&self, record: Arc<Record>) {
        self.of(&record.handle)
            .lock()
            .unwrap()
            .insert(record.handle, record);
    }

    pub(crate) fn find(&self, handle: &Handle) -> Option<Arc<Record>> {
        self.of(handle).lock().unwrap().get(handle).cloned()
    }

    fn of(&self, handle: &Handle) -> &Mutex<Records> {
        &self.0[Shard::of(handle, SHARDS)]
    }
}

// === impl Spread ===

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        let (half, _) = bytes.split_first_chunk().expect("a handle has 16 bytes");
        self.0 = u64::from_le_bytes(*half).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The length of a handle tells nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
