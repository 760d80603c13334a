//! Source affinity: which backend a client's address belongs to, by rendezvous hashing.
//!
//! Every backend gets a score for the client, and the highest wins.
//! A backend that is added wins only the clients it gets, one that leaves loses only its own:
//! all others stay where they are, and no table has to be kept or agreed upon.

use std::net::IpAddr;
use std::num::NonZeroU16;

use super::affinity::SourceAffinity;
use super::backend::BackendId;
use super::prefix::masked;

/// A client as source affinity sees it: the hash of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(u64);

// === impl Source ===

impl Source {
    /// Returns the source that this address belongs to.
    ///
    /// An IPv4 address that is written as an IPv6 one counts as the IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr, affinity: SourceAffinity) -> Self {
        let address = address.to_canonical();
        let hash = match address {
            IpAddr::V4(_) => match masked(address, affinity.prefix_v4) {
                IpAddr::V4(prefix) => mixed(u64::from(prefix.to_bits())),
                IpAddr::V6(_) => unreachable!("masking keeps the family"),
            },
            IpAddr::V6(_) => match masked(address, affinity.prefix_v6) {
                IpAddr::V6(prefix) => {
                    let (high, low) = halves(prefix.octets());
                    // Apart from every IPv4 address, of which none reaches beyond 32 bits.
                    mixed(mixed(high ^ u64::MAX) ^ low)
                }
                IpAddr::V4(_) => unreachable!("masking keeps the family"),
            },
        };
        Self(hash)
    }

    /// Returns this source's score for a backend, of which the highest wins.
    ///
    /// `-w / ln(h)` makes a backend of weight `w` win its share of all sources (Mosharaf,
    /// "weighted rendezvous"); the score of a backend depends on no other one.
    pub(super) fn score(self, backend: BackendId, weight: NonZeroU16) -> f64 {
        let hash = mixed(self.0 ^ mixed(backend.number()));
        -f64::from(weight.get()) / unit(hash).ln()
    }
}

fn halves(octets: [u8; 16]) -> (u64, u64) {
    let bits = u128::from_be_bytes(octets);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits are left");
    (half(bits >> 64), half(bits))
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit of the input.
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Maps a hash into the open interval from 0 to 1: neither end, since `ln` is taken of it.
fn unit(hash: u64) -> f64 {
    let high = u32::try_from(hash >> 44).expect("20 bits fit");
    let low = u32::try_from((hash >> 12) & 0xffff_ffff).expect("32 bits fit");
    (f64::from(high) * 4_294_967_296.0 + f64::from(low) + 0.5) / 4_503_599_627_370_496.0
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    /// The first `count` IPv4 clients, each of its own /32.
    fn clients(count: u32) -> impl Iterator<Item = Source> {
        (0..count).map(|number| {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number * 7);
            Source::of(address.into(), SourceAffinity::default())
        })
    }

    fn winner(source: Source, weights: &[u16]) -> usize {
        let score = |slot: usize| {
            let id = BackendId::of(&format!("n{slot}"));
            source.score(id, NonZeroU16::new(weights[slot]).unwrap())
        };
        (0..weights.len())
            .max_by(|&a, &b| score(a).total_cmp(&score(b)))
            .unwrap()
    }

    fn share(moved: usize, count: u32) -> f64 {
        f64::from(u32::try_from(moved).unwrap()) / f64::from(count)
    }

    #[test]
    fn an_eleventh_backend_moves_a_tenth_of_clients_at_most_and_modulo_nine_tenths() {
        const CLIENTS: u32 = 20_000;
        let (before, after) = ([1; 10], [1; 11]);
        let moved: Vec<_> = clients(CLIENTS)
            .map(|source| (winner(source, &before), winner(source, &after)))
            .filter(|(before, after)| before != after)
            .collect();
        // What moved went to the new backend and to no other.
        assert!(moved.iter().all(|&(_, after)| after == 10));
        let modulo = clients(CLIENTS).filter(|source| source.0 % 10 != source.0 % 11);
        let (hashed, modulo) = (share(moved.len(), CLIENTS), share(modulo.count(), CLIENTS));
        println!("10 -> 11 backends: rendezvous moves {hashed:.3} of clients, modulo {modulo:.3}");
        assert!((0.08..=0.10).contains(&hashed), "{hashed}");
        assert!((0.89..=0.93).contains(&modulo), "{modulo}");
    }

    #[test]
    fn a_backend_that_leaves_moves_its_own_clients_only() {
        let (all, without_last) = ([1; 10], [1; 9]);
        for source in clients(5_000) {
            let before = winner(source, &all);
            if before != 9 {
                assert_eq!(winner(source, &without_last), before);
            }
        }
    }

    #[test]
    fn each_backend_gets_the_share_of_its_weight() {
        const CLIENTS: u32 = 20_000;
        let weights = [1, 2, 7];
        let mut counts = [0; 3];
        for source in clients(CLIENTS) {
            counts[winner(source, &weights)] += 1;
        }
        for (count, weight) in counts.into_iter().zip(weights) {
            let error = share(count, CLIENTS) - f64::from(weight) / 10.0;
            assert!(error.abs() < 0.015, "{counts:?}");
        }
    }

    fn same(a: &str, b: &str) -> bool {
        let affinity = SourceAffinity::default();
        let source = |text: &str| Source::of(text.parse().unwrap(), affinity);
        source(a) == source(b)
    }

    #[test]
    fn an_ipv4_client_is_its_address_and_an_ipv6_client_its_network() {
        assert!(same("192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
    }

    #[test]
    fn a_shorter_prefix_takes_more_clients_together() {
        let affinity = SourceAffinity {
            prefix_v4: 24,
            prefix_v6: 48,
        };
        let of = |text: &str| Source::of(text.parse().unwrap(), affinity);
        assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1::"), of("2001:db8:1:ffff::9"));
        assert_ne!(of("2001:db8:1::"), of("2001:db8:2::"));
    }

    #[test]
    fn every_score_is_a_positive_number_even_at_the_ends() {
        for hash in [0, 1, u64::MAX] {
            let unit = unit(hash);
            assert!(unit > 0.0 && unit < 1.0, "{unit}");
        }
        let source = Source::of(Ipv6Addr::LOCALHOST.into(), SourceAffinity::default());
        let score = source.score(BackendId::new(0), NonZeroU16::MAX);
        assert!(score > 0.0 && score.is_finite(), "{score}");
    }
}
