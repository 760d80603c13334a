//! Instructions per request outside the kernel: what repeats where times do not.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::contender::Contender;
use crate::load::Load;
use crate::process;

/// Instructions of one request, which is passed alone; `None` without valgrind.
///
/// Two runs of different length are subtracted, so that starting and connecting cancel out.
pub(crate) fn count(contender: Contender, backends: &[SocketAddr]) -> Option<u64> {
    let valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    if !valgrind {
        return None;
    }
    let (few, many) = (200, 1_200);
    let [few_total, many_total] = [few, many].map(|requests| total(contender, requests, backends));
    Some((many_total - few_total) / (many - few))
}

fn total(contender: Contender, requests: u64, backends: &[SocketAddr]) -> u64 {
    let mut program = Command::new("valgrind");
    program
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .stderr(Stdio::piped());
    let proxy = process::role(program, &contender.role(1, backends));
    Load::connect(1, &proxy.addresses()).send(requests);
    let text = proxy.end();
    let collected = text.lines().find(|line| line.contains("Collected"));
    let count = collected.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("callgrind: {text}"))
}
