//! A gateway of a configuration, whose backends follow a file.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyper::StatusCode;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::program::{Server, check, sqlite, until, within};

/// What the log says when the pool is as the file.
const FOLLOWED: &str = "the backends are as their file says";

/// Nodes on one store, and the files of a gateway before them.
struct World {
    directory: TempDir,
    nodes: Vec<Server>,
}

// === impl World ===

impl World {
    /// Nodes n1, n2 and so on.
    async fn start(nodes: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let store = sqlite(&directory.path().join("sessions.db"));
        let mut started = Vec::new();
        for number in 1..=nodes {
            started.push(Server::node(&format!("n{number}"), &store).await);
        }
        Self {
            directory,
            nodes: started,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The table of the node of this number, with more keys at its end.
    fn backend(&self, number: usize, more: &str) -> String {
        let address = self.nodes[number - 1].address;
        format!("[[backend]]\nname = \"n{number}\"\naddress = \"{address}\"\n{more}\n")
    }

    /// Replaces the file of the backends as a careful writer does.
    fn write_backends(&self, text: &str) {
        let next = self.path("backends.next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path("backends.toml")).unwrap();
    }

    async fn gateway(&self, more: &str) -> Server {
        let config = format!("listen = \"127.0.0.1:0\"\nworkers = 1\n{more}");
        fs::write(self.path("anynode.toml"), config).unwrap();
        Server::gateway(&self.path("anynode.toml")).await
    }

    /// A gateway before these backends, in a file that it follows.
    async fn following(&self, backends: &str) -> Server {
        self.write_backends(backends);
        self.gateway("[backends]\nfile = \"backends.toml\"\n").await
    }
}

/// Asks until each of these nodes has answered, and a few times more; no other node may.
async fn check_answering(client: &mut Client, nodes: &[&str]) {
    let mut seen = BTreeSet::new();
    let mut more: i32 = 12;
    within(async {
        while seen.len() < nodes.len() || more > 0 {
            let answer = client.get("/whoami").await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert!(nodes.contains(&answer.node.as_str()), "{answer:?}");
            seen.insert(answer.node);
            more -= 1;
        }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_makes_room_for_the_connections_that_its_configuration_allows() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("anynode.toml");
    let backend = "[[backend]]\nname = \"n1\"\naddress = \"127.0.0.1:9\"\n";
    for (hard, raised, is_enough) in [(4000, 2024, true), (900, 900, false)] {
        let limits = "[limits]\nconnections_max = 500\n";
        fs::write(
            &config,
            format!("listen = \"127.0.0.1:0\"\n{limits}{backend}"),
        )
        .unwrap();
        let mut gateway = Server::gateway_with_files(&config, 256, hard).await;
        assert_eq!(gateway.files_max(), (raised, hard));
        if !is_enough {
            gateway.logged("only 900 files may be open").await;
        }
        gateway.let_go();
        assert_eq!(gateway.ended().await, Some(0));
    }
}

#[tokio::test]
async fn a_gateway_serves_what_its_configuration_says_until_it_is_asked_to_stop() {
    let world = World::start(2).await;
    let backends = [world.backend(1, ""), world.backend(2, "")].concat();
    let mut gateway = world.gateway(&backends).await;
    let mut ada = Client::logged_in(gateway.address, "ada").await;
    check_answering(&mut ada, &["n1", "n2"]).await;

    gateway.signal(Signal::HUP);
    gateway.logged("nothing is read again").await;
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, Some(0));
    assert!(TcpStream::connect(gateway.address).await.is_err());
}

#[tokio::test]
async fn a_gateway_ends_with_its_parent() {
    let world = World::start(1).await;
    let mut gateway = world.gateway(&world.backend(1, "")).await;
    gateway.let_go();
    assert_eq!(gateway.ended().await, Some(0));
}

#[tokio::test]
async fn backends_come_drain_and_go_under_load_without_a_failed_request() {
    let world = World::start(3).await;
    let two = [world.backend(1, ""), world.backend(2, "")].concat();
    let mut gateway = world.following(&two).await;
    let load = Load::start(gateway.address).await;
    let mut eye = Client::logged_in(gateway.address, "eye").await;
    check_answering(&mut eye, &["n1", "n2"]).await;

    for (file, expected) in [
        (
            [two.clone(), world.backend(3, "")].concat(),
            &["n1", "n2", "n3"][..],
        ),
        (
            [
                world.backend(1, "state = \"drain\""),
                world.backend(2, ""),
                world.backend(3, ""),
            ]
            .concat(),
            &["n2", "n3"],
        ),
        (
            [world.backend(2, ""), world.backend(3, "weight = 2")].concat(),
            &["n2", "n3"],
        ),
        (world.backend(3, ""), &["n3"]),
        (
            [world.backend(1, ""), world.backend(3, "")].concat(),
            &["n1", "n3"],
        ),
    ] {
        load.goes_on().await;
        world.write_backends(&file);
        gateway.logged(FOLLOWED).await;
        check_answering(&mut eye, expected).await;
    }
    let requests = load.stop().await;
    println!("{requests} requests, none failed");
}

#[tokio::test]
async fn a_file_with_mistakes_changes_nothing_and_the_log_says_where_they_are() {
    let world = World::start(2).await;
    let one = world.backend(1, "");
    let mut gateway = world.following(&one).await;
    let mut ada = Client::logged_in(gateway.address, "ada").await;

    for (broken, place) in [
        (
            world.backend(2, "wait = 1"),
            "backends.toml:4:1: backend[0].wait: unknown key",
        ),
        (String::new(), "backends.toml:1:1: backend: there is none"),
        ("[[backend]]\nname =".to_owned(), "backends.toml:2:"),
    ] {
        world.write_backends(&broken);
        let line = gateway.logged("the backends stay as they are").await;
        assert!(line.contains(place), "{line}");
        assert!(line.contains("ERROR"), "{line}");
        check_answering(&mut ada, &["n1"]).await;
    }
    fs::remove_file(world.path("backends.toml")).unwrap();
    gateway.logged("cannot be read").await;
    check_answering(&mut ada, &["n1"]).await;

    world.write_backends(&world.backend(2, ""));
    gateway.logged(FOLLOWED).await;
    check_answering(&mut ada, &["n2"]).await;
    world.write_backends("backend = []\n");
    gateway.logged(FOLLOWED).await;
    let nobody = ada.get("/whoami").await;
    assert_eq!(nobody.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_client_stays_where_its_affinity_cookie_says() {
    let world = World::start(2).await;
    let key = world.path("affinity.key");
    fs::write(
        &key,
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    )
    .unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let affinity = "[affinity]\nkind = \"cookie\"\nname = \"pin\"\ntransport = \"insecure\"\n\
                    keys = [{ id = 1, file = \"affinity.key\" }]\n";
    let backends = [world.backend(1, ""), world.backend(2, "")].concat();
    let gateway = world.gateway(&format!("{affinity}{backends}")).await;

    let mut homes = BTreeSet::new();
    for _ in 0..4 {
        let mut client = Client::connect(gateway.address).await;
        let home = client.get("/whoami").await.node;
        assert!(client.cookie.as_ref().unwrap().starts_with("pin="));
        check_answering(&mut client, &[&home]).await;
        homes.insert(home);
    }
    assert_eq!(homes.len(), 2, "{homes:?}");
}

#[tokio::test]
async fn a_hangup_reads_the_backends_at_once_and_says_so() {
    let world = World::start(1).await;
    let mut gateway = world.following(&world.backend(1, "")).await;
    gateway.signal(Signal::HUP);
    gateway.logged("SIGHUP: reading the backends again").await;
    let line = gateway.logged(FOLLOWED).await;
    assert!(line.contains("backends=1 changes=0"), "{line}");
}

#[tokio::test]
async fn a_file_behind_a_symbolic_link_is_followed_to_another_one() {
    // As Kubernetes changes the files of a ConfigMap.
    let world = World::start(2).await;
    let link = |from: &Path, to: &Path| {
        let next = world.path("link.next");
        std::os::unix::fs::symlink(from, &next).unwrap();
        fs::rename(next, to).unwrap();
    };
    for number in [1, 2] {
        let name = format!("version{number}.toml");
        fs::write(world.path(&name), world.backend(number, "")).unwrap();
    }
    link(&world.path("version1.toml"), &world.path("backends.toml"));
    let mut gateway = world
        .gateway("[backends]\nfile = \"backends.toml\"\n")
        .await;
    let mut ada = Client::logged_in(gateway.address, "ada").await;
    check_answering(&mut ada, &["n1"]).await;
    link(&world.path("version2.toml"), &world.path("backends.toml"));
    gateway.logged(FOLLOWED).await;
    check_answering(&mut ada, &["n2"]).await;
}

#[tokio::test]
async fn a_taken_address_is_refused_with_the_key_that_chooses_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("anynode.toml");
    fs::write(&config, format!("listen = \"{address}\"\nbackend = []\n")).unwrap();
    let refused = check(&["gateway", "--config", config.to_str().unwrap()], 2).await;
    for part in ["anynode.toml: listen:", &address.to_string(), "in use"] {
        assert!(refused.stderr.contains(part), "{refused:?}");
    }
}

// === load ===

/// Users who visit without a pause; every visit has to be counted once.
struct Load {
    users: JoinSet<u64>,
    visits: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Load {
    async fn start(gateway: std::net::SocketAddr) -> Self {
        let mut load = Self {
            users: JoinSet::new(),
            visits: Arc::default(),
            stop: Arc::default(),
        };
        for number in 0..4 {
            let mut user = Client::logged_in(gateway, &format!("user{number}")).await;
            let (visits, stop) = (Arc::clone(&load.visits), Arc::clone(&load.stop));
            load.users.spawn(async move {
                let mut mine = 0;
                while !stop.load(Ordering::Relaxed) {
                    mine += 1;
                    // By POST, which the gateway never sends twice: what fails is seen.
                    let answer = user.post("/visit", "").await;
                    assert_eq!(answer.json()["visits"], mine, "{answer:?}");
                    visits.fetch_add(1, Ordering::Relaxed);
                }
                mine
            });
        }
        load
    }

    /// Waits until some more requests were answered.
    async fn goes_on(&self) {
        let before = self.visits.load(Ordering::Relaxed);
        until(|| self.visits.load(Ordering::Relaxed) >= before + 20).await;
    }

    /// Stops it and returns how many requests there were; any that failed has panicked.
    async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut requests = 0;
        while let Some(user) = self.users.join_next().await {
            requests += user.unwrap();
        }
        requests
    }
}
