//! Which server to ask: one, the one that sentinels name, or the one that has the slot.

use std::{sync::Arc, time::Duration};

use super::{
    cluster::Cluster,
    fault::{Fault, Place},
    keys::{Slot, Tag},
    link::{Link, Setup},
    options::{Named, Target},
    sentinel::Sentinel,
};

/// The servers and how they stand to each other.
#[derive(Debug)]
pub(super) enum Topology {
    /// One server has everything.
    Single(Arc<Link>),
    /// One server has everything, and which one changes.
    Sentinel(Arc<Sentinel>),
    /// Several have a part each.
    Cluster(Arc<Cluster>),
}

/// What is answered when a server names another that may not be reached in plain text.
pub(super) const PLAINTEXT_REFUSED: Fault = Fault::Config(
    "the servers name one on another machine, and sessions would cross the network in plain \
     text; use rediss:, or say plaintext=allowed in the URL",
);

// === impl Topology ===

impl Topology {
    pub(super) fn new(target: &Target, setup: Arc<Setup>) -> Self {
        match target.servers.clone() {
            Named::Single(address) => Self::Single(Arc::new(Link::new(address, setup))),
            Named::Sentinel(sentinels, name) => {
                Self::Sentinel(Arc::new(Sentinel::new(sentinels, name, setup)))
            }
            Named::Cluster(seeds) => Self::Cluster(Arc::new(Cluster::new(seeds, setup))),
        }
    }

    /// Whether keys of different tags are on different servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// The primary of a slot.
    pub(super) async fn primary(&self, slot: Slot, until: Duration) -> Result<Arc<Link>, Fault> {
        match self {
            Self::Single(link) => Ok(link.clone()),
            Self::Sentinel(sentinel) => sentinel.primary(until).await,
            Self::Cluster(cluster) => cluster.primary(slot, until).await,
        }
    }

    /// A tag whose keys are on this primary.
    pub(super) fn tag_at(&self, link: &Link) -> Option<Tag> {
        match self {
            Self::Single(_) | Self::Sentinel(_) => Tag::all_from(0).next(),
            Self::Cluster(cluster) => cluster.tag_at(link.address()),
        }
    }

    /// Every primary there is.
    pub(super) async fn primaries(&self, until: Duration) -> Result<Vec<Arc<Link>>, Fault> {
        match self {
            Self::Single(link) => Ok(vec![link.clone()]),
            Self::Sentinel(sentinel) => Ok(vec![sentinel.primary(until).await?]),
            Self::Cluster(cluster) => cluster.primaries(until).await,
        }
    }

    /// Finds out anew who the primary is: this one broke, or says that it is none.
    pub(super) fn distrust(&self, link: Option<&Arc<Link>>) {
        match (self, link) {
            // Behind its address may be another server by now.
            (Self::Single(link), _) => link.renew(),
            (Self::Sentinel(_), None) => {}
            (Self::Sentinel(sentinel), Some(link)) => sentinel.distrust(link),
            (Self::Cluster(cluster), _) => cluster.distrust(),
        }
    }

    /// Learns from `asked` that a slot lives elsewhere.
    pub(super) fn follow(&self, slot: u16, place: &Place, asked: &Link) {
        if let Self::Cluster(cluster) = self {
            cluster.follow(slot, place, asked.address());
        }
    }

    /// The node that `asked` names for a slot that is on its way there.
    pub(super) fn node_at(&self, place: &Place, asked: &Link) -> Result<Arc<Link>, Fault> {
        match self {
            Self::Cluster(cluster) => cluster.node_at(place, asked.address()),
            Self::Single(_) | Self::Sentinel(_) => Err(Fault::Config(
                "the server is part of a cluster; use a redis+cluster: URL",
            )),
        }
    }
}
