//! L9: every byte survives, what is too large is refused, and nothing secret is printed.

use super::{
    World,
    scene::{Scene, user},
};
use crate::{
    Create, Device, Draft, ErrorKind, Live, Moment, Payload, Previous, Replace, SecretHash,
    Timestamp, Version, WriteId,
};

/// Everything in a draft is given back as it was: all byte values in data, hashes and write
/// ids, any text in the device, and every moment to the millisecond.
pub async fn every_field_survives(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let draft = full(&mut scene).await;
    let created = scene.node().created(&draft).await;
    assert_same(&created, &draft);
    let loaded = scene.other().loaded(&draft.handle).await;
    assert_eq!(loaded.record, created.record);
    let mut again = full(&mut scene).await;
    again.handle = draft.handle;
    again.version = draft.version.next(WriteId::from_bytes([0xff; 8]));
    again.user = Some(user("ада\u{1f511}\0"));
    let replaced = scene.node().replaced(&created.record, &again).await;
    assert_same(&replaced, &again);
    let loaded = scene.other().loaded(&draft.handle).await;
    assert_eq!(loaded.record, replaced.record);
}

/// A draft in which every field that may have a value has one.
async fn full(scene: &mut Scene<'_>) -> Draft {
    let now = scene.session().await.now;
    let mut draft = scene.draft_of(&user("ada"));
    let at = |millis: u64| Moment::At(Timestamp::from_millis(now.as_millis() - millis));
    draft.payload = Payload::new((0..=255).chain((0..=255).rev()).collect::<Vec<u8>>());
    draft.secret = SecretHash::from_bytes([0x00; 32]);
    draft.secret_since = at(3);
    draft.previous = Some(Previous {
        secret: SecretHash::from_bytes([0xff; 32]),
        until: at(2),
    });
    draft.created_at = at(7_777);
    draft.authenticated_at = Some(at(1));
    draft.version = Version::first(WriteId::from_bytes([0; 8]));
    draft.device = Device::new(Some("Ünïcødé \u{1f511}\0'\"\\%{}"), Some("fe80::1%eth0"));
    draft
}

fn assert_same(live: &Live, draft: &Draft) {
    let settled = live.record.draft(draft.version);
    let mut expected = draft.clone();
    expected.deadline = Moment::At(live.record.deadline);
    assert_eq!(settled, expected);
    assert_eq!(live.record.version, draft.version);
}

/// What is missing in a draft is missing in the record: user, previous secret, authentication,
/// device; and empty data is kept as empty data.
pub async fn what_is_missing_stays_missing(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.payload = Payload::new([]);
    scene.node().created(&draft).await;
    let record = scene.node().loaded(&draft.handle).await.record;
    assert!(record.payload.is_empty());
    assert_eq!(record.binding, None);
    assert_eq!(record.previous, None);
    assert_eq!(record.authenticated_at, None);
    assert_eq!(record.device, Device::default());
}

/// A device whose label is empty text is told from one without a label.
pub async fn empty_text_is_not_missing_text(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.device = Device::new(Some(""), None);
    scene.node().created(&draft).await;
    let record = scene.node().loaded(&draft.handle).await.record;
    assert_eq!(record.device, draft.device);
}

/// A replace may take away what was there: previous secret, authentication, device, data.
pub async fn what_is_taken_away_is_gone(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = full(&mut scene).await;
    let live = scene.node().created(&draft).await;
    let mut bare = scene.draft();
    bare.handle = draft.handle;
    bare.payload = Payload::new([]);
    scene.node().replaced(&live.record, &bare).await;
    let record = scene.node().loaded(&draft.handle).await.record;
    assert_eq!(record.previous, None);
    assert_eq!(record.authenticated_at, None);
    assert_eq!(record.device, Device::default());
    assert!(record.payload.is_empty());
}

/// The largest payload, label and address are kept.
pub async fn the_largest_record_is_kept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = largest(&mut scene);
    scene.node().created(&draft).await;
    let record = scene.node().loaded(&draft.handle).await.record;
    assert_eq!(record.payload, draft.payload);
    assert_eq!(record.device, draft.device);
}

