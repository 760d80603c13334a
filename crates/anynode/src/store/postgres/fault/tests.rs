//! What an error of the server means to the caller.

use super::*;

#[test]
fn a_code_tells_the_caller_what_to_do() {
    let kind = |code: &str, act| {
        let code = SqlState::from_code(code);
        let fault = if leaves_open(&code) {
            Fault::Ended(code)
        } else {
            Fault::Refused(code)
        };
        fault.error("replace", act).kind()
    };
    let cases = [
        ("57P01", ErrorKind::Indeterminate),
        ("57P02", ErrorKind::Indeterminate),
        ("57P03", ErrorKind::Unavailable),
        ("53100", ErrorKind::Unavailable),
        ("53300", ErrorKind::Unavailable),
        ("25006", ErrorKind::Unavailable),
        ("28P01", ErrorKind::Config),
        ("3D000", ErrorKind::Config),
        ("3F000", ErrorKind::Config),
        ("42P01", ErrorKind::Config),
        ("42501", ErrorKind::Config),
        ("40001", ErrorKind::Unavailable),
        ("40003", ErrorKind::Indeterminate),
        ("08006", ErrorKind::Indeterminate),
        ("XX001", ErrorKind::Corrupt),
        ("57014", ErrorKind::Unavailable),
    ];
    for (code, expected) in cases {
        assert_eq!(kind(code, Act::Write), expected, "{code}");
        assert_ne!(kind(code, Act::Read), ErrorKind::Indeterminate, "{code}");
    }
}

/// An error as the server tells it, in answer to a statement.
async fn told(severity: &str, code: &str, is_plain: bool) -> Fault {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    let mut fields = format!("S{severity}\0");
    if is_plain {
        fields += &format!("V{severity}\0");
    }
    fields += &format!("C{code}\0Mtold\0\0");
    let length = u32::try_from(fields.len() + 4).expect("short");
    let server = async move {
        let mut read = [0; 4_096];
        // The start, and then the statement.
        let started = theirs.read(&mut read).await;
        assert!(started.expect("a start") > 0);
        let authenticated = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
        theirs.write_all(authenticated).await.expect("open");
        assert!(theirs.read(&mut read).await.expect("a statement") > 0);
        theirs.write_all(b"E").await.expect("open");
        let told = [&length.to_be_bytes()[..], fields.as_bytes()].concat();
        theirs.write_all(&told).await.expect("open");
    };
    let client = async move {
        let mut config = tokio_postgres::Config::new();
        let connecting = config.user("app").connect_raw(ours, tokio_postgres::NoTls);
        let (client, connection) = connecting.await.expect("it lets everybody in");
        let (asked, _) = tokio::join!(client.simple_query("SELECT 1"), connection);
        Fault::from(asked.expect_err("the server tells of one"))
    };
    tokio::join!(server, client).1
}

/// With its last words a server says why it ends the connection, which need not be the statement
/// that somebody waits for.
#[tokio::test]
async fn what_a_server_says_at_last_leaves_a_write_open() {
    for is_plain in [true, false] {
        for (severity, is_open) in [("ERROR", false), ("FATAL", true), ("PANIC", true)] {
            let fault = told(severity, "25P04", is_plain).await;
            assert_eq!(fault.leaves_a_write_open(), is_open, "{severity}");
            assert_eq!(fault.ends_the_link(), is_open, "{severity}");
        }
    }
}
