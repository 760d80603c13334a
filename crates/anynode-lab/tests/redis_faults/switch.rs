//! A TCP relay whose far end can be changed, cut or made to stand still.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To this server.
    To(SocketAddr),
    /// Nowhere: they end, and new ones are refused.
    Cut,
}

/// A relay in front of a server. Dropped, it ends.
pub(crate) struct Switch {
    address: SocketAddr,
    way: watch::Sender<Way>,
    /// Bytes pass while this says so; nothing ends while it does not.
    flows: watch::Sender<bool>,
    _relaying: Arc<Mutex<JoinSet<()>>>,
}

// === impl Switch ===

impl Switch {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, ways) = watch::channel(Way::To(server));
        let (flows, flowing) = watch::channel(true);
        let relaying = Arc::new(Mutex::new(JoinSet::new()));
        let weak = Arc::downgrade(&relaying);
        let accept = async move {
            while let Ok((near, _)) = listener.accept().await {
                let Some(relaying) = weak.upgrade() else {
                    return;
                };
                let relay = relay(near, ways.clone(), flowing.clone());
                let mut relaying = relaying.lock().unwrap_or_else(PoisonError::into_inner);
                relaying.spawn(relay);
            }
        };
        relaying.lock().unwrap().spawn(accept);
        Self {
            address,
            way,
            flows,
            _relaying: relaying,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections; new ones go this way.
    pub(crate) fn turn(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// New connections lead to this server; those that there are stay where they are.
    pub(crate) fn lead(&self, server: SocketAddr) {
        self.way.send_if_modified(|way| {
            *way = Way::To(server);
            false
        });
    }

    /// Nothing passes from now on, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.flows.send_replace(false);
    }

    /// What waits passes, and all that comes.
    pub(crate) fn thaw(&self) {
        self.flows.send_replace(true);
    }
}

/// Relays a connection until the way changes.
async fn relay(near: TcpStream, mut ways: watch::Receiver<Way>, flows: watch::Receiver<bool>) {
    let Way::To(server) = *ways.borrow_and_update() else {
        return;
    };
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = pump(near_read, far_write, flows.clone());
    let back = pump(far_read, near_write, flows);
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = ways.changed() => {}
    }
}

async fn pump(
    from: tokio::net::tcp::OwnedReadHalf,
    to: tokio::net::tcp::OwnedWriteHalf,
    mut flows: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if from.readable().await.is_err() || flows.wait_for(|flows| *flows).await.is_err() {
            return;
        }
        let read = match from.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            if to.writable().await.is_err() {
                return;
            }
            match to.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
