//! The do-nothing proxy: what is left of a proxy on hyper when everything that can go is gone.
//!
//! It passes heads as they are, takes turns among the backends, keeps connections to them, and
//! knows no limit, no timeout, no failure and no end. A worker is one thread with one runtime
//! and its own connections, as in the gateway.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hyper::body::Incoming;
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::spawn;

use crate::process::announce;

struct Proxy {
    backends: Vec<(SocketAddr, Mutex<Vec<SendRequest<Incoming>>>)>,
    turn: AtomicUsize,
}

pub(crate) fn serve(workers: usize, backends: &[SocketAddr]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    for _ in 0..workers {
        let (listener, backends) = (listener.try_clone().unwrap(), backends.to_vec());
        thread::spawn(move || work(listener, &backends));
    }
    announce(listener.local_addr().unwrap());
}

fn work(listener: TcpListener, backends: &[SocketAddr]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let backends = backends.iter().map(|&at| (at, Mutex::default()));
        let proxy = Arc::new(Proxy {
            backends: backends.collect(),
            turn: AtomicUsize::default(),
        });
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let proxy = Arc::clone(&proxy);
            spawn(async move {
                let service = service_fn(|request| proxy.pass(request));
                let serving = server::Builder::new();
                let _ = serving
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

// === impl Proxy ===

impl Proxy {
    async fn pass(&self, request: Request<Incoming>) -> hyper::Result<Response<Incoming>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (address, idle) = &self.backends[turn % self.backends.len()];
        let ready = {
            let mut idle = idle.lock().unwrap();
            let ready = idle.iter().rposition(SendRequest::is_ready);
            ready.map(|ready| idle.swap_remove(ready))
        };
        let mut sender = match ready {
            Some(sender) => sender,
            None => connect(*address).await?,
        };
        let response = sender.send_request(request).await?;
        // It is ready again when the body has gone through.
        idle.lock().unwrap().push(sender);
        Ok(response)
    }
}

async fn connect(address: SocketAddr) -> hyper::Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    spawn(async { drop(connection.await) });
    Ok(sender)
}
