//! One HTTP/1.1 connection of a client, from an address of its choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Error, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// A longer answer is an error: nothing that is asked for here is as long.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take, body included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

// === impl Connection ===

impl Connection {
    /// Connects from the address `from`, or from the one that the system chooses.
    pub(crate) async fn open(to: SocketAddr, from: Option<Ipv4Addr>) -> Result<Self, Error> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = from {
            socket.bind((from, 0).into())?;
        }
        let stream = timeout(CONNECT_TIMEOUT, socket.connect(to)).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, or with the server, which the next request then finds out.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Whether the other side has not closed it, as far as is known.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads the answer whole.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, Error> {
        let answer = async {
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let body = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => bail!("the answer broke off: {error}"),
            };
            Ok(Response::from_parts(head, body))
        };
        timeout(ANSWER_TIMEOUT, answer).await?
    }
}

/// Asks for `path` on a connection of its own, from the address `from` if one is named.
pub(crate) async fn get(
    server: SocketAddr,
    from: Option<Ipv4Addr>,
    path: &str,
) -> Result<Response<Bytes>, Error> {
    let request = Request::get(path)
        .header("Host", server.to_string())
        .body(Full::default())
        .context("the path is none")?;
    let answer = Connection::open(server, from).await?.send(request).await?;
    if !answer.status().is_success() {
        bail!("{path} of {server} is answered {}", answer.status());
    }
    Ok(answer)
}

/// Asks for `path` and returns the text of the answer.
pub(crate) async fn text_of(server: SocketAddr, path: &str) -> Result<String, Error> {
    let answer = get(server, None, path).await?;
    Ok(String::from_utf8_lossy(answer.body()).into_owned())
}
