//! HAProxy and nginx, as `cargo xtask bring` unpacks them, configured to do what the gateway does.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::Process;

/// How long a peer may take until it serves.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The start script of a tool; a missing one is named with the command that brings it.
pub(crate) fn tool(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    // target/release/deps/gateway-…
    let target = program.ancestors().nth(3).unwrap();
    let path = target.join("tools/bin").join(name);
    assert!(path.exists(), "no {name}: run `cargo xtask bring {name}`");
    path
}

pub(crate) fn haproxy(workers: usize, backends: &[SocketAddr]) -> Process {
    let mut servers = String::new();
    for (place, at) in backends.iter().enumerate() {
        writeln!(servers, "  server s{place} {at} cookie s{place}").unwrap();
    }
    let address = free_address();
    let config = format!(
        "global\n  nbthread {workers}\n  maxconn 1000\n\
         defaults\n  mode http\n  option http-keep-alive\n  http-reuse always\n  \
         timeout connect 1s\n  timeout client 30s\n  timeout server 60s\n\
         frontend f\n  bind {address}\n  default_backend b\n\
         backend b\n  balance roundrobin\n  option forwardfor\n  \
         http-request set-header X-Forwarded-Proto http\n  \
         http-request set-header X-Forwarded-Host %[req.hdr(host)]\n  \
         cookie pin insert indirect nocache httponly\n{servers}"
    );
    start("haproxy", &config, &["-db", "-f"], address)
}

pub(crate) fn nginx(workers: usize, backends: &[SocketAddr]) -> Process {
    let mut servers = String::new();
    for at in backends {
        write!(servers, "server {at}; ").unwrap();
    }
    let address = free_address();
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path temp_{name};"))
        .concat();
    let config = format!(
        "daemon off; {user} worker_processes {workers}; pid nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 1000; }}\n\
         http {{ access_log off; {paths} keepalive_requests 1000000000;\n\
         upstream b {{ {servers} keepalive 64; keepalive_requests 1000000000; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://b; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
         proxy_set_header X-Forwarded-For $remote_addr;\n\
         proxy_set_header X-Forwarded-Proto http;\n\
         proxy_set_header X-Forwarded-Host $http_host; }} }} }}\n"
    );
    start(
        "nginx",
        &config,
        &["-e", "stderr", "-p", ".", "-c"],
        address,
    )
}

/// Runs the tool on its configuration, the last argument, and waits until it serves.
fn start(name: &str, config: &str, arguments: &[&str], address: SocketAddr) -> Process {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, config).unwrap();
    let child = Command::new(tool(name))
        .current_dir(directory.path())
        .args(arguments)
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process::peer(child, address, directory);
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "{name} does not serve {address}");
        std::thread::sleep(Duration::from_millis(10));
    }
    process
}

/// An address that nobody listens on: neither peer tells which one the system chose for it.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// What the tool says of its version, in one line.
pub(crate) fn version(name: &str) -> String {
    let output = Command::new(tool(name)).arg("-v").output().unwrap();
    // nginx writes it to standard error.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}
