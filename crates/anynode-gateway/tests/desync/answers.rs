//! Answers that two readers could end at different places: none of their bytes reach another client.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::odd::Odd;
use crate::run::gateway;
use crate::wire::{PATIENCE, Then, ask, exchange};

/// What becomes of the connection that an odd answer came over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    Reused,
    Closed,
}

/// Asks for the odd answer, and then as other clients for other ones.
fn check(name: &str, method: &str, odd: &[u8], expected: &str, after: After) {
    let odd = Odd::answering(odd);
    let gateway = gateway(odd.address);
    let request =
        format!("{method} /odd HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n");
    let bytes = exchange(
        gateway.local_addr(),
        [request.as_bytes()].into_iter(),
        Then::Wait,
    );
    let came = String::from_utf8_lossy(&bytes).into_owned();
    assert!(came.starts_with(expected), "{name}: {came:?}");
    assert!(!came.contains("forged"), "{name}: {came:?}");
    for number in 0..3 {
        let mark = format!("/follow/{number}");
        let answer = ask(gateway.local_addr(), &mark);
        assert_eq!((answer.status, answer.body), (200, mark), "{name}");
    }
    let connections = odd.connections();
    let expected = if after == After::Reused { 1 } else { 2 };
    assert_eq!(connections, expected, "{name}: {after:?}");
}

#[test]
fn an_answer_whose_end_is_unclear_is_502_and_its_connection_is_closed() {
    let status = "HTTP/1.1 200 OK\r\n";
    let behind = "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: 1\r\n Content-Length: 5\r\n",
        "X: 1\rContent-Length: 5\r\n",
        "X: \0\r\nContent-Length: 5\r\n",
        "X: \x01\r\nContent-Length: 5\r\n",
        ": 1\r\nContent-Length: 5\r\n",
        "Content-Length\r\n",
    ] {
        let odd = format!("{status}{fields}{behind}");
        check(fields, "GET", odd.as_bytes(), "HTTP/1.1 502", After::Closed);
    }
    for line in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n",
        "ICY 200 OK\r\nContent-Length: 0\r\n",
        "<html>forged</html>\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nforged\r\n",
    ] {
        let odd = format!("{line}{behind}");
        check(line, "GET", odd.as_bytes(), "HTTP/1.1 502", After::Closed);
    }
}

#[test]
fn what_comes_behind_an_answer_reaches_nobody() {
    let surplus = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    for (method, answer, expected) in [
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204"),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 51\r\n\r\n",
            "HTTP/1.1 204",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204",
        ),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 304"),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 51\r\n\r\n",
            "HTTP/1.1 304",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n",
            "HTTP/1.1 200",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200"),
        (
            "GET",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 404",
        ),
    ] {
        let odd = format!("{answer}{surplus}");
        check(answer, method, odd.as_bytes(), expected, After::Closed);
    }
}

#[test]
fn a_connection_is_used_again_after_an_answer_that_is_clear() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </forged>\r\n\r\n";
    let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(2_000);
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (method, answer, expected) in [
        ("GET", plain, "HTTP/1.1 200"),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n2\r\nok\r\n0\r\nx: 1\r\nSet-Cookie: forged\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204"),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 204",
        ),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 304"),
        (
            "GET",
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 500 Oops\r\n",
        ),
        ("GET", &format!("{interim}{plain}"), "HTTP/1.1 200"),
        ("GET", &format!("{many}{plain}"), "HTTP/1.1 200"),
    ] {
        check(answer, method, answer.as_bytes(), expected, After::Reused);
    }
    // Behind these a body may follow that no reader asked for.
    for (method, answer, expected) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n",
            "HTTP/1.1 200",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 51\r\n\r\n",
            "HTTP/1.1 304",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204",
        ),
    ] {
        check(answer, method, answer.as_bytes(), expected, After::Closed);
    }
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200",
        ),
    ] {
        check(answer, "GET", answer.as_bytes(), expected, After::Closed);
    }
}

#[test]
fn an_answer_that_breaks_off_is_broken_for_the_client_as_well() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    for chunk in [
        "x\r\nforged",
        "-1\r\nforged",
        "2\nforged",
        "6\r\nforgedX\r\n0\r\n\r\n",
        "0\nforged",
    ] {
        let odd = Odd::answering(format!("{head}{chunk}"));
        let gateway = gateway(odd.address);
        let request = b"GET /odd HTTP/1.1\r\nHost: a\r\n\r\n";
        let bytes = exchange(
            gateway.local_addr(),
            [request.as_slice()].into_iter(),
            Then::Wait,
        );
        let came = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!came.ends_with("0\r\n\r\n"), "{chunk}: {came:?}");
        assert_eq!(ask(gateway.local_addr(), "/follow").body, "/follow");
        assert_eq!(odd.connections(), 2, "{chunk}");
    }
}

#[test]
fn a_connection_over_which_an_upload_was_answered_early_is_not_used_before_its_end() {
    let odd = Odd::answering("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    let gateway = gateway(odd.address);
    let mut stream = TcpStream::connect(gateway.local_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"POST /odd HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegun";
    stream.write_all(request).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 413");
    for number in 0..3 {
        let mark = format!("/follow/{number}");
        assert_eq!(ask(gateway.local_addr(), &mark).body, mark);
    }
    drop(stream);
    assert_eq!(ask(gateway.local_addr(), "/follow").body, "/follow");
    assert_eq!(odd.connections(), 2);
}

#[test]
fn a_client_that_speaks_before_its_websocket_is_switched_to_is_cut() {
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let odd = Odd::answering(switched);
    let gateway = gateway(odd.address);
    let request =
        b"GET /odd HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\
        GET /early HTTP/1.1\r\n\r\n";
    let bytes = exchange(
        gateway.local_addr(),
        [request.as_slice()].into_iter(),
        Then::Wait,
    );
    let came = String::from_utf8_lossy(&bytes).into_owned();
    assert!(!came.contains("/early"), "{came:?}");
    assert_eq!(ask(gateway.local_addr(), "/follow").body, "/follow");
}
