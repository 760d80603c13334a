//! A cluster: which primary has which slot, learned from any node that answers.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use redis::Value;
use tokio::{sync::Mutex, time::timeout};

use super::{
    fault::{Fault, Place, Refusal},
    first::first,
    keys::{Slot, Tag},
    link::{Link, Setup},
    reply::Items,
    topology::PLAINTEXT_REFUSED,
};
use crate::{clock::boot_time, random, store::net::Address};

/// The primaries of a cluster and their slots.
pub(super) struct Cluster {
    seeds: Vec<Address>,
    setup: Arc<Setup>,
    map: RwLock<Map>,
    refreshing: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Map {
    /// The primary of each slot; empty until the first answer.
    slots: Vec<Option<Arc<Link>>>,
    links: HashMap<Address, Arc<Link>>,
    /// Every node, replicas included: whom to ask when primaries are gone.
    nodes: Vec<Address>,
    /// Who is to be asked first, because it knows better.
    hint: Option<Address>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Stale,
    Fresh,
}

/// A range of slots as a node tells it.
struct Range {
    first: u16,
    last: u16,
    primary: Address,
}

/// How long one node may take to tell the map: two round trips, of a slow network as well.
const NODE_MAX: Duration = Duration::from_secs(2);

const NO_CLUSTER: Fault =
    Fault::Config("the server is not part of a cluster; use redis: or redis+sentinel:");

// === impl Cluster ===

impl Cluster {
    pub(super) fn new(seeds: Vec<Address>, setup: Arc<Setup>) -> Self {
        Self {
            seeds,
            setup,
            map: RwLock::default(),
            refreshing: Arc::default(),
        }
    }

    /// The primary of a slot.
    pub(super) async fn primary(
        self: &Arc<Self>,
        slot: Slot,
        until: Duration,
    ) -> Result<Arc<Link>, Fault> {
        self.refresh(until).await?;
        let map = self.map();
        let link = map.slots.get(usize::from(slot.0)).cloned().flatten();
        link.ok_or(Fault::Refused(Refusal::ClusterDown))
    }

    /// A tag whose keys are on the primary at this address: always the same while it keeps them.
    pub(super) fn tag_at(&self, address: &Address) -> Option<Tag> {
        let map = self.map();
        Tag::all_from(0).find(|tag| {
            let link = map.slots.get(usize::from(tag.slot().0));
            let link = link.and_then(Option::as_ref);
            link.is_some_and(|link| link.address() == address)
        })
    }

    /// Every primary that has slots.
    pub(super) async fn primaries(
        self: &Arc<Self>,
        until: Duration,
    ) -> Result<Vec<Arc<Link>>, Fault> {
        self.refresh(until).await?;
        let map = self.map();
        let mut primaries: Vec<Arc<Link>> = Vec::new();
        for link in map.slots.iter().flatten() {
            let last = primaries.last();
            if last.is_some_and(|last| Arc::ptr_eq(last, link)) {
                continue;
            }
            if !primaries.iter().any(|known| Arc::ptr_eq(known, link)) {
                primaries.push(link.clone());
            }
        }
        Ok(primaries)
    }

    /// Learns that a slot lives elsewhere.
    pub(super) fn follow(&self, slot: u16, place: &Place, asked: &Address) {
        let address = place.address(asked);
        let mut map = self.map_mut();
        map.state = State::Stale;
        map.hint = Some(address);
        tracing::debug!(store = super::NAME, slot, "a slot of the cluster has moved");
    }

    /// The node at a place, for a slot that is on its way there.
    pub(super) fn node_at(&self, place: &Place, asked: &Address) -> Result<Arc<Link>, Fault> {
        self.link(&mut self.map_mut(), place.address(asked))
    }

    /// Learns the map anew at the next call.
    pub(super) fn distrust(&self) {
        self.map_mut().state = State::Stale;
    }

    async fn refresh(self: &Arc<Self>, until: Duration) -> Result<(), Fault> {
        if self.map().state == State::Fresh {
            return Ok(());
        }
        let left = || until.saturating_sub(boot_time());
        let late = |_| Fault::Late { sent: false };
        let refreshing = self.refreshing.clone().lock_owned();
        let alone = timeout(left(), refreshing).await.map_err(late)?;
        if self.map().state == State::Fresh {
            return Ok(());
        }
        // It goes on when this caller's time is up, for those who come later.
        let this = self.clone();
        let refreshing = tokio::spawn(async move {
            let _alone = alone;
            let questions = this.candidates().into_iter().map(|address| {
                let this = this.clone();
                async move { this.ask(address).await }
            });
            this.learn(first(questions).await?)
        });
        let refreshed = timeout(left(), refreshing).await.map_err(late)?;
        refreshed.unwrap_or(Err(Fault::Late { sent: false }))
    }

