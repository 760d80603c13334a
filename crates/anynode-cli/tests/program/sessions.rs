//! Sessions and users in a store that a real node writes.

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::program::{Server, check, sqlite};

/// A node on a store of its own.
struct World {
    directory: TempDir,
    store: String,
    node: Server,
}

// === impl World ===

impl World {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let store = sqlite(&directory.path().join("sessions.db"));
        let node = Server::node("n1", &store).await;
        Self {
            directory,
            store,
            node,
        }
    }

    async fn logged_in(&self, name: &str) -> Client {
        Client::logged_in(self.node.address, name).await
    }

    /// The live sessions of the user, as programs read them.
    async fn sessions_of(&self, user: &str) -> Vec<Value> {
        let arguments = ["sessions", "list", "--store", &self.store, "--user", user];
        check(&[&arguments[..], &["--json"]].concat(), 0)
            .await
            .json()
    }

    async fn handle_of(&self, user: &str) -> String {
        let sessions = self.sessions_of(user).await;
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions[0]["handle"].as_str().unwrap().to_owned()
    }
}

async fn is_logged_in(client: &mut Client) -> bool {
    let answer = client.get("/whoami").await;
    assert_eq!(answer.node, "n1");
    !answer.json()["user"].is_null()
}

#[tokio::test]
async fn the_sessions_of_a_user_are_listed_without_what_opens_them() {
    let world = World::start().await;
    let ada = world.logged_in("ada").await;
    world.logged_in("ada").await;
    world.logged_in("bob").await;

    let sessions = world.sessions_of("ada").await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    for session in &sessions {
        assert_eq!(session["user"], "ada");
        let idle = session["idle_left_seconds"].as_u64().unwrap();
        assert!(idle > 0 && idle <= session["absolute_left_seconds"].as_u64().unwrap());
        let created = session["created_at"].as_str().unwrap();
        assert!(
            created.starts_with("20") && created.ends_with('Z'),
            "{created}"
        );
    }
    let list = ["sessions", "list", "--store", &world.store, "--user", "ada"];
    let table = check(&list, 0).await.stdout;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );

    let (_, id) = ada.cookie.as_deref().unwrap().split_once('=').unwrap();
    assert_eq!(id.len(), 43);
    let secret = &id[22..];
    // A handle ends within a character of the id, so its first 21 are what both have.
    assert!(table.contains(&id[..21]), "{table}");
    assert!(!table.contains(secret), "{table}");
    assert!(!format!("{sessions:?}").contains(secret));
}

#[tokio::test]
async fn a_session_id_in_the_wrong_place_is_not_repeated() {
    let id = "aW8Qb0fCTq2kYx3Jv5n1RgaW8Qb0fCTq2kYx3Jv5n1R";
    for words in [
        &["sessions", "list"][..],
        &["sessions"],
        &["users", "revoke", "ada"],
        &[],
    ] {
        let said = check(&[words, &[id]].concat(), 2).await;
        assert!(!said.stderr.contains(id), "{said:?}");
    }
}

#[tokio::test]
async fn a_user_without_sessions_is_no_failure() {
    let world = World::start().await;
    assert!(world.sessions_of("nobody").await.is_empty());
    let list = [
        "sessions",
        "list",
        "--store",
        &world.store,
        "--user",
        "nobody",
    ];
    let said = check(&list, 0).await.stdout;
    assert_eq!(said, "nobody has no live session\n");
}

#[tokio::test]
async fn one_session_is_shown_until_it_ends() {
    let world = World::start().await;
    world.logged_in("ada").await;
    let handle = world.handle_of("ada").await;
    let show = ["sessions", "show", &handle, "--store", &world.store];
    let card = check(&show, 0).await.stdout;
    for part in [handle.as_str(), "ada", "ends in"] {
        assert!(card.contains(part), "{card}");
    }
    let shown = check(&[&show[..], &["--json"]].concat(), 0).await.json();
    assert_eq!(shown[0]["handle"], handle.as_str());

    check(&["users", "revoke", "ada", "--store", &world.store], 0).await;
    let gone = check(&show, 1).await;
    assert!(gone.stderr.contains("no live session"), "{gone:?}");
    assert_eq!(gone.stdout, "");
}

