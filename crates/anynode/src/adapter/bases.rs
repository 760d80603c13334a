//! What requests in flight have loaded, so that a save can tell what its request changed.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use anynode_core::{Data, Handle, Live, Version, WriteId};

/// A session as one or more requests loaded it.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) live: Live,
    pub(super) data: Arc<Data>,
}

/// The latest loads and logouts of this node. Bounded; what falls out costs its request a
/// read, or an error when the session has changed meanwhile, and never an update.
#[derive(Debug)]
pub(super) struct Bases {
    loaded: Recent<(Handle, WriteId), Base>,
    ended: Recent<Handle, ()>,
}

/// A map that forgets what was not used lately.
///
/// Two generations: use moves an entry into the young one, and when that is full the elder one
/// is dropped. It holds between one and two times its capacity of what is in use.
#[derive(Debug)]
struct Recent<K, V> {
    young: HashMap<K, V>,
    elder: HashMap<K, V>,
    capacity: usize,
}

/// Requests that are between their load and their save on one node at once; with records of
/// 16 KiB this is 16 MiB in each generation.
const LOADED: usize = 1_024;

/// Ids that are between being cycled and saved anew.
const ENDED: usize = 4_096;

// === impl Bases ===

impl Default for Bases {
    fn default() -> Self {
        Self {
            loaded: Recent::new(LOADED),
            ended: Recent::new(ENDED),
        }
    }
}

impl Bases {
    pub(super) fn keep(&mut self, base: Base) {
        let record = &base.live.record;
        self.loaded.put((record.handle, record.version.write), base);
    }

    pub(super) fn base(&mut self, handle: Handle, version: &Version) -> Option<Base> {
        let base = self.loaded.get(&(handle, version.write))?;
        (base.live.record.version == *version).then_some(base)
    }

    /// Notes that this node ended a session that was alive.
    pub(super) fn ended(&mut self, handle: Handle) {
        self.ended.put(handle, ());
    }

    /// Whether it was this node that ended the session.
    pub(super) fn was_ended_here(&mut self, handle: &Handle) -> bool {
        self.ended.get(handle).is_some()
    }
}

// === impl Recent ===

impl<K: Hash + Eq + Copy, V: Clone> Recent<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            young: HashMap::new(),
            elder: HashMap::new(),
            capacity,
        }
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.elder = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.elder.remove(key)?;
        self.put(*key, value.clone());
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let mut recent = Recent::new(2);
        recent.put(0, ());
        for key in 1..100 {
            recent.put(key, ());
            assert!(recent.get(&0).is_some(), "used after {key}");
            assert!(recent.young.len() + recent.elder.len() <= 4);
        }
        assert!(recent.get(&1).is_none());
    }
}
