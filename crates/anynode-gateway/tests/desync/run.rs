//! Sends every case, and looks at both sides: what the client was answered, and what the backend saw.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use anynode_gateway::{Gateway, GatewayConfig, Running};

use crate::backend::{Backend, Seen};
use crate::case::{Case, END, Expect};
use crate::corpus;
use crate::wire::{Answer, Then, answers, ask, exchange};

/// How the bytes are handed to the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    AtOnce,
    /// A few bytes at a time, so that heads, lines and chunks are cut anywhere.
    InPieces,
}

/// How many bytes a piece has.
const PIECE: usize = 7;

/// Sends every case of the corpus and fails with a list of those that did not come out as they should.
pub(crate) fn check_all(backend: &Backend, delivery: Delivery) {
    let gateway = gateway(backend.address);
    let cases = corpus::all();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        // The pieces are for what is cut, not for what is long.
        if delivery == Delivery::InPieces && case.bytes.len() > 4096 {
            continue;
        }
        if let Err(why) = check(&gateway, backend, case, delivery, number) {
            wrong.push(format!("{}: {why}", case.name));
        }
    }
    println!("{} cases", cases.len());
    assert!(wrong.is_empty(), "{}\n", wrong.join("\n"));
}

/// One worker, so that every request may get the connection of the one before.
pub(crate) fn gateway(backend: SocketAddr) -> Running {
    let backend = anynode_gateway::Backend::new("backend", backend);
    let mut config = GatewayConfig::new("127.0.0.1:0".parse().unwrap(), vec![backend]);
    config.workers = NonZeroUsize::new(1);
    Gateway::new(config).start().unwrap()
}

fn check(
    gateway: &Running,
    backend: &Backend,
    case: &Case,
    delivery: Delivery,
    number: usize,
) -> Result<(), String> {
    let (bytes, then) = match case.expect {
        Expect::Incomplete => (case.bytes.clone(), Then::HangUp),
        _ => ([&case.bytes, END.as_bytes()].concat(), Then::Wait),
    };
    let piece = match delivery {
        Delivery::AtOnce => bytes.len(),
        Delivery::InPieces => PIECE,
    };
    let came = exchange(gateway.local_addr(), bytes.chunks(piece), then);
    // Another client, whose request may go over the connection that the case was sent on.
    let mark = format!("/follow/{number}");
    let followed = ask(gateway.local_addr(), &mark);
    let mut seen = backend.log();

    let own = seen
        .pop()
        .ok_or("the request of another client did not arrive")?;
    if followed.status != 200 || own.request != format!("GET {mark}") || said(&followed) != own {
        return Err(format!(
            "another client was answered {followed:?}, after {seen:?} and {own:?}"
        ));
    }
    judge(case.expect, &came, &seen)?;
    seen.iter().try_for_each(check_head)
}

fn judge(expect: Expect, came: &[u8], seen: &[Seen]) -> Result<(), String> {
    let (whole, refusal): (Vec<&str>, _) = match expect {
        Expect::Passed(requests) => ([requests, &["GET /end"]].concat(), None),
        Expect::Closed(requests) => (requests.to_vec(), None),
        Expect::Refused(requests, status) => (requests.to_vec(), Some(status)),
        Expect::Cut | Expect::Incomplete => (Vec::new(), None),
    };
    let methods: Vec<_> = seen
        .iter()
        .map(|seen| seen.request.starts_with("HEAD "))
        .collect();
    let is_head = |at: usize| methods.get(at).copied().unwrap_or_default();
    let mut answers = answers(came, |at| if is_head(at) { "HEAD" } else { "GET" })?;
    let requests: Vec<_> = seen.iter().map(|seen| seen.request.as_str()).collect();
    if requests != whole {
        return Err(format!(
            "the backend saw {requests:?}, the client {answers:?}"
        ));
    }
    if matches!(expect, Expect::Closed(_) | Expect::Cut | Expect::Incomplete) {
        // It may be told why.
        answers.retain(|answer| answer.status < 400);
    }
    if let Some(status) = refusal {
        let last = answers.pop().map(|answer| answer.status);
        if last != Some(status) {
            return Err(format!("refused with {last:?} instead of {status}"));
        }
    }
    if answers.len() != whole.len() {
        return Err(format!("{} requests and {answers:?}", whole.len()));
    }
    for (at, (answer, seen)) in answers.iter().zip(seen).enumerate() {
        if answer.status != 200 || !is_head(at) && said(answer) != *seen {
            return Err(format!("{seen:?} was answered {answer:?}"));
        }
    }
    Ok(())
}

/// What a backend says in its answer that it saw.
fn said(answer: &Answer) -> Seen {
    Seen::parse(&answer.body)
}

/// Checks what holds for every request that reaches a backend.
fn check_head(seen: &Seen) -> Result<(), String> {
    let count = |name: &str| {
        let begins = |line: &&str| line.starts_with(name);
        seen.fields.lines().filter(begins).count()
    };
    let both = count("content-length:") + count("transfer-encoding:");
    let is_clear = both <= 1 && count("host:") == 1 && count("x-forwarded-for:") == 1;
    if !is_clear || seen.fields.contains("forged") {
        return Err(format!("the backend saw {seen:?}"));
    }
    Ok(())
}
