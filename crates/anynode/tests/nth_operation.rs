//! Every call of the API, with the first, the second, … and the last operation of the store that
//! it takes failing.

mod client;
mod pages;
mod site;
mod spy;

use anynode::core::ErrorKind;
use axum::Router;
use client::{Answer, Client};
use http::{Method, StatusCode, header};
use site::World;
use spy::Fault;

/// What may become of an operation: it fails and was not done, or it is not known whether it
/// was done, and it was not, or it was.
const FAULTS: [Fault; 3] = [
    Fault::Fail(ErrorKind::Unavailable),
    Fault::LostCall,
    Fault::LostAnswer,
];

/// More than any call takes.
const OPERATIONS_MAX: usize = 20;

/// Who calls.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// A user who is logged in on another device as well.
    Ada,
    /// Somebody without a session.
    Stranger,
}

/// One call of the API.
struct Act {
    name: &'static str,
    who: Who,
    method: Method,
    path: &'static str,
    body: Body,
    /// What it changes.
    change: fn(&mut View),
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Text(&'static str),
    OtherDevice,
}

/// What can be seen of the sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    user: String,
    value: String,
    number: u32,
    user_of_other_device: String,
    sessions_of_ada: usize,
}

struct Scene {
    world: World,
    node: Router,
    client: Client,
    other_device: Client,
    handle_of_other: String,
}

