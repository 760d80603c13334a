//! Prefixes of addresses: whom to trust, and which clients count as one.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, such as `10.0.0.0/8` or `2001:db8::/32`.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`) counts as the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressPrefix {
    address: IpAddr,
    bits: u8,
}

/// A text is no prefix of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixError {
    /// What stands before the `/` is no address.
    Address,
    /// The number of bits is none, or more than the address has.
    Bits,
    /// The address has bits after the prefix, so that it is unclear which range is meant.
    HostBits,
}

// === impl AddressPrefix ===

impl AddressPrefix {
    /// Returns the range of all addresses that share the first `bits` bits of `address`.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if the address has fewer bits, or others set after the prefix.
    pub fn new(address: IpAddr, bits: u8) -> Result<Self, PrefixError> {
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        if bits > most {
            return Err(PrefixError::Bits);
        }
        if masked(address, bits) != address {
            return Err(PrefixError::HostBits);
        }
        Ok(Self { address, bits })
    }

    /// Tells whether this address is in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

impl FromStr for AddressPrefix {
    type Err = PrefixError;

    /// Parses `address/bits`; an address alone is the range of that one address.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let bits = match bits {
            Some(bits) => parse_bits(bits).ok_or(PrefixError::Bits)?,
            None if address.to_canonical().is_ipv4() => 32,
            None => 128,
        };
        Self::new(address, bits)
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

/// Reads digits only: Rust's own parser takes a sign.
fn parse_bits(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Returns the address with all but its first `bits` bits cleared.
pub(super) fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let cleared = 32_u32.saturating_sub(u32::from(bits));
            let mask = u32::MAX.checked_shl(cleared).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let cleared = 128_u32.saturating_sub(u32::from(bits));
            let mask = u128::MAX.checked_shl(cleared).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

// === impl PrefixError ===

impl fmt::Display for PrefixError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Address => "it begins with no IP address",
            Self::Bits => "the number after the / is no number of bits of this address",
            Self::HostBits => "the address has bits set after its prefix",
        })
    }
}

impl Error for PrefixError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(prefix: &str, address: &str) -> bool {
        let prefix: AddressPrefix = prefix.parse().unwrap();
        prefix.contains(address.parse().unwrap())
    }

    #[test]
    fn a_prefix_contains_what_shares_its_bits_and_nothing_else() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(!contains("::/0", "127.0.0.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.1.2.3", "10.1.2.3"));
    }

    #[test]
    fn a_text_that_names_no_one_range_is_refused() {
        let refused = |text: &str| text.parse::<AddressPrefix>().unwrap_err();
        for text in ["", "/8", "10.0.0/8", "localhost/8", "10.0.0.0:80/8"] {
            assert_eq!(refused(text), PrefixError::Address, "{text}");
        }
        for text in [
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "::/8/8",
        ] {
            assert_eq!(refused(text), PrefixError::Bits, "{text}");
        }
        assert_eq!(refused("10.0.0.1/8"), PrefixError::HostBits);
    }

    #[test]
    fn a_prefix_is_written_as_it_is_read() {
        for text in ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"] {
            assert_eq!(text.parse::<AddressPrefix>().unwrap().to_string(), text);
        }
    }
}
