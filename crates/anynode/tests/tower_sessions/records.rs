//! What the store adapter promises about records, beyond the trait.

use anynode::core::Item;
use proptest::prelude::*;
use serde_json::{Value, json};
use time::Duration;

use super::world::{record, visible, world};
use crate::tower_sessions::{SessionStore, session_store::Error};

#[tokio::test]
async fn requests_that_change_different_keys_both_survive() {
    let world = world();
    let id = world.created(json!({"kept": 0, "gone": 0})).await;
    let (mut slow, mut fast) = (world.loaded(id).await, world.loaded(id).await);
    fast.data.insert("fast".to_owned(), json!(1));
    fast.data.remove("gone");
    world.adapter.save(&fast).await.expect("saves");
    slow.data.insert("slow".to_owned(), json!(2));
    world.adapter.save(&slow).await.expect("saves");
    let expected = json!({"kept": 0, "fast": 1, "slow": 2});
    assert_eq!(world.data(id).await, expected);
}

#[tokio::test]
async fn a_session_may_be_saved_twice_in_one_request() {
    let world = world();
    let id = world.created(json!({})).await;
    let mut record = world.loaded(id).await;
    record.data.insert("a".to_owned(), json!(1));
    world.adapter.save(&record).await.expect("saves");
    record.data.insert("b".to_owned(), json!(2));
    world.adapter.save(&record).await.expect("saves");
    assert_eq!(world.data(id).await, json!({"a": 1, "b": 2}));
}

#[tokio::test]
async fn a_session_that_was_cleared_unread_keeps_only_what_came_after() {
    let world = world();
    let id = world.created(json!({"old": 1})).await;
    let session = world.session(id);
    session.clear().await;
    session.insert("new", 2).await.expect("inserts");
    session.save().await.expect("saves");
    assert_eq!(world.data(id).await, json!({"new": 2}));
}

#[tokio::test]
async fn a_taken_id_is_not_written_over() {
    let world = world();
    let id = world.created(json!({"a": 1})).await;
    let mut second = record(json!({"b": 2}));
    second.id = id;
    world.adapter.create(&mut second).await.expect("creates");
    assert_ne!(second.id, id);
    assert_eq!(world.data(id).await, json!({"a": 1}));
    assert_eq!(world.data(second.id).await, json!({"b": 2}));
}

#[tokio::test]
async fn the_expiry_date_holds_to_the_millisecond() {
    let world = world();
    let mut record = record(json!({}));
    record.expiry_date += Duration::microseconds(250_999);
    world.adapter.create(&mut record).await.expect("creates");
    let expected = record.expiry_date - Duration::microseconds(999);
    assert_eq!(world.loaded(record.id).await.expiry_date, expected);
    let left = Duration::hours(1) + Duration::milliseconds(249);
    world.clock.advance(left.unsigned_abs());
    assert!(world.load(record.id).await.is_some());
    world
        .clock
        .advance(Duration::milliseconds(1).unsigned_abs());
    assert_eq!(world.load(record.id).await, None);
}

#[tokio::test]
async fn a_save_moves_the_expiry_date() {
    let world = world();
    let id = world.created(json!({})).await;
    let mut record = world.loaded(id).await;
    record.expiry_date += Duration::days(30);
    world.adapter.save(&record).await.expect("saves");
    world.clock.advance(Duration::days(30).unsigned_abs());
    assert_eq!(world.loaded(id).await.expiry_date, record.expiry_date);
}

#[tokio::test]
async fn the_store_keeps_neither_the_cookie_nor_the_mark() {
    let world = world();
    let id = world.created(json!({"a": 1})).await;
    let record = world.loaded(id).await;
    world.adapter.save(&record).await.expect("saves");
    let items = world.store.scan(None, 10).await.expect("scans");
    let [Item::Record(kept, _)] = items.as_slice() else {
        panic!("one record");
    };
    assert_eq!(kept.payload.as_bytes(), br#"j{"a":1}"#);
    let cookie = id.0.to_le_bytes();
    assert_ne!(kept.handle.as_bytes(), &cookie);
    assert!(
        !kept
            .secret
            .as_bytes()
            .windows(16)
            .any(|part| part == cookie)
    );
}

#[tokio::test]
async fn errors_hold_neither_ids_nor_data() {
    let world = world();
    let mut deep = json!("hidden");
    for _ in 0..40 {
        deep = json!([deep]);
    }
    let unknown = record(json!({"key": "hidden"}));
    let mut nested = record(json!({"key": deep}));
    let late = world.adapter.save(&unknown).await.expect_err("gone");
    let encoding = world.adapter.create(&mut nested).await.expect_err("deep");
    assert!(matches!(encoding, Error::Encode(_)), "{encoding:?}");
    for error in [late, encoding] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(!text.contains(&unknown.id.to_string()), "{text}");
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn what_is_saved_is_loaded_exactly(
        first in prop::collection::hash_map("[a-e$]{1,3}", leaf(), 0..6),
        second in prop::collection::hash_map("[a-e$]{1,3}", prop::collection::vec(leaf(), 0..3), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let world = world();
            let id = world.created(json!(first)).await;
            let mut record = world.loaded(id).await;
            assert_eq!((record.id, visible(&record)), (id, first));
            record.data.retain(|key, _| key.starts_with('\0'));
            record.data.extend(second.iter().map(|(key, value)| (key.clone(), json!(value))));
            world.adapter.save(&record).await.expect("saves");
            assert_eq!(visible(&world.loaded(id).await), visible(&record));
        });
    }
}