fn largest(scene: &mut Scene<'_>) -> Draft {
    let mut draft = scene.draft();
    draft.payload = Payload::new(vec![0xa5; Payload::BYTES_MAX]);
    draft.device = Device::new(
        Some(&"x".repeat(Device::LABEL_BYTES_MAX)),
        Some(&"y".repeat(Device::ADDRESS_BYTES_MAX)),
    );
    draft
}

/// One byte more is `TooLarge` to `create`, and nothing is written.
pub async fn a_create_that_is_too_large_writes_nothing(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for draft in too_large(&mut scene) {
        let error = scene.node().0.create(&draft).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(scene.node().load(&draft.handle).await, None);
    }
    assert_eq!(scene.node().scan(10).await, []);
}

/// One byte more is `TooLarge` to `replace`, and the record stays as it was.
pub async fn a_replace_that_is_too_large_writes_nothing(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    for mut draft in too_large(&mut scene) {
        draft.handle = live.record.handle;
        let answer = scene.node().0.replace(&live.record.version, &draft).await;
        assert_eq!(answer.expect_err("too large").kind(), ErrorKind::TooLarge);
        let loaded = scene.node().loaded(&draft.handle).await;
        assert_eq!(loaded.record, live.record);
        assert_eq!(loaded.idle_deadline, live.idle_deadline);
    }
}

fn too_large(scene: &mut Scene<'_>) -> [Draft; 3] {
    let [mut payload, mut label, mut address] = [(); 3].map(|()| largest(scene));
    payload.payload = Payload::new(vec![0xa5; Payload::BYTES_MAX + 1]);
    label.device.label = Some("x".repeat(Device::LABEL_BYTES_MAX + 1).into());
    address.device.address = Some("y".repeat(Device::ADDRESS_BYTES_MAX + 1).into());
    [payload, label, address]
}

/// An idle timeout of zero is `Config` to `create` and `replace`, and nothing is written.
pub async fn an_idle_timeout_of_zero_is_refused(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let (mut create, mut replace) = (scene.draft(), scene.next(&live.record));
    create.idle_timeout = std::time::Duration::ZERO;
    replace.idle_timeout = std::time::Duration::ZERO;
    let refused = scene.node().0.create(&create).await;
    assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Config);
    let refused = scene.node().0.replace(&live.record.version, &replace).await;
    assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Config);
    assert_eq!(scene.node().load(&create.handle).await, None);
    let loaded = scene.node().loaded(&live.record.handle).await;
    assert_eq!(loaded.record, live.record);
}

/// Neither the answers nor the store show data, a secret or a user's name when they are printed.
pub async fn nothing_printed_holds_data_or_secrets(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft_of(&user("ada@example.com"));
    draft.payload = Payload::new(*b"the data of the session");
    draft.secret = SecretHash::from_bytes([0xab; 32]);
    let live = scene.node().created(&draft).await;
    let conflict = scene.next(&live.record);
    let base = Version::first(scene.write_id());
    let conflict = scene.node().replace(&base, &conflict).await;
    assert!(matches!(conflict, Replace::Conflict(_)));
    let node = scene.node();
    for printed in [
        format!("{live:?} {:#?}", Create::Created(live.clone())),
        format!("{:?} {conflict:?}", node.load(&draft.handle).await),
        format!("{:?}", node.list(&user("ada@example.com"), 10).await),
        format!("{:?} {node:?}", node.scan(10).await),
    ] {
        assert_harmless(&printed);
    }
}

/// Nor do errors, however they are printed.
pub async fn no_error_holds_data_or_secrets(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft_of(&user("ada@example.com"));
    let data = b"the data of the session".repeat(4_000);
    draft.payload = Payload::new(data);
    draft.secret = SecretHash::from_bytes([0xab; 32]);
    let create = scene.node().0.create(&draft).await.expect_err("too large");
    let replace = scene.node().0.replace(&draft.version, &draft).await;
    for error in [create, replace.expect_err("too large")] {
        let printed = format!("{error} {error:?} {error:#?}");
        assert_harmless(&printed);
        assert!(!printed.contains(&draft.handle.to_string()));
    }
}

fn assert_harmless(printed: &str) {
    let bytes = b"the data"
        .iter()
        .map(u8::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    for secret in [
        "the data",
        "ada@example.com",
        "171, 171",
        "abab",
        "ABAB",
        &bytes,
    ] {
        assert!(!printed.contains(secret), "printed: {secret}");
    }
}