    /// Whom to ask for the map: who knows better, then the others from a random one on, so that
    /// no node is asked by a whole fleet.
    fn candidates(&self) -> Vec<Address> {
        let mut map = self.map_mut();
        let mut others: Vec<Address> = map.nodes.clone();
        others.extend(self.seeds.iter().cloned());
        let count = u64::try_from(others.len()).expect("few nodes");
        let first = usize::try_from(random::number() % count.max(1)).expect("below the count");
        others.rotate_left(first);
        map.hint.take().into_iter().chain(others).collect()
    }

    /// The map as one node tells it.
    async fn ask(&self, address: Address) -> Result<(Vec<Range>, Vec<Address>), Fault> {
        let node = self.link(&mut self.map_mut(), address.clone())?;
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = match node.send(&question, boot_time() + NODE_MAX).await {
            Ok(answer) => answer,
            Err(Fault::Stopped(_)) => return Err(NO_CLUSTER),
            Err(fault) => return Err(fault),
        };
        let told = read_slots(answer, &address)?;
        if told.0.is_empty() {
            return Err(Fault::Refused(Refusal::ClusterDown));
        }
        Ok(told)
    }

    fn learn(&self, (ranges, nodes): (Vec<Range>, Vec<Address>)) -> Result<(), Fault> {
        let mut map = self.map_mut();
        let mut slots = vec![None; usize::from(Slot::COUNT)];
        for range in ranges {
            let link = self.link(&mut map, range.primary)?;
            for slot in range.first..=range.last {
                if let Some(place) = slots.get_mut(usize::from(slot)) {
                    *place = Some(link.clone());
                }
            }
        }
        map.slots = slots;
        map.links.retain(|address, _| nodes.contains(address));
        map.nodes = nodes;
        map.state = State::Fresh;
        Ok(())
    }

    fn link(&self, map: &mut Map, address: Address) -> Result<Arc<Link>, Fault> {
        if !self.setup.admits(&address) {
            return Err(PLAINTEXT_REFUSED);
        }
        let new = || Arc::new(Link::new(address.clone(), self.setup.clone()));
        Ok(map.links.entry(address.clone()).or_insert_with(new).clone())
    }

    fn map(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn map_mut(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({:?})", self.seeds)
    }
}

/// The ranges and the addresses of all nodes in the answer to `CLUSTER SLOTS`: first slot, last
/// slot, then host and port of the primary and of each replica.
fn read_slots(answer: Value, asked: &Address) -> Result<(Vec<Range>, Vec<Address>), Fault> {
    let (mut ranges, mut nodes) = (Vec::new(), Vec::new());
    let mut told = Items::of(answer)?;
    while told.len() > 0 {
        let mut range = told.items()?;
        let slot = |number: u64| u16::try_from(number).map_err(|_| Fault::Corrupt("a slot"));
        let (first, last) = (slot(range.number()?)?, slot(range.number()?)?);
        let mut primary = None;
        while range.len() > 0 {
            let mut node = range.items()?;
            let host = match node.value()? {
                Value::Nil => String::new(),
                host => super::reply::text(host)?,
            };
            let port = u16::try_from(node.number()?).map_err(|_| Fault::Corrupt("a port"))?;
            let address = Place { host, port }.address(asked);
            primary.get_or_insert_with(|| address.clone());
            if !nodes.contains(&address) {
                nodes.push(address);
            }
        }
        let primary = primary.ok_or(Fault::Corrupt("a range of slots without a node"))?;
        ranges.push(Range {
            first,
            last,
            primary,
        });
    }
    Ok((ranges, nodes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![host, Value::Int(port), id, Value::Array(vec![])])
    }

    #[test]
    fn a_node_without_a_name_is_the_host_that_was_asked() {
        let asked = Address::parse("10.0.0.9:1", 1).expect("an address");
        let named = Value::BulkString(b"10.0.0.1".to_vec());
        let range = vec![
            Value::Int(0),
            Value::Int(100),
            node(Value::Nil, 7000),
            node(named, 7001),
        ];
        let answer = Value::Array(vec![Value::Array(range)]);
        let (ranges, nodes) = read_slots(answer, &asked).expect("reads");
        assert_eq!(ranges[0].primary.to_string(), "10.0.0.9:7000");
        assert_eq!((ranges[0].first, ranges[0].last), (0, 100));
        assert_eq!(nodes[1].to_string(), "10.0.0.1:7001");
    }

    #[test]
    fn a_malformed_map_is_an_error() {
        let asked = Address::parse("h:1", 1).expect("an address");
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(70_000)])]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])]),
        ] {
            assert!(read_slots(answer, &asked).is_err());
        }
    }
}