#[tokio::test]
async fn a_revoked_session_is_logged_out_at_its_next_request_and_the_others_are_not() {
    let world = World::start().await;
    let mut ada = world.logged_in("ada").await;
    let mut bob = world.logged_in("bob").await;
    let handle = world.handle_of("ada").await;
    assert!(is_logged_in(&mut ada).await);

    let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
    let revoke = [
        "sessions",
        "revoke",
        unknown,
        &handle,
        "--json",
        "--store",
        &world.store,
    ];
    let outcomes = check(&revoke, 1).await.json();
    assert_eq!(outcomes[0]["handle"], unknown);
    assert_eq!(outcomes[0]["outcome"], "not-live");
    assert_eq!(outcomes[1]["handle"], handle.as_str());
    assert_eq!(outcomes[1]["outcome"], "ended");
    assert_eq!(outcomes[1]["durability"], "majority");
    assert_eq!(outcomes[2]["proof"], "validated");
    assert_eq!(outcomes[2]["missing"], Value::Array(Vec::new()));
    assert!(!is_logged_in(&mut ada).await);
    assert!(is_logged_in(&mut bob).await);

    let handle = world.handle_of("bob").await;
    let revoke = ["sessions", "revoke", &handle, "--store", &world.store];
    let said = check(&revoke, 0).await.stdout;
    let ended = format!("{handle} ended, durability: majority\n");
    let known = said.strip_prefix(&ended).expect("it is ended");
    let nobody_waits = "nothing to confirm: 1 node asks the store at every read, ";
    assert!(known.starts_with(nobody_waits), "{said}");
    assert!(!is_logged_in(&mut bob).await);
}

#[tokio::test]
async fn a_user_is_logged_out_everywhere() {
    let world = World::start().await;
    let mut phone = world.logged_in("ada").await;
    let mut desk = world.logged_in("ada").await;
    let mut other = world.logged_in("bob").await;
    let revoke = ["users", "revoke", "ada", "--store", &world.store];
    let said = check(&[&revoke[..], &["--no-wait"]].concat(), 0).await;
    let said = said.stdout;
    assert_eq!(said, "ada: 2 sessions ended, durability: majority\n");
    assert!(!is_logged_in(&mut phone).await);
    assert!(!is_logged_in(&mut desk).await);
    assert!(is_logged_in(&mut other).await);

    let again = check(&[&revoke[..], &["--json"]].concat(), 0).await.json();
    assert_eq!(again[0]["sessions"], 0);
    assert_eq!(again[0]["user"], "ada");
    assert_eq!(again[1]["proof"], "validated");
}

#[tokio::test]
async fn what_is_no_handle_is_refused_and_not_repeated() {
    let id = "-W8Qb0fCTq2kYx3Jv5n1RgaW8Qb0fCTq2kYx3Jv5n1R";
    for command in ["show", "revoke"] {
        for text in ["short", id] {
            let arguments = ["sessions", command, text, "--store", "sqlite:unused.db"];
            let refused = check(&arguments, 2).await;
            assert!(refused.stderr.contains("22 characters"), "{refused:?}");
            assert!(!refused.stderr.contains(text), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_handle_may_begin_with_a_hyphen() {
    let world = World::start().await;
    let handle = "-AAAAAAAAAAAAAAAAAAAAA";
    for command in ["show", "revoke"] {
        let arguments = ["sessions", command, handle, "--store", &world.store];
        let unknown = check(&arguments, 1).await;
        let said = format!("{}{}", unknown.stdout, unknown.stderr);
        assert!(said.contains(handle), "{said}");
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_refused_and_not_made() {
    let world = World::start().await;
    let path = world.directory.path().join("typo.db");
    let store = sqlite(&path);
    let list = ["sessions", "list", "--store", &store, "--user", "ada"];
    let refused = check(&list, 2).await;
    assert!(
        refused.stderr.contains("there is no such file"),
        "{refused:?}"
    );
    check(&["users", "revoke", "ada", "--store", &store], 2).await;
    assert!(!path.exists());
}
