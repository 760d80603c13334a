//! What is spoiled and what passes as it came, however it is cut into pieces.

use super::*;

/// Passes the bytes in pieces of this size and returns what hyper would get.
fn passed(bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut guard = Guard::new(32 * 1024);
    let mut bytes = bytes.to_vec();
    for piece in bytes.chunks_mut(piece) {
        guard.pass(piece);
    }
    bytes
}

fn in_all_pieces(bytes: &str) -> impl Iterator<Item = Vec<u8>> {
    (1..=bytes.len()).map(|piece| passed(bytes.as_bytes(), piece))
}

fn passes(bytes: &str) {
    for seen in in_all_pieces(bytes) {
        assert_eq!(String::from_utf8_lossy(&seen), bytes);
    }
}

/// Checks that the bytes up to `spoiled` pass and the line that begins with it does not.
fn is_spoiled_at(bytes: &str, spoiled: &str) {
    let start = bytes.rfind(spoiled).unwrap();
    let end = start + bytes[start..].find('\n').unwrap();
    for seen in in_all_pieces(bytes) {
        assert_eq!(seen[..end], bytes.as_bytes()[..end], "{bytes:?}");
        assert_eq!(seen[end], 0, "{bytes:?}");
        let is_filled = seen[end + 1..].iter().all(|&byte| byte == b'\n');
        assert!(is_filled, "{bytes:?}");
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn plain_requests_pass_as_they_came() {
    passes(GET);
    passes(&GET.repeat(3));
    passes(&format!("\r\n\r\n{GET}\r\n{GET}"));
    passes(&format!(
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n\n\n\n\n\n{GET}"
    ));
    passes(&format!(
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n{GET}"
    ));
    passes("POST / HTTP/1.1\r\nX-Content-Length: 1\r\nContent-Length-X: 2\r\n\r\n");
}

#[test]
fn a_chunked_body_passes_and_ends_where_it_ends() {
    let head = "POST / HTTP/1.1\r\ntransfer-encoding:\tChunked \r\n\r\n";
    // The chunks hold what would be spoiled in a head.
    for body in [
        "0\r\n\r\n",
        "5\r\n\n\n\n\n\n\r\n0\r\n\r\n",
        "0a ; name=\"value\"\r\nContent-Le\r\n00\r\nA: b\r\nC: d\r\n\r\n",
    ] {
        passes(&format!("{head}{body}{GET}{head}{body}"));
    }
}

#[test]
fn a_length_beside_chunked_is_spoiled_in_both_orders() {
    for (first, second) in [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "content-length:5"),
        ("TRANSFER-ENCODING: gzip", "Content-Length: x"),
        ("Content-Length: 5", "Content-Length: 5"),
        ("Transfer-Encoding: chunked", "transfer-Encoding: chunked"),
    ] {
        let request = format!("POST / HTTP/1.1\r\n{first}\r\nHost: a\r\n{second}\r\n\r\nhello");
        is_spoiled_at(&request, second);
        is_spoiled_at(&format!("{GET}{request}"), second);
    }
}

#[test]
fn a_request_behind_a_body_is_looked_at_as_the_first_one_is() {
    let unclear = "POST /2 HTTP/1.1\r\nContent-Length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
    for before in [
        "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n",
    ] {
        is_spoiled_at(&format!("{before}{unclear}"), "transfer-encoding");
    }
}

#[test]
fn a_line_of_a_head_that_ends_without_a_carriage_return_is_spoiled() {
    is_spoiled_at("GET / HTTP/1.1\nHost: a\r\n\r\n", "GET");
    is_spoiled_at("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "Host");
}

#[test]
fn a_line_of_trailers_that_ends_without_a_carriage_return_is_spoiled() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let bytes = format!("{head}A: b\nC: d\r\n\r\n");
    for seen in in_all_pieces(&bytes) {
        assert_eq!(seen, bytes.replacen("b\n", "b\0", 1).into_bytes());
    }
}

#[test]
fn nothing_is_kept_of_a_line_that_is_longer_than_any_head_may_be() {
    let mut guard = Guard::new(100);
    guard.pass(&mut [b'x'; 200]);
    assert!(guard.line.is_empty());
}
