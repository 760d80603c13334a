//! The load: connections that each send at scheduled times, like browsers that keep their cookies.
//!
//! A thread for each connection, because the kernel wakes a sleeping thread within microseconds
//! of its time, and a runtime's timers within a millisecond.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use crate::backend::BODY_BYTES;
use crate::contender::Contender;
use crate::process::Process;

/// Connections, each with its own cookies.
pub(crate) const CONNECTIONS: u32 = 64;
/// How long a slice runs before it counts.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);
/// How long a slice counts.
pub(crate) const SLICE: Duration = Duration::from_secs(5);

pub(crate) struct Load {
    connections: Vec<Connection>,
}

/// What one slice gave.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Time of the proxy for each answered request, in microseconds.
    pub(crate) cpu_micros: f64,
    /// From the scheduled time to the last byte, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

struct Connection {
    stream: TcpStream,
    /// What follows the session's cookie: the affinity cookie, once there is one.
    pin: String,
    buffer: Vec<u8>,
}

// === impl Load ===

impl Load {
    /// Connects to the addresses in turns.
    pub(crate) fn connect(connections: u32, addresses: &[SocketAddr]) -> Self {
        let addresses = addresses.iter().cycle();
        let connections = (0..connections).zip(addresses);
        Self {
            connections: connections.map(|(_, at)| Connection::open(*at)).collect(),
        }
    }

    /// Sends `rate` requests per second for a slice, and sees what they cost `process`.
    pub(crate) fn measure(mut self, contender: Contender, rate: u32, process: &Process) -> Sample {
        self.run(rate, WARM_UP);
        for connection in &self.connections {
            assert_ne!(connection.pin.is_empty(), contender.pins(), "{contender:?}");
        }
        let before = process.cpu_nanos();
        let mut nanos = self.run(rate, SLICE);
        let cpu = process.cpu_nanos() - before;
        nanos.sort_unstable();
        let at = |share: usize| micros(nanos[nanos.len() * share / 100]);
        Sample {
            cpu_micros: micros(cpu / u64::try_from(nanos.len()).unwrap()),
            p50: at(50),
            p99: at(99),
        }
    }

    /// Sends so many requests on the first connection, each when the last one is answered.
    pub(crate) fn send(mut self, requests: u64) {
        for _ in 0..requests {
            self.connections[0].exchange();
        }
    }

    /// Requests per second when each connection sends as soon as it was answered.
    pub(crate) fn most(mut self) -> usize {
        let end = Instant::now() + WARM_UP;
        let answered = each(&mut self.connections, |_, connection| {
            let mut answered = 0;
            while Instant::now() < end {
                connection.exchange();
                answered += 1;
            }
            answered
        });
        answered.into_iter().sum()
    }

    fn run(&mut self, rate: u32, length: Duration) -> Vec<u64> {
        // Time for all threads to start.
        let begin = Instant::now() + Duration::from_millis(100);
        let count = rate * u32::try_from(length.as_secs()).unwrap() / CONNECTIONS;
        let latencies = each(&mut self.connections, |place, connection| {
            let schedule = (0..count).map(|turn| {
                let before = turn * CONNECTIONS + place;
                begin + Duration::from_secs(1) * before / rate
            });
            connection.keep(schedule)
        });
        latencies.into_iter().flatten().collect()
    }
}

/// Runs `act` for every connection at once, each on a thread of its own.
fn each<T: Send>(
    connections: &mut [Connection],
    act: impl Fn(u32, &mut Connection) -> T + Sync,
) -> Vec<T> {
    std::thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> = (0..)
            .zip(connections)
            .map(|(place, connection)| scope.spawn(move || act(place, connection)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

// === impl Connection ===

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        // Nothing a contender does takes that long; one that hangs ends the benchmark.
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        Self {
            stream,
            pin: String::new(),
            buffer: vec![0; 4 * BODY_BYTES],
        }
    }

    /// Sends at the scheduled times, or at once if it is late, and returns the latencies in nanoseconds.
    fn keep(&mut self, schedule: impl Iterator<Item = Instant>) -> Vec<u64> {
        // By default the kernel may wake a thread 50 microseconds late.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000));
        let answer = |due: Instant| {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.exchange();
            u64::try_from(due.elapsed().as_nanos()).unwrap()
        };
        schedule.map(answer).collect()
    }

    fn exchange(&mut self) {
        let request = format!(
            "GET /shop?item=7 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
             Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.5\r\n\
             Accept-Encoding: gzip, deflate, br\r\nCookie: __Host-id={:A<43}{}\r\n\r\n",
            "", self.pin
        );
        self.stream.write_all(request.as_bytes()).unwrap();
        let mut read = 0;
        let head = loop {
            let more = self.stream.read(&mut self.buffer[read..]).unwrap();
            assert!(more > 0, "the connection was closed");
            read += more;
            let end = self.buffer[..read]
                .windows(4)
                .position(|at| at == b"\r\n\r\n");
            if let Some(end) = end.filter(|end| read >= end + 4 + BODY_BYTES) {
                assert_eq!(read, end + 4 + BODY_BYTES, "more than one answer");
                break &self.buffer[..end];
            }
        };
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", head.escape_ascii());
        if let Some(pin) = set_cookie(head) {
            self.pin = format!("; {pin}");
        }
    }
}

/// The name and value of the cookie that an answer sets.
fn set_cookie(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).unwrap();
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let cookie = value.split(';').next()?;
        name.eq_ignore_ascii_case("set-cookie").then_some(cookie)
    })
}

#[allow(clippy::cast_precision_loss, reason = "times far below 2^52")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}
