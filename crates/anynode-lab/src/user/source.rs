//! The address that a virtual user comes from.
//!
//! All of 127.0.0.0/8 is this machine on Linux, so each user has one to itself, and a gateway
//! that goes by addresses tells them apart.

use std::net::Ipv4Addr;

/// The first addresses are left to everybody else.
const FIRST_NETWORK: u32 = 16;

/// How many networks are left in 127.0.0.0/8.
const NETWORKS: u32 = 240;

/// How many users have an address of their own in each network.
const USERS: u32 = 65_000;

/// The address of a user after it has changed it so many times.
pub(crate) fn address_of(user: u32, changes: u32) -> Ipv4Addr {
    let network = FIRST_NETWORK + changes % NETWORKS;
    // The first address of a network looks like its name.
    let host = user % USERS + 1;
    Ipv4Addr::from(127 << 24 | network << 16 | host)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_user_has_its_own_address_and_another_after_a_change() {
        let users = (0..3000).flat_map(|user| [address_of(user, 0), address_of(user, 1)]);
        let addresses: HashSet<_> = users.collect();
        assert_eq!(addresses.len(), 6000);
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
        assert!(address_of(64_999, 239).is_loopback());
    }
}
