//! Load from one core: keep-alive connections that each send the next request when the last
//! one is answered.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    server::Server,
    stats::{Estimate, estimate, median},
    variant::Variant,
    visitors::KNOWN,
};

/// How long one half of a pair takes.
pub(crate) const SLICE: Duration = Duration::from_millis(400);
/// Enough to keep the server's core busy.
pub(crate) const CONNECTIONS: usize = 32;

/// What came out for one variant.
pub(crate) struct Row {
    pub(crate) variant: Variant,
    pub(crate) ratio: Estimate,
    pub(crate) cpu_micros: f64,
    pub(crate) cpu_ratio: f64,
}

struct Sample {
    per_second: f64,
    cpu_micros: f64,
}

/// Measures every variant beside the application without sessions.
pub(crate) fn measure(base: &Server, servers: &[(Variant, Server)], rounds: usize) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = |server: &Server| runtime.block_on(slice(server));
    for (_, server) in servers {
        run(server);
    }
    let mut pairs: Vec<Vec<(Sample, Sample)>> = servers.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for ((_, server), pairs) in servers.iter().zip(&mut pairs) {
            // Who goes first alternates, so that a drift of the machine favours nobody.
            let (before, sample) = if round % 2 == 0 {
                let before = run(base);
                (before, run(server))
            } else {
                let sample = run(server);
                (run(base), sample)
            };
            pairs.push((before, sample));
        }
    }
    let rows = servers.iter().zip(pairs);
    rows.map(|((variant, _), pairs)| Row::of(*variant, &pairs))
        .collect()
}

// === impl Row ===

impl Row {
    fn of(variant: Variant, pairs: &[(Sample, Sample)]) -> Self {
        let of = |figure: fn(&(Sample, Sample)) -> f64| pairs.iter().map(figure).collect();
        Self {
            variant,
            ratio: estimate(of(|(base, it)| it.per_second / base.per_second)),
            cpu_micros: median(of(|(_, it)| it.cpu_micros)),
            cpu_ratio: median(of(|(base, it)| it.cpu_micros / base.cpu_micros)),
        }
    }
}

async fn slice(server: &Server) -> Sample {
    let answered = AtomicU64::new(0);
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(("127.0.0.1", server.port))
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
    }
    let (begun, cpu) = (Instant::now(), server.cpu_nanos());
    let deadline = begun + SLICE;
    let tasks = streams
        .into_iter()
        .enumerate()
        .map(|(first, stream)| connection(stream, server, first, deadline, &answered));
    futures_util::future::join_all(tasks).await;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), server.cpu_nanos() - cpu);
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (answered, cpu) = (answered.into_inner() as f64, cpu as f64);
    Sample {
        per_second: answered / seconds,
        cpu_micros: cpu / answered / 1_000.0,
    }
}

async fn connection(
    mut stream: TcpStream,
    server: &Server,
    first: usize,
    deadline: Instant,
    answered: &AtomicU64,
) {
    let cookies = server.cookies.iter().cycle().skip(first * 31);
    let mut buffer = vec![0; 4_096];
    for cookie in cookies {
        if Instant::now() >= deadline {
            return;
        }
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        let answer = &buffer[..read];
        // The answers are short: head and body arrive in one read, and end in the body.
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(KNOWN.as_bytes()));
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
