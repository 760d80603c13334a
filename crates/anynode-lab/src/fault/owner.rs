//! Whose connection it is: the process on the other side, which the kernel of this machine knows.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The child of this process whose socket is connected from `client` to `proxy`, both of IPv4.
/// None when it is somebody else, or has gone already.
pub(super) fn owner_of(client: SocketAddr, proxy: SocketAddr) -> Option<u32> {
    let sockets = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode_in(&sockets, client, proxy)?;
    let link = PathBuf::from(format!("socket:[{inode}]"));
    children().find(|pid| has_open(*pid, &link))
}

/// The number of the socket with these ends in the kernel's table.
fn inode_in(sockets: &str, local: SocketAddr, remote: SocketAddr) -> Option<&str> {
    let (local, remote) = (named(local)?, named(remote)?);
    let mut lines = sockets.lines().map(str::split_ascii_whitespace);
    lines.find_map(|mut fields| {
        let is_meant =
            fields.nth(1) == Some(local.as_str()) && fields.next() == Some(remote.as_str());
        is_meant.then(|| fields.nth(6)).flatten()
    })
}

/// An address as the kernel's table has it: the number of its bytes in memory, and the port.
fn named(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else {
        return None;
    };
    let number = u32::from_ne_bytes(ip.octets());
    Some(format!("{number:08X}:{:04X}", address.port()))
}

/// The children of this process.
fn children() -> impl Iterator<Item = u32> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(move |pid| parent_of(*pid) == Some(own))
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn has_open(pid: u32, link: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut files = files.into_iter().flatten().flatten();
    files.any(|file| fs::read_link(file.path()).is_ok_and(|target| target == link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_both_of_its_ends() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 41 1\n\
             1: 0100007F:D431 0100007F:1F90 01 00000000:00000000 02:000A 00000000     0        0 42 2\n";
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(inode_in(table, at(0xd431), at(0x1f90)), Some("42"));
        assert_eq!(inode_in(table, at(0x1f90), at(0xd431)), Some("41"));
        assert_eq!(inode_in(table, at(1), at(0x1f90)), None);
    }
}
