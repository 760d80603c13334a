//! What starts and ends, and with which exit code.

use std::net::TcpListener;

use hyper::StatusCode;
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::client::Client;
use crate::program::{Up, anynode, run, within};

/// Runs the program, which has to refuse with exit code 2, and looks for each part in its reason.
async fn check_refused(arguments: &[&str], expected: &[&str]) {
    let output = run(arguments).await;
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {reason}");
    for part in expected {
        assert!(reason.contains(part), "{arguments:?}: {reason}");
    }
    assert!(!reason.contains("hunter2"), "{reason}");
}

#[tokio::test]
async fn a_taken_port_is_refused_with_the_flag_that_chooses_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let arguments = ["up", "--listen", &address, "--state", state];
    check_refused(&arguments, &["--listen", &address, "in use"]).await;
}

#[tokio::test]
async fn what_cannot_be_done_as_typed_is_refused_with_the_reason() {
    let mysql = ["up", "--store", "mysql://:hunter2@localhost/"];
    check_refused(&mysql, &["--store", "mysql:", "feature `mysql`", "sqlite"]).await;
    let unknown = ["--store", "hunter2:somewhere"];
    check_refused(&unknown, &["--store", "names no store"]).await;
    let anyone = ["up", "--listen", "0.0.0.0:0", "--store", "sqlite:unused.db"];
    check_refused(&anyone, &["--listen", "loopback"]).await;
    check_refused(&["up", "--no-such-flag"], &["--no-such-flag"]).await;
    check_refused(&["up", "--nodes", "0"], &["--nodes"]).await;
    let memory = ["up", "--strategy", "memory"];
    check_refused(&memory, &["--strategy", "near-cache", "central"]).await;
    check_refused(&["no-such-command"], &["no-such-command"]).await;
}

#[tokio::test]
async fn a_state_directory_beside_a_store_is_refused_wherever_the_store_is_named() {
    let state = ["up", "--listen", "127.0.0.1:0", "--state", "unused"];
    let store = "redis://:hunter2@localhost/";
    let flags = [&state[..], &["--store", store]].concat();
    check_refused(&flags, &["--state", "--store", "ANYNODE_STORE"]).await;

    let mut command = anynode(&state);
    let output = within(command.env("ANYNODE_STORE", store).output());
    let output = output.await.unwrap();
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{reason}");
    assert!(reason.contains("--state"), "{reason}");
    assert!(reason.contains("ANYNODE_STORE"), "{reason}");
    assert!(!reason.contains("hunter2"), "{reason}");
}

#[tokio::test]
async fn a_signal_stops_gateway_and_nodes_and_the_exit_code_is_0() {
    let mut up = Up::start().await;
    Client::logged_in(up.gateway, "ada").await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.code(), Some(0));
    assert!(up.nodes.iter().all(|node| !node.is_running()));
    assert!(TcpStream::connect(up.gateway).await.is_err());
}

#[tokio::test]
async fn a_node_that_does_not_stop_is_killed() {
    let mut up = Up::start().await;
    up.nodes[1].signal(Signal::STOP);
    up.signal(Signal::INT);
    assert_eq!(up.ended().await.code(), Some(0));
    assert!(up.nodes.iter().all(|node| !node.is_running()));
}

#[tokio::test]
async fn no_node_outlives_a_program_that_was_killed() {
    let mut up = Up::start().await;
    up.signal(Signal::KILL);
    up.ended().await;
    up.nodes_ended().await;
}

#[tokio::test]
async fn the_fleet_goes_on_when_nobody_reads_what_it_prints() {
    let mut up = Up::start().await;
    up.close_stdout();
    let mut user = Client::logged_in(up.gateway, "ada").await;
    up.nodes[0].signal(Signal::KILL);
    // The new node is known by its answers, since nobody can read that it was started.
    let old = i64::from(up.nodes[0].pid.as_raw_nonzero().get());
    loop {
        let answer = user.get("/whoami").await;
        assert_eq!(answer.status, StatusCode::OK);
        if answer.node == "n1" && answer.json()["pid"] != old {
            break;
        }
    }
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.code(), Some(0));
}
