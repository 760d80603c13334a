//! The primaries that a channel follows.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::member::{self, Member};
use crate::{
    clock::boot_time,
    random,
    store::{
        net::Address,
        redis::{
            fault::Fault,
            first::first,
            keys::{Slot, Tag},
            link::Link,
            servers::Servers,
            topology::Topology,
        },
    },
};

/// A primary that a channel follows.
#[derive(Clone, Debug)]
pub(super) struct Primary {
    pub(super) address: Address,
    /// Its id in a cluster; none outside of one.
    pub(super) id: Option<String>,
    /// A hash tag whose slot it serves; none where it serves no slot.
    pub(super) tag: Option<String>,
    /// The slots it serves; all outside of a cluster.
    member: Option<Member>,
}

/// How many hash tags are tried for one in a slot of a primary: more than enough for each slot
/// to have met its own.
const TAGS_TRIED: u64 = 400_000;

/// How long one primary may take to name the others: the connection is that of all calls, and is
/// given up by one that is late.
const ASKING_MAX: Duration = Duration::from_secs(2);

/// The primaries there are now, asked of whoever has to know.
///
/// # Errors
/// When nobody answers who should, or there is none.
pub(super) async fn find(servers: &Servers, until: Duration) -> Result<Vec<Primary>, Fault> {
    let links = servers.topology.primaries(until).await?;
    let Topology::Cluster(_) = servers.topology else {
        // A channel is opened anew when something happened to the primary, so that the one
        // that was found before may be another one by now.
        links
            .iter()
            .for_each(|link| servers.topology.distrust(Some(link)));
        let links = servers.topology.primaries(until).await?;
        let primary = |link: &Arc<Link>| Primary::only(link.address().clone());
        return Ok(links.iter().map(primary).collect());
    };
    let told: Vec<_> = links.iter().map(|link| link.address().clone()).collect();
    let questions = links.clone().into_iter().map(|link| async move {
        let until = boot_time() + ASKING_MAX;
        let reply = link.send(&member::command(), until).await?;
        member::read(&reply, link.address())
    });
    let left = until.saturating_sub(boot_time());
    let late = |_| Err(Fault::Late { sent: false });
    match timeout(left, first(questions)).await.unwrap_or_else(late) {
        Ok(members) => Ok(Primary::of_cluster(&members, &told)),
        Err(fault) => {
            servers.topology.distrust(links.first());
            Err(fault)
        }
    }
}

// === impl Primary ===

impl Primary {
    /// The one primary there is outside of a cluster.
    pub(super) fn only(address: Address) -> Self {
        Self {
            address,
            id: None,
            tag: Some("000".to_owned()),
            member: None,
        }
    }

    /// The primaries among the members of a cluster, whose clients are told these addresses.
    pub(super) fn of_cluster(members: &[Member], told: &[Address]) -> Vec<Self> {
        let primary = |member: &Member| Self {
            address: member.address_as(told, members),
            id: Some(member.id.clone()),
            tag: tag_of(member),
            member: Some(member.clone()),
        };
        member::primaries(members).map(primary).collect()
    }

    /// Whether it is this member.
    pub(super) fn is(&self, member: &Member) -> bool {
        self.id.as_ref() == Some(&member.id)
    }

    /// Whether the keys of this slot are there.
    pub(super) fn serves(&self, slot: Slot) -> bool {
        let member = self.member.as_ref();
        member.is_none_or(|member| member.serves(slot))
    }

    /// The tags whose keys are there.
    pub(super) fn tags(&self) -> impl Iterator<Item = Tag> {
        Tag::all_from(0).filter(|tag| self.serves(tag.slot()))
    }
}

/// A hash tag in a slot of this member: another one each time, so that a slot on the move keeps
/// no channel from being opened again.
fn tag_of(member: &Member) -> Option<String> {
    if !member.serves_some() {
        return None;
    }
    let start = random::number() % TAGS_TRIED;
    let tags = (start..start + TAGS_TRIED).map(|number| format!("{number:x}"));
    tags.into_iter()
        .find(|tag| member.serves(Slot::of(tag.as_bytes())))
}
