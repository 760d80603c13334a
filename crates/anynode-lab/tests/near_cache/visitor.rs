//! A visitor of the sample application, with connections that stay open.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::{PATIENCE, eventually};

/// Somebody with the cookies of a login.
#[derive(Clone)]
pub(crate) struct Visitor {
    cookies: String,
}

/// An event stream.
pub(crate) struct Events {
    visitor: Visitor,
    node: SocketAddr,
    lines: Lines<BufReader<TcpStream>>,
}

/// A WebSocket, as far as short frames go.
pub(crate) struct Socket(BufReader<TcpStream>);

/// The head of an answer, and what follows.
struct Answer {
    status: u16,
    cookies: Vec<String>,
    lines: Lines<BufReader<TcpStream>>,
}

// === impl Visitor ===

impl Visitor {
    /// Somebody of this name, who logged in at this node.
    pub(crate) async fn logged_in(node: SocketAddr, name: &str) -> Self {
        let mut visitor = Self {
            cookies: String::new(),
        };
        let answer = visitor.post(node, "/login", &format!("name={name}")).await;
        assert!(!answer.cookies.is_empty(), "a login without a cookie");
        visitor.cookies = answer.cookies.join("; ");
        visitor
    }

    /// Has this node do something with the session; it may be busy.
    pub(crate) async fn does(&self, node: SocketAddr, path: &str) {
        self.post(node, path, "").await;
    }

    /// An event stream of this node, which has to be there for who is logged in.
    pub(crate) async fn events(&self, node: SocketAddr) -> Events {
        self.try_events(node).await.expect("somebody is logged in")
    }

    /// What this node answers to a request for an event stream.
    pub(crate) async fn asks(&self, node: SocketAddr) -> u16 {
        self.get(node, "/session/events", "").await.status
    }

    /// A WebSocket to this node, which has greeted.
    pub(crate) async fn socket(&self, node: SocketAddr) -> Socket {
        let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        let answer = self.get(node, "/session/socket", upgrade).await;
        assert_eq!(answer.status, 101);
        let mut socket = Socket(answer.lines.into_inner());
        let (opcode, _) = socket.frame().await;
        assert_eq!(opcode, 1, "the greeting is text");
        socket
    }

    /// An event stream; `None` for who is not logged in any more. A node that cannot know yet is
    /// asked again.
    async fn try_events(&self, node: SocketAddr) -> Option<Events> {
        let mut found = None;
        eventually("it is known whether somebody is logged in", async || {
            let answer = self.get(node, "/session/events", "").await;
            match answer.status {
                200 => found = Some(Some(answer.lines)),
                401 => found = Some(None),
                _ => {}
            }
            found.is_some()
        })
        .await;
        let mut events = Events {
            visitor: self.clone(),
            node,
            lines: found??,
        };
        assert_eq!(events.line().await.as_deref(), Some("event: here"));
        Some(events)
    }

    async fn post(&self, node: SocketAddr, path: &str, form: &str) -> Answer {
        let mut answered = None;
        eventually("it is answered", async || {
            let more = format!(
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
                form.len()
            );
            let answer = self.send(node, "POST", path, &more, form).await;
            let is_done = answer.status == 303;
            answered = Some(answer);
            is_done
        })
        .await;
        answered.unwrap()
    }

    async fn get(&self, node: SocketAddr, path: &str, more: &str) -> Answer {
        self.send(node, "GET", path, more, "").await
    }

    async fn send(
        &self,
        to: SocketAddr,
        method: &str,
        path: &str,
        more: &str,
        form: &str,
    ) -> Answer {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let cookies = &self.cookies;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {to}\r\ncookie: {cookies}\r\n\
             sec-fetch-site: same-origin\r\n{more}\r\n{form}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Answer::read(stream).await
    }
}

// === impl Answer ===

impl Answer {
    async fn read(stream: TcpStream) -> Self {
        let mut lines = BufReader::new(stream).lines();
        let reading = async {
            let first = lines.next_line().await.unwrap().expect("an answer");
            let status = first.split(' ').nth(1).unwrap().parse().unwrap();
            let mut cookies = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.is_empty() {
                    break;
                }
                if let Some(cookie) = line.strip_prefix("set-cookie: ") {
                    cookies.extend(cookie.split(';').next().map(str::to_owned));
                }
            }
            (status, cookies)
        };
        let (status, cookies) = timeout(PATIENCE, reading).await.expect("it is answered");
        Self {
            status,
            cookies,
            lines,
        }
    }
}

// === impl Events ===

impl Events {
    /// Waits until it is closed by this. A node on a machine that stands still may ask before it
    /// is told, and learns no cause; or it may not know any more, and its clients come again.
    pub(crate) async fn closed_by(mut self, cause: &str) {
        loop {
            let end = self.end().await;
            if end == cause || end == "ended" {
                return;
            }
            assert_eq!(end, "unknown", "not {cause}");
            match self.visitor.try_events(self.node).await {
                Some(again) => self = again,
                // It has ended, which is all that a new request is told.
                None => return,
            }
        }
    }

    /// Why it ended.
    pub(crate) async fn end(&mut self) -> String {
        while let Some(line) = self.line().await {
            if line == "event: ended" {
                let data = self.line().await.expect("it says why");
                return data.strip_prefix("data: ").unwrap().to_owned();
            }
        }
        "it broke off".to_owned()
    }

    /// The next line that is of the stream, and not of how it is cut into chunks.
    async fn line(&mut self) -> Option<String> {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.expect("a stream that lives has beats").ok()??;
            if line.contains(": ") {
                return Some(line);
            }
        }
    }
}

// === impl Socket ===

impl Socket {
    /// As [`Events::closed_by`], and whoever does not know any more says so.
    pub(crate) async fn closed_by(self, cause: &str) {
        let (code, reason) = self.end().await;
        let expected = match reason.as_str() {
            "unknown" => 1013,
            _ => 1008,
        };
        assert_eq!(code, expected);
        let reasons = [cause, "ended", "unknown"];
        assert!(reasons.contains(&reason.as_str()), "{reason}");
    }

    /// The code and the reason with which it is closed.
    pub(crate) async fn end(mut self) -> (u16, String) {
        loop {
            let (opcode, payload) = self.frame().await;
            if opcode == 8 {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                return (code, String::from_utf8(payload[2..].to_vec()).unwrap());
            }
        }
    }

    /// A frame of a server: short, whole and not masked.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let reading = async {
            let [first, length] = [self.0.read_u8().await, self.0.read_u8().await];
            let mut payload = vec![0; usize::from(length.unwrap())];
            self.0.read_exact(&mut payload).await.unwrap();
            (first.unwrap() & 0x0f, payload)
        };
        timeout(PATIENCE, reading).await.expect("a frame comes")
    }
}