fn act(
    (name, who): (&'static str, Who),
    (method, path): (Method, &'static str),
    body: &'static str,
    change: fn(&mut View),
) -> Act {
    let body = match body {
        "other device" => Body::OtherDevice,
        text => Body::Text(text),
    };
    Act {
        name,
        who,
        method,
        path,
        body,
        change,
    }
}

/// All calls of `Session`.
fn acts_of_a_session() -> Vec<Act> {
    use Who::{Ada, Stranger};
    let post = |path| (Method::POST, path);
    let nothing = |_: &mut View| {};
    let count = |view: &mut View| view.number += 1;
    let put = |view: &mut View| view.value = "new".to_owned();
    vec![
        act(("get", Ada), (Method::GET, "/get/a"), "", nothing),
        act(("insert", Ada), post("/put/a"), "new", put),
        act(("remove", Ada), post("/remove/a"), "", |view| {
            view.value = "none".to_owned();
        }),
        act(("clear", Ada), post("/clear"), "", |view| {
            (view.value, view.number) = ("none".to_owned(), 0);
        }),
        act(("update", Ada), post("/count"), "", count),
        act(("update_now", Ada), post("/count-now"), "", count),
        act(
            ("set_idle_timeout", Ada),
            post("/idle-timeout"),
            "600",
            nothing,
        ),
        act(("rotate", Ada), post("/rotate"), "", nothing),
        act(("bind again", Ada), post("/login"), "ada", nothing),
        act(("revoke", Ada), post("/logout"), "", |view| {
            view.log_out();
            view.sessions_of_ada -= 1;
        }),
        act(("first insert", Stranger), post("/put/a"), "new", put),
        act(("first update", Stranger), post("/count"), "", count),
        act(
            ("first update_now", Stranger),
            post("/count-now"),
            "",
            count,
        ),
        act(("bind", Stranger), post("/login"), "ada", |view| {
            view.user = "ada".to_owned();
            view.sessions_of_ada += 1;
        }),
    ]
}

/// All calls of `Sessions` and `AdminSessions`.
fn acts_on_sessions() -> Vec<Act> {
    use Who::Ada;
    const OTHER: &str = "other device";
    let post = |path| (Method::POST, path);
    let get = |path| (Method::GET, path);
    let nothing = |_: &mut View| {};
    let end_other = |view: &mut View| {
        view.user_of_other_device = "nobody".to_owned();
        view.sessions_of_ada -= 1;
    };
    let end_all = |view: &mut View| {
        view.log_out();
        view.user_of_other_device = "nobody".to_owned();
        view.sessions_of_ada = 0;
    };
    vec![
        act(("Sessions::list", Ada), get("/sessions"), "", nothing),
        act(
            ("Sessions::revoke", Ada),
            post("/sessions/end"),
            OTHER,
            end_other,
        ),
        act(
            ("revoke_others", Ada),
            post("/sessions/end-others"),
            "",
            end_other,
        ),
        act(("revoke_all", Ada), post("/sessions/end-all"), "", end_all),
        act(("AdminSessions::list", Ada), get("/admin"), "", nothing),
        act(
            ("AdminSessions::find", Ada),
            post("/admin/find"),
            OTHER,
            nothing,
        ),
        act(
            ("AdminSessions::revoke", Ada),
            post("/admin/end"),
            OTHER,
            end_other,
        ),
        act(("revoke_user", Ada), post("/admin/end-user"), "", end_all),
    ]
}

// === impl View ===

impl View {
    fn log_out(&mut self) {
        self.user = "nobody".to_owned();
        (self.value, self.number) = ("none".to_owned(), 0);
    }
}

// === impl Scene ===

impl Scene {
    async fn new(who: Who) -> Self {
        let world = World::new();
        let node = pages::node(&world);
        let (mut client, mut other_device) = (Client::default(), Client::default());
        other_device.post(&node, "/login", "ada").await;
        if let Who::Ada = who {
            client.post(&node, "/login", "ada").await;
            client.post(&node, "/put/a", "old").await;
            client.post(&node, "/count", "").await;
        }
        let handle = other_device.get(&node, "/handle").await.text;
        Self {
            world,
            node,
            client,
            other_device,
            handle_of_other: handle,
        }
    }

    async fn perform(&mut self, act: &Act) -> Answer {
        let body = match act.body {
            Body::Text(text) => text.to_owned(),
            Body::OtherDevice => self.handle_of_other.clone(),
        };
        self.client
            .send(&self.node, act.method.clone(), act.path, &body)
            .await
    }

    async fn look(&mut self) -> View {
        let node = &self.node;
        let number = self.client.get(node, "/number").await.text;
        let count = Client::default().get(node, "/admin").await.text;
        View {
            user: self.client.get(node, "/user").await.text,
            value: self.client.get(node, "/get/a").await.text,
            number: number.parse().expect("a number"),
            user_of_other_device: self.other_device.get(node, "/user").await.text,
            sessions_of_ada: count.parse().expect("a number"),
        }
    }
}

/// Lets the n-th operation of an act fail, and judges what is left; whether there was one.
async fn has_nth(act: &Act, n: usize, fault: &Fault) -> bool {
    let case = format!("{}, operation {n}, {fault:?}", act.name);
    let mut scene = Scene::new(act.who).await;
    let before = scene.look().await;
    let mut after = before.clone();
    (act.change)(&mut after);
    scene.world.spy.nth(n, fault.clone());
    let answer = scene.perform(act).await;
    let has_come = scene.world.spy.nth_has_come();
    scene.world.spy.recover();
    let left = scene.look().await;
    if answer.status.is_success() {
        assert_eq!(left, after, "{case}: it was done");
    } else {
        assert!(has_come, "{case}: {answer:?}");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{case}");
        assert!(answer.headers.contains_key(header::RETRY_AFTER), "{case}");
        assert!(answer.cookies().is_empty(), "{case}");
        assert!(left == before || left == after, "{case}: {left:?}");
    }
    if left == before {
        let again = scene.perform(act).await;
        assert!(again.status.is_success(), "{case}, again: {again:?}");
        assert_eq!(scene.look().await, after, "{case}, again");
    }
    has_come
}

async fn check(acts: Vec<Act>) {
    for act in acts {
        for fault in &FAULTS {
            let mut operations = 0;
            while has_nth(&act, operations + 1, fault).await {
                operations += 1;
                assert!(operations < OPERATIONS_MAX, "{}", act.name);
            }
            assert!(operations > 0, "{} asks no store", act.name);
        }
    }
}

#[tokio::test]
async fn whichever_operation_of_a_session_fails_nothing_is_lost_or_doubled() {
    check(acts_of_a_session()).await;
}

#[tokio::test]
async fn whichever_operation_on_sessions_fails_nothing_is_lost_or_doubled() {
    check(acts_on_sessions()).await;
}
