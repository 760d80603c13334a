//! The members of a cluster, as one of them sees it.

use redis::{Cmd, Value, cmd};

use super::line::text;
use crate::store::{
    net::Address,
    redis::{fault::Fault, keys::Slot},
};

/// A member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) address: Address,
    /// Where it is by the host name it was given, if it was given one.
    pub(super) named: Option<Address>,
    role: Role,
    /// The slots it serves, first and last of each run.
    slots: Vec<(u16, u16)>,
}

/// What a member is to the one that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It serves slots or may be given some.
    Primary,
    /// It follows a primary, is agreed to have failed, or is not met yet.
    Other,
}

/// Asks for the members.
pub(super) fn command() -> Cmd {
    cmd("CLUSTER").arg("NODES").take()
}

/// The members in a reply of the server at `asked`.
pub(super) fn read(reply: &Value, asked: &Address) -> Result<Vec<Member>, Fault> {
    let lines = text(reply).ok_or(Fault::Corrupt("the members of the cluster"))?;
    let members: Option<_> = lines.lines().map(|line| member(line, asked)).collect();
    members.ok_or(Fault::Corrupt("the members of the cluster"))
}

/// The primaries among them: also those without slots, which may be given some at any time.
pub(super) fn primaries(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| member.role == Role::Primary)
}

/// `ID HOST:PORT@PORT[,NAME] FLAGS PRIMARY PING PONG EPOCH STATE SLOT...`.
fn member(line: &str, asked: &Address) -> Option<Member> {
    let mut words = line.split(' ');
    let id = words.next()?.to_owned();
    let mut parts = words.next()?.split(',');
    let place = parts.next()?.split('@').next()?;
    let name = parts.next().filter(|name| !name.is_empty());
    let (host, port) = place.rsplit_once(':')?;
    // A member that was told no address of its own is where it was asked.
    let host = match host {
        "" => &asked.host,
        host => host,
    };
    let port = port.parse().ok()?;
    let at = |host: &str| Address {
        host: host.to_owned(),
        port,
    };
    let (address, named) = (at(host), name.map(at));
    let mut flags = words.next()?.split(',');
    let has = |wanted| flags.clone().any(|flag| flag == wanted);
    let is_primary = has("master") && !["fail", "handshake", "noaddr"].into_iter().any(has);
    let role = match is_primary {
        true => Role::Primary,
        false => Role::Other,
    };
    flags.next()?;
    let slots = words.skip(5).filter_map(run).collect();
    Some(Member {
        id,
        address,
        named,
        role,
        slots,
    })
}

/// `17` or `17-42`; a slot that moves is `[17->-ID]` and is among the others as well.
fn run(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some((first.parse().ok()?, last.parse().ok()?))
}

// === impl Member ===

impl Member {
    /// Whether it serves this slot.
    pub(super) fn serves(&self, slot: Slot) -> bool {
        let has = |(first, last): &(u16, u16)| (*first..=*last).contains(&slot.0);
        self.slots.iter().any(has)
    }

    /// Its address in the way in which the cluster names its nodes to clients, who are told
    /// `others` there: by host name, if it names them so, and else as members know each other.
    pub(super) fn address_as(&self, others: &[Address], members: &[Self]) -> Address {
        let names = members.iter().filter_map(|member| member.named.as_ref());
        let are_named = names.into_iter().any(|name| others.contains(name));
        let named = self.named.as_ref().filter(|_| are_named);
        named.unwrap_or(&self.address).clone()
    }

    /// Whether it serves any.
    pub(super) fn serves_some(&self) -> bool {
        !self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
07c3 127.0.0.1:30004@31004,hostname4 slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922 [93->-e7d1]
e7d1 :30001@31001 myself,master - 0 0 1 connected 0-100 102
aaaa ::1:30007@31007 master,fail? - 0 0 9 connected
bbbb 127.0.0.1:30008@31008 master,fail - 0 0 9 disconnected 200-300
cccc 127.0.0.1:30009@31009 handshake - 0 0 0 connected
";

    fn members() -> Vec<Member> {
        let asked = Address {
            host: "here".to_owned(),
            port: 1,
        };
        let reply = Value::BulkString(NODES.into());
        read(&reply, &asked).expect("readable")
    }

    #[test]
    fn primaries_are_those_that_serve_or_may_be_given_slots() {
        let members = members();
        let shown = |member: &Member| (member.id.clone(), member.address.to_string());
        let primaries: Vec<_> = primaries(&members).map(shown).collect();
        let expected = [
            ("67ed", "127.0.0.1:30002"),
            ("e7d1", "here:30001"),
            ("aaaa", "[::1]:30007"),
        ];
        assert_eq!(
            primaries,
            expected.map(|(id, at)| (id.to_owned(), at.to_owned()))
        );
    }

    /// Certificates are for host names, so that clients are told these; the channel dialled
    /// the addresses.
    #[test]
    fn members_are_where_clients_are_told_that_nodes_are() {
        let asked = Address {
            host: "here".to_owned(),
            port: 1,
        };
        let line = |number, name| {
            format!("id{number} 10.0.0.{number}:6379@16379{name} master - 0 0 1 connected")
        };
        let lines = [
            line(1, ",one.example"),
            line(2, ",two.example,shard-id=x"),
            line(3, ","),
        ];
        let members = read(&Value::BulkString(lines.join("\n").into()), &asked).expect("readable");
        let addresses = |told: &str| {
            let told = [Address::parse(told, 6379).expect("an address")];
            let as_told = |member: &Member| member.address_as(&told, &members).to_string();
            members.iter().map(as_told).collect::<Vec<_>>()
        };
        let named = ["one.example:6379", "two.example:6379", "10.0.0.3:6379"];
        assert_eq!(addresses("one.example:6379"), named);
        let plain = ["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"];
        assert_eq!(addresses("10.0.0.1:6379"), plain);
    }

    #[test]
    fn a_member_serves_the_slots_of_its_line() {
        let members = members();
        let served = |number: usize, slot| members[number].serves(Slot(slot));
        assert!(served(1, 5_461) && served(1, 10_922) && !served(1, 93));
        assert!(served(2, 0) && served(2, 100) && !served(2, 101) && served(2, 102));
        assert!(!members[3].serves_some());
    }
}
