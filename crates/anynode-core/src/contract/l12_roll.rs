//! L12: whoever calls the roll learns which nodes answered.

use super::{
    World,
    node::Node,
    scene::{Scene, Watch, give_way, within},
};
use crate::{ChannelKind, Event, Roll, RollId};

/// The roll is called where nodes hold leases, and only there: elsewhere each read asks, and
/// there is nothing to answer.
pub async fn the_roll_is_called_where_nodes_hold_leases(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    let watch = scene.watch(&scene.node(), "a").await;
    let is_leased = watch.channel.kind() == ChannelKind::Leased;
    assert_eq!(called(&scene.node()).await.is_some(), is_leased);
}

/// A call is heard on every channel, also by the node that called, before a barrier passes that
/// begins after it.
pub async fn a_call_is_heard_on_every_channel(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let mut one = scene.watch(&scene.node(), "one").await;
    let mut two = scene.watch(&scene.other(), "two").await;
    for _ in 0..5 {
        let roll = called(&scene.node()).await;
        for watch in [&mut one, &mut two] {
            let events = watch.until_passed().await;
            let heard = |event: &Event| Some(event) == roll.map(Event::Roll).as_ref();
            let is_told = events.iter().any(|it| heard(it) || *it == Event::Flush);
            assert_eq!(is_told, roll.is_some(), "{events:?}");
        }
    }
}

/// Calls are numbered upwards, whichever node calls.
pub async fn a_later_call_has_a_greater_number(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    watch.until_passed().await;
    let mut rolls = Vec::new();
    for number in 0..20 {
        rolls.push(called(&scene.nodes[number % 2]).await);
    }
    let is_leased = watch.channel.kind() == ChannelKind::Leased;
    let rises = rolls.is_sorted_by(|one, other| one < other);
    assert!(rises == is_leased, "{rolls:?}");
}

/// An answer is told to every node, of the one who answered and of nobody else; that to an
/// earlier call changes nothing.
pub async fn an_answer_is_told_to_every_node(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let mut one = scene.watch(&scene.node(), "one").await;
    let mut two = scene.watch(&scene.other(), "two").await;
    one.until_passed().await;
    let (first, second) = (called(&scene.node()).await, called(&scene.node()).await);
    let (Some(first), Some(second)) = (first, second) else {
        let nodes = scene.node().0.nodes().await.expect("nodes answers");
        assert!(nodes.iter().all(|entry| entry.answered.is_none()));
        return;
    };
    for answer in [second, first] {
        // Whoever is silent for too long is forgotten with what it answered.
        let told = async {
            loop {
                one.channel.answer(second).await.expect("answer answers");
                one.channel.answer(answer).await.expect("answer answers");
                beat(&mut one, &mut two).await;
                let (here, there) = (answers(&scene.node()).await, answers(&scene.other()).await);
                let expected = [("one".to_owned(), Some(second)), ("two".to_owned(), None)];
                if here == expected && there == expected {
                    return;
                }
                give_way().await;
            }
        };
        within(world, "answer", told).await;
    }
}

async fn called(node: &Node) -> Option<RollId> {
    match node.0.call_roll().await.expect("call_roll answers") {
        Roll::Called(roll) => Some(roll),
        Roll::Validated => None,
    }
}

async fn answers(node: &Node) -> Vec<(String, Option<RollId>)> {
    let nodes = node.0.nodes().await.expect("nodes answers");
    let told = nodes.into_iter();
    let told = told.map(|entry| (entry.node.as_str().to_owned(), entry.answered));
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

async fn beat(one: &mut Watch<'_>, two: &mut Watch<'_>) {
    one.until_passed().await;
    two.until_passed().await;
}
