//! A proxy in front of a Redis that speaks its protocol and breaks its order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Lets every second push be overtaken by what comes after it, as a proxy may that shares out what
/// it passes on.
#[derive(Debug)]
pub struct Overtaking {
    address: SocketAddr,
    accepting: AbortHandle,
}

/// How much later each second push arrives.
const LATER: Duration = Duration::from_millis(200);

// === impl Overtaking ===

impl Overtaking {
    /// Starts the proxy on a free port.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(upstream: SocketAddr) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(join(client, upstream));
            }
        });
        Ok(Self {
            address,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Overtaking {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn join(client: TcpStream, upstream: SocketAddr) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    // Either way is over when it ends; the client sees it by the end of the other.
    let asking = async {
        let _ = copy(&mut from_client, &mut to_server).await;
    };
    let answering = answer(from_server, Arc::new(Mutex::new(to_client)));
    tokio::join!(asking, answering);
}

async fn answer(mut from: OwnedReadHalf, to: Arc<Mutex<OwnedWriteHalf>>) {
    let (mut bytes, mut pushes) = (Vec::new(), 0_u64);
    while let Ok(1..) = from.read_buf(&mut bytes).await {
        while let Some(length) = frame(&bytes) {
            let frame: Vec<u8> = bytes.drain(..length).collect();
            pushes += u64::from(frame[0] == b'>');
            if frame[0] == b'>' && pushes.is_multiple_of(2) {
                let to = to.clone();
                tokio::spawn(async move {
                    sleep(LATER).await;
                    let _ = to.lock().await.write_all(&frame).await;
                });
            } else if to.lock().await.write_all(&frame).await.is_err() {
                return;
            }
        }
    }
}

/// How long the first whole value of RESP3 is.
fn frame(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    let count = || {
        let digits = std::str::from_utf8(&bytes[1..head - 2]).ok()?;
        Some(usize::try_from(digits.parse::<i64>().ok()?).unwrap_or(0))
    };
    let values = match bytes[0] {
        b'$' | b'!' | b'=' if bytes[1] == b'-' => return Some(head),
        b'$' | b'!' | b'=' => {
            let length = head + count()? + 2;
            return (bytes.len() >= length).then_some(length);
        }
        b'*' | b'~' | b'>' => count()?,
        b'%' => count()? * 2,
        _ => 0,
    };
    (0..values).try_fold(head, |at, _| Some(at + frame(bytes.get(at..)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_whole_and_one_by_one() {
        let whole = |text: &str| frame(text.as_bytes());
        assert_eq!(whole("+OK\r\n:1\r\n"), Some(5));
        assert_eq!(whole("$3\r\nabc\r\n+"), Some(9));
        assert_eq!(whole("$-1\r\n"), Some(5));
        assert_eq!(whole(">2\r\n$1\r\na\r\n*1\r\n_\r\n:5\r\n"), Some(18));
        assert_eq!(whole("%1\r\n+a\r\n:1\r\n"), Some(12));
        for part in ["", "+OK\r", "$3\r\nabc\r", "*2\r\n:1\r\n"] {
            assert_eq!(whole(part), None, "{part:?}");
        }
    }
}
