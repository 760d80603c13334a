//! The three servers behind the gateway, each of which tells what it saw.

use std::convert::Infallible;
use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use crate::wire::ask;

/// A server that answers every request with what it saw.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    /// Ends with its standard input, which this closes.
    _process: Option<Child>,
}

/// A request as a backend saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `METHOD TARGET BODY`, the last only if there is one.
    pub(crate) request: String,
    /// Its fields and trailers, one a line, names in lower case.
    pub(crate) fields: String,
}

type Log = Arc<Mutex<Vec<String>>>;

// === impl Backend ===

impl Backend {
    /// Starts a script of this directory with a tool that `cargo xtask bring` unpacked.
    pub(crate) fn tool(name: &str, script: &str) -> Self {
        let program = target().join("tools/bin").join(name);
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/desync")
            .join(script);
        let started = Command::new(&program)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let program = program.display();
        let mut process = started.unwrap_or_else(|error| {
            panic!("cannot start {program}: {error}; run `cargo xtask bring {name}`")
        });
        let mut port = String::new();
        let said = process.stdout.as_mut().unwrap();
        BufReader::new(said).read_line(&mut port).unwrap();
        let port: u16 = port.trim().parse().unwrap();
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            _process: Some(process),
        }
    }

    /// Starts hyper on a thread of its own, which ends with the test's process.
    pub(crate) fn hyper() -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(sender));
        });
        Self {
            address: receiver.recv().unwrap(),
            _process: None,
        }
    }

    /// Returns what it saw since it was last asked.
    pub(crate) fn log(&self) -> Vec<Seen> {
        let answer = ask(self.address, "/log");
        answer.body.lines().map(Seen::parse).collect()
    }
}

/// The directory that cargo builds into, of which tests run in `debug/deps`.
fn target() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

async fn serve(started: mpsc::Sender<SocketAddr>) {
    let log = Log::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    started.send(listener.local_addr().unwrap()).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let log = Arc::clone(&log);
        let service = service_fn(move |request| {
            let log = Arc::clone(&log);
            async move { Ok::<_, Infallible>(answer(&log, request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .max_buf_size(128 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        // A connection that the gateway cuts ends with an error.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
    }
}

async fn answer(log: &Log, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri() == "/log" {
        let lines = std::mem::take(&mut *log.lock().unwrap()).join("\n");
        return Response::new(Full::from(lines));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let mut fields = listed(&head.headers, "");
    if let Some(trailers) = body.trailers() {
        fields += &listed(trailers, "trailer ");
    }
    let line = [
        head.method.to_string(),
        hex(head.uri.to_string().as_bytes()),
        hex(&body.to_bytes()),
        hex(fields.as_bytes()),
    ];
    let line = line.join(" ");
    log.lock().unwrap().push(line.clone());
    Response::new(Full::from(line))
}

fn listed(headers: &HeaderMap, mark: &str) -> String {
    let lines = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{mark}{name}: {value}\n")
    });
    lines.collect()
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Seen ===

impl Seen {
    /// Reads a line as the backends write it: method, and target, body and fields in hexadecimal.
    pub(crate) fn parse(line: &str) -> Self {
        let mut words = line.split(' ');
        let method = words.next().unwrap();
        let mut text = || unhex(words.next().unwrap_or_else(|| panic!("no line: {line:?}")));
        let (target, body, fields) = (text(), text(), text());
        let request = format!("{method} {target} {body}");
        Self {
            request: request.trim_end().to_owned(),
            fields,
        }
    }
}

fn unhex(text: &str) -> String {
    if text == "-" {
        return String::new();
    }
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}
