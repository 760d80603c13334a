//! One connection through the proxy, from its begin to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::flow::Flow;
use super::orders::{Ending, Orders};
use super::proxy::Counts;
use super::{Fault, Way};

/// How long one that is closed in order may still send.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Forwards between a client and the server, as ordered.
pub(super) async fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    seed: u64,
    mut ordered: watch::Receiver<Orders>,
    counts: Arc<Counts>,
) {
    let Orders { fault, number, .. } = ordered.borrow().clone();
    if let Some(ending) = fault.ending() {
        return end(client, None, ending, &mut ordered, &counts).await;
    }
    if fault == Fault::Refuse {
        // It came before there was no listener.
        return reset(client);
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        // As near to a refusal as one comes who has accepted.
        return reset(client);
    };
    // Pieces arrive as they were sent, not when there are more of them.
    if client
        .set_nodelay(true)
        .and(server.set_nodelay(true))
        .is_err()
    {
        return reset(client);
    }
    let there = Flow::new(Way::ToServer, seed, ordered.clone(), &counts);
    let back = Flow::new(Way::ToClient, !seed, ordered.clone(), &counts);
    let both = forward([&mut client, &mut server], [there, back]);
    let ending = tokio::select! {
        biased;
        ending = ended_since(number, ordered.clone()) => Some(ending),
        ending = both => ending,
    };
    if let Some(ending) = ending {
        end(client, Some(server), ending, &mut ordered, &counts).await;
    }
}

/// Forwards until both directions have ended in order, or something ends the connection.
async fn forward(ends: [&mut TcpStream; 2], flows: [Flow<'_>; 2]) -> Option<Ending> {
    let [(from_client, to_client), (from_server, to_server)] = ends.map(TcpStream::split);
    let [there, back] = flows;
    let both = async {
        tokio::try_join!(
            there.run(from_client, to_server),
            back.run(from_server, to_client)
        )
    };
    both.await.err()
}

async fn ended_since(born: u64, mut ordered: watch::Receiver<Orders>) -> Ending {
    let is_meant = |orders: &Orders| orders.ended.is_some_and(|(number, _)| number > born);
    let ending = match ordered.wait_for(is_meant).await {
        Ok(orders) => orders.ended,
        Err(_) => None,
    };
    match ending {
        Some((_, ending)) => ending,
        // There is no proxy any more, and this is about to be dropped.
        None => std::future::pending().await,
    }
}

async fn end(
    mut client: TcpStream,
    server: Option<TcpStream>,
    ending: Ending,
    ordered: &mut watch::Receiver<Orders>,
    counts: &Counts,
) {
    counts.hit();
    match ending {
        Ending::Reset => {
            reset(client);
            server.into_iter().for_each(reset);
        }
        Ending::Cut => {
            let server = async {
                if let Some(mut server) = server {
                    close(&mut server).await;
                }
            };
            tokio::join!(close(&mut client), server);
        }
        Ending::HalfOpen => {
            drop(server);
            leave_half_open(client, ordered).await;
        }
    }
}

/// Closes with a RST in place of a FIN.
fn reset(stream: TcpStream) {
    // It fails on a socket that has ended already.
    let _ = stream.set_zero_linger();
}

/// Closes with a FIN. What the other side still sends is read for a while, because a socket
/// that is closed with something unread sends a RST.
async fn close(stream: &mut TcpStream) {
    if stream.shutdown().await.is_ok() {
        let _ = timeout(LAST_WORDS, swallow(stream)).await;
    }
}

/// Reads until the other side ends.
async fn swallow(stream: &mut TcpStream) {
    let mut nowhere = [0; 4096];
    while stream.read(&mut nowhere).await.is_ok_and(|read| read > 0) {}
}

/// Tells the client nothing; once the order is another, the next thing that it sends is answered
/// by a RST.
async fn leave_half_open(mut client: TcpStream, ordered: &mut watch::Receiver<Orders>) {
    let mut nowhere = [0; 4096];
    let healed = ordered.wait_for(|orders| orders.fault != Fault::HalfOpen);
    let mut healed = std::pin::pin!(async {
        let _ = healed.await;
    });
    loop {
        tokio::select! {
            biased;
            () = &mut healed => break,
            read = client.read(&mut nowhere) => match read {
                // Its FIN is swallowed as well.
                Ok(0) => break healed.await,
                Ok(_) => {}
                Err(_) => return,
            },
        }
    }
    let _ = client.read(&mut nowhere).await;
    reset(client);
}
