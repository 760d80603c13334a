//! A client that writes bytes as they are and reads answers to the end of the connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// The longest any read waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A final answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What a client does when it has written everything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Wait,
    HangUp,
}

/// Writes the pieces and returns all that comes until the other side closes.
pub(crate) fn exchange<'a>(
    address: SocketAddr,
    pieces: impl Iterator<Item = &'a [u8]>,
    then: Then,
) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for piece in pieces {
        // A gateway that has refused does not read on.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    if then == Then::HangUp {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            let text = String::from_utf8_lossy(&answer);
            panic!("the connection stays open after {text:?}")
        }
        // A reset after the answer is as good an end as any.
        _ => answer,
    }
}

/// Sends one request on a connection of its own and returns the body of its answer.
pub(crate) fn ask(address: SocketAddr, target: &str) -> Answer {
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    let bytes = exchange(address, [request.as_bytes()].into_iter(), Then::Wait);
    let mut answers = answers(&bytes, |_| "GET").unwrap();
    assert_eq!(answers.len(), 1, "{target}: {answers:?}");
    answers.remove(0)
}

/// Takes a stream of answers apart; informational ones are left out.
///
/// `method` tells what the nth answer is to.
pub(crate) fn answers(
    mut bytes: &[u8],
    method: impl Fn(usize) -> &'static str,
) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or(format!("{text:?} is no answer"))?;
        let head = text.get(..end).unwrap_or_default().to_ascii_lowercase();
        let is_http = head.starts_with("http/1.1 ") || head.starts_with("http/1.0 ");
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status: u16 = status
            .filter(|_| is_http)
            .ok_or(format!("{text:?} is no answer"))?;
        bytes = &bytes[end + 4..];
        if status < 200 && status != 101 {
            continue;
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let length = if method(answers.len()) == "HEAD" {
            0
        } else {
            length
        };
        if bytes.len() < length {
            return Err(format!("{text:?} is cut"));
        }
        let body = String::from_utf8_lossy(&bytes[..length]).into_owned();
        bytes = &bytes[length..];
        answers.push(Answer { status, head, body });
    }
    Ok(answers)
}
