//! Active checks: every backend is asked again and again whether it is well.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anynode_core::balance::Check;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::backends::{Backends, Seat};
use crate::body::RequestBody;
use crate::config::{HealthCheck, Probe};

/// The most bytes of a check's answer that are buffered.
const BUFFER_BYTES: usize = 16 * 1024;

/// Checks all backends, those that come included, until it is dropped.
pub(crate) async fn check_all(backends: Backends, check: HealthCheck) {
    let check = Arc::new(check);
    let mut changes = backends.changes();
    let mut checking: HashMap<u64, Checking> = HashMap::new();
    loop {
        let seats = backends.seats();
        checking.retain(|serial, _| seats.iter().any(|(_, seat)| seat.serial == *serial));
        for (id, seat) in seats {
            let (backends, check) = (backends.clone(), Arc::clone(&check));
            checking.entry(seat.serial).or_insert_with(|| {
                Checking(tokio::spawn(async move {
                    for round in 0_u32.. {
                        sleep(wait(&check, seat.serial, round)).await;
                        let result = ask(&check, &seat).await;
                        backends.checked(id, &seat, result);
                    }
                }))
            });
        }
        // The sender lives as long as this handle to the pool.
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The task that checks one backend, which ends with this.
struct Checking(JoinHandle<()>);

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long to wait before a check: up to a tenth less than the period, and for the first one at most a tenth of it.
///
/// Different for each backend and each round, which is all that is wanted of it: it need not be unpredictable.
fn wait(check: &HealthCheck, serial: u64, round: u32) -> Duration {
    let spread = u64::from(round).wrapping_mul(7) + serial.wrapping_mul(5);
    let tenth = check.period / 10;
    let part = u32::try_from(spread % 16).expect("less than 16 fits");
    let jitter = tenth * part / 16;
    if round == 0 {
        jitter
    } else {
        check.period - jitter
    }
}

async fn ask(check: &HealthCheck, seat: &Seat) -> Check {
    let asking = async {
        let stream = TcpStream::connect(seat.address).await.ok()?;
        match &check.probe {
            Probe::Tcp => Some(()),
            Probe::Http { path } => get(stream, path, seat.address).await,
        }
    };
    match timeout(check.timeout, asking).await {
        Ok(Some(())) => Check::Passed,
        _ => {
            debug!(backend = %seat.name, "a check failed");
            Check::Failed
        }
    }
}

/// Asks for `path` and returns when the answer's head says that all is well.
async fn get(stream: TcpStream, path: &str, address: SocketAddr) -> Option<()> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = path.parse::<Uri>().ok()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(address.to_string()).ok()?);
    headers.insert(USER_AGENT, HeaderValue::from_static("anynode-gateway"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut answering = pin!(sender.send_request(request));
    let response = tokio::select! {
        biased;
        response = answering.as_mut() => response,
        // It drives the connection, and may end together with the answer.
        _ = connection => answering.await,
    };
    response.ok()?.status().is_success().then_some(())
}
