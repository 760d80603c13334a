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
    app::Variant,
    server::{Server, pin_load},
    stats::{Estimate, estimate, median},
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
}

struct Sample {
    per_second: f64,
    cpu_micros: f64,
}

/// Measures every variant beside the application without sessions.
pub(crate) fn measure(rounds: usize) -> Vec<Row> {
    let base = Server::start(Variant::Without);
    let servers: Vec<_> = Variant::ALL
        .into_iter()
        .map(|variant| (variant, Server::start(variant)))
        .collect();
    pin_load();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = |server: &Server| runtime.block_on(slice(server));
    for (_, server) in &servers {
        run(server);
    }
    let mut pairs: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); servers.len()];
    for round in 0..rounds {
        for ((_, server), pair) in servers.iter().zip(&mut pairs) {
            // Who goes first alternates, so that a drift of the machine favours nobody.
            let (before, sample) = if round % 2 == 0 {
                let before = run(&base);
                (before, run(server))
            } else {
                let sample = run(server);
                (run(&base), sample)
            };
            pair.0.push(sample.per_second / before.per_second);
            pair.1.push(sample.cpu_micros);
        }
    }
    let rows = servers.iter().zip(pairs);
    rows.map(|((variant, _), (ratios, cpu))| Row {
        variant: *variant,
        ratio: estimate(ratios),
        cpu_micros: median(cpu),
    })
    .collect()
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
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\r\n7"));
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
