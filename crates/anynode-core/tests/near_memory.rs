//! What a copy of the near cache takes in memory, and that a hit takes none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{hint::black_box, time::Duration};

use allocation_counter::measure;
use anynode_core::{
    BarrierId, ChannelKind, Device, Draft, Event, Handle, Kind, Live, Moment, Payload, Secret,
    SecretHash, Snapshot, Timestamp, UserId, Version, WriteId,
    near::{
        Answer, Ask, Bounds, Feed, Fill, Freshness, Horizon, Limits, Look, Reassert, Shard,
        StoreShard,
    },
};

const STORE: StoreShard = StoreShard(0);
const COPIES: u32 = 20_000;
const PAYLOAD: usize = 500;

/// A node that trusts what it knows, as of a second after it booted.
struct Node {
    horizon: Horizon,
    memory: Reassert,
    shard: Shard,
}

fn node(copies_max: usize) -> Node {
    let bounds = Bounds {
        copies_max,
        bytes_max: 1 << 30,
    };
    let mut node = Node {
        horizon: Horizon::new(ChannelKind::Leased, Horizon::TERM, 1),
        memory: Reassert::new(Reassert::WINDOW, 10),
        shard: Shard::new(Limits::new(bounds)),
    };
    let (mut feed, second) = (Feed::new(STORE), Duration::from_secs(1));
    feed.opened(&node.horizon);
    let snapshot = Snapshot::default();
    feed.snapshot(&snapshot, &mut node.memory, &node.horizon, second)
        .unwrap();
    feed.began(BarrierId(1), second);
    let passed = Event::Passed(BarrierId(1), Timestamp::from_millis(5));
    feed.hear(&passed, &mut node.memory, &node.horizon, second)
        .1
        .unwrap();
    node
}

fn handle(number: u32) -> Handle {
    let mut bytes = [0x5a; 16];
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    Handle::from_bytes(bytes)
}

fn secret(number: u32) -> SecretHash {
    SecretHash::of(&handle(number), &Secret::from_bytes([7; 16]))
}

/// A session of someone who logged in, as a store of today answers it.
fn live(number: u32) -> Live {
    let now = Timestamp::from_millis(1_790_000_000_000);
    Draft {
        handle: handle(number),
        kind: Kind::Session,
        secret: secret(number),
        secret_since: Moment::After(Duration::ZERO),
        previous: None,
        version: Version {
            counter: 17,
            write: WriteId::from_bytes([3; 8]),
        },
        user: Some(UserId::new(format!("user-{number:08}")).unwrap()),
        created_at: Moment::NOW,
        authenticated_at: Some(Moment::NOW),
        idle_timeout: Duration::from_secs(1_800),
        deadline: Moment::After(Duration::from_secs(86_400)),
        payload: Payload::new(vec![1; PAYLOAD]),
        device: Device::default(),
    }
    .live(now, None)
}

impl Node {
    fn load(&mut self, number: u32) -> Fill {
        let answer = Answer {
            token: self.horizon.token(),
            sent: Duration::from_secs(1),
            live: &live(number),
            shard: STORE,
            user_shard: STORE,
        };
        let now = Duration::from_secs(1);
        self.shard.insert(&answer, now, &self.horizon, &self.memory)
    }

    fn look(&mut self, number: u32, secret: &SecretHash) -> Look {
        let now = Duration::from_millis(1_500);
        let ask = Ask {
            handle: handle(number),
            shard: STORE,
            secret: Some(secret),
            seen: None,
            freshness: Freshness::Bounded,
            arrived: now,
            now,
        };
        self.shard.look(&ask, &self.horizon)
    }
}

#[test]
fn a_copy_takes_its_payload_and_two_hundred_bytes_at_most() {
    let filled = |copies_max: usize, loads: u32| {
        let mut node = node(copies_max);
        let taken = measure(|| {
            for number in 0..loads {
                assert_eq!(node.load(number), Fill::Kept);
            }
        });
        let copies = node.shard.len();
        let beside = usize::try_from(taken.bytes_current).unwrap() / copies - PAYLOAD;
        println!("{copies} copies: payload and {beside} bytes each");
        (beside, node.shard.bytes() / copies - PAYLOAD)
    };
    for loads in [1_000, 5_000, 12_288, 12_289, COPIES] {
        let (taken, counted) = filled(100_000, loads);
        assert!(taken <= 200, "{taken} with {loads}");
        assert!(
            counted >= taken.saturating_sub(8),
            "counted {counted} of {taken}"
        );
    }
    let (at_its_bound, _) = filled(5_000, COPIES);
    assert!(at_its_bound <= 200, "{at_its_bound} after many evictions");
}

#[test]
fn a_hit_allocates_nothing() {
    let mut node = node(1_000);
    for number in 0..100 {
        assert_eq!(node.load(number), Fill::Kept);
    }
    let secrets: Vec<_> = (0..100).map(secret).collect();
    let taken = measure(|| {
        for (number, secret) in (0..).zip(&secrets) {
            assert!(matches!(black_box(node.look(number, secret)), Look::Hit(_)));
        }
    });
    assert_eq!(taken.count_total, 0);
    let other = secret(9_999);
    assert!(
        matches!(node.look(0, &other), Look::Miss(_)),
        "not a hit of anything"
    );
}
