//! What to evict: the policies that were compared, bare of everything else.

use std::collections::{HashMap, HashSet, VecDeque};

/// A cache of bounded size that knows only whether a session is in it.
pub(crate) trait Policy {
    /// Whether it was there; it is afterwards, unless the policy would not have it.
    fn request(&mut self, key: u64) -> bool;
}

/// Evicts what was used least recently.
pub(crate) struct Lru(List);

/// Evicts, in turn, what was not used since the last turn.
pub(crate) struct Clock {
    room: usize,
    places: HashMap<u64, usize>,
    keys: Vec<(u64, u8)>,
    hand: usize,
    uses_max: u8,
}

/// As the clock, but what is new comes in at the front and what survives keeps its place.
pub(crate) struct Sieve {
    list: List,
    used: HashSet<u64>,
    hand: Option<u64>,
}

/// What is new has to be used in a short queue before it comes into the long one.
pub(crate) struct S3Fifo {
    room: usize,
    uses: HashMap<u64, u8>,
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    ghosts: VecDeque<u64>,
    is_ghost: HashSet<u64>,
}

pub(crate) struct Moka(moka::sync::Cache<u64, ()>, u32);

pub(crate) struct Quick(quick_cache::sync::Cache<u64, ()>);

/// Keys in order: the newest first.
struct List {
    room: usize,
    links: HashMap<u64, (Option<u64>, Option<u64>)>,
    first: Option<u64>,
    last: Option<u64>,
}

// === impl Lru ===

impl Lru {
    pub(crate) fn new(room: usize) -> Self {
        Self(List::new(room))
    }
}

impl Policy for Lru {
    fn request(&mut self, key: u64) -> bool {
        let was_there = self.0.remove(key);
        if !was_there && self.0.is_full() {
            let last = self.0.last.expect("it is full");
            self.0.remove(last);
        }
        self.0.push(key);
        was_there
    }
}

// === impl Clock ===

impl Clock {
    pub(crate) fn new(room: usize, uses_max: u8) -> Self {
        Self {
            room,
            places: HashMap::new(),
            keys: Vec::new(),
            hand: 0,
            uses_max,
        }
    }
}

impl Policy for Clock {
    fn request(&mut self, key: u64) -> bool {
        if let Some(place) = self.places.get(&key) {
            let uses = &mut self.keys[*place].1;
            *uses = (*uses + 1).min(self.uses_max);
            return true;
        }
        if self.keys.len() < self.room {
            self.places.insert(key, self.keys.len());
            self.keys.push((key, 0));
            return false;
        }
        while self.keys[self.hand].1 > 0 {
            self.keys[self.hand].1 -= 1;
            self.hand = (self.hand + 1) % self.room;
        }
        self.places.remove(&self.keys[self.hand].0);
        self.places.insert(key, self.hand);
        self.keys[self.hand] = (key, 0);
        self.hand = (self.hand + 1) % self.room;
        false
    }
}

// === impl Sieve ===

impl Sieve {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            list: List::new(room),
            used: HashSet::new(),
            hand: None,
        }
    }
}

impl Policy for Sieve {
    fn request(&mut self, key: u64) -> bool {
        if self.list.links.contains_key(&key) {
            self.used.insert(key);
            return true;
        }
        if self.list.is_full() {
            let mut hand = self.hand.or(self.list.last).expect("it is full");
            while self.used.remove(&hand) {
                hand = self.list.links[&hand]
                    .0
                    .or(self.list.last)
                    .expect("it is full");
            }
            self.hand = self.list.links[&hand].0;
            self.list.remove(hand);
        }
        self.list.push(key);
        false
    }
}

// === impl S3Fifo ===

impl S3Fifo {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            room,
            uses: HashMap::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            is_ghost: HashSet::new(),
        }
    }

    fn evict(&mut self) {
        if self.small.len() >= self.room / 10 {
            self.evict_small();
        } else {
            self.evict_main();
        }
    }

    fn evict_small(&mut self) {
        while let Some(key) = self.small.pop_front() {
            if self.uses[&key] > 1 {
                self.main.push_back(key);
                continue;
            }
            self.uses.remove(&key);
            self.ghosts.push_back(key);
            self.is_ghost.insert(key);
            if self.ghosts.len() > self.room {
                let oldest = self.ghosts.pop_front().expect("there are some");
                self.is_ghost.remove(&oldest);
            }
            return;
        }
        self.evict_main();
    }

    fn evict_main(&mut self) {
        while let Some(key) = self.main.pop_front() {
            let uses = self.uses.get_mut(&key).expect("it is there");
            if *uses == 0 {
                self.uses.remove(&key);
                return;
            }
            *uses -= 1;
            self.main.push_back(key);
        }
    }
}

impl Policy for S3Fifo {
    fn request(&mut self, key: u64) -> bool {
        if let Some(uses) = self.uses.get_mut(&key) {
            *uses = (*uses + 1).min(3);
            return true;
        }
        while self.uses.len() >= self.room {
            self.evict();
        }
        self.uses.insert(key, 0);
        if self.is_ghost.remove(&key) {
            self.main.push_back(key);
        } else {
            self.small.push_back(key);
        }
        false
    }
}

// === impl Moka ===

impl Moka {
    pub(crate) fn new(room: usize) -> Self {
        let room = u64::try_from(room).expect("far fewer");
        Self(moka::sync::Cache::new(room), 0)
    }
}

impl Policy for Moka {
    fn request(&mut self, key: u64) -> bool {
        // It evicts when it is told to or from time to time; told often, it does its best.
        self.1 += 1;
        if self.1.is_multiple_of(64) {
            self.0.run_pending_tasks();
        }
        let was_there = self.0.get(&key).is_some();
        if !was_there {
            self.0.insert(key, ());
        }
        was_there
    }
}

// === impl Quick ===

impl Quick {
    pub(crate) fn new(room: usize) -> Self {
        Self(quick_cache::sync::Cache::new(room))
    }
}

impl Policy for Quick {
    fn request(&mut self, key: u64) -> bool {
        let was_there = self.0.get(&key).is_some();
        if !was_there {
            self.0.insert(key, ());
        }
        was_there
    }
}

// === impl List ===

impl List {
    fn new(room: usize) -> Self {
        Self {
            room,
            links: HashMap::new(),
            first: None,
            last: None,
        }
    }

    fn is_full(&self) -> bool {
        self.links.len() >= self.room
    }

    fn push(&mut self, key: u64) {
        self.links.insert(key, (None, self.first));
        match self.first {
            Some(first) => self.links.get_mut(&first).expect("it is there").0 = Some(key),
            None => self.last = Some(key),
        }
        self.first = Some(key);
    }

    fn remove(&mut self, key: u64) -> bool {
        let Some((newer, older)) = self.links.remove(&key) else {
            return false;
        };
        match newer {
            Some(newer) => self.links.get_mut(&newer).expect("it is there").1 = older,
            None => self.first = older,
        }
        match older {
            Some(older) => self.links.get_mut(&older).expect("it is there").0 = newer,
            None => self.last = newer,
        }
        true
    }
}
