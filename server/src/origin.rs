//! [`Origin`]: the peers that are counted as one.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// How much of an IPv6 address names a customer: whoever has one address there has 2⁶⁴ of them.
const V6_BITS: u32 = 64;

/// Where a connection comes from, as limits count it: an IPv4 address, or a /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (u128::BITS - V6_BITS))))
            }
            address => address,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/{V6_BITS}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_of_ipv6_is_one_origin_and_an_address_of_ipv4_is_one() {
        let of = |address: &str| Origin::of(address.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(
            (of("192.0.2.1").to_string(), of("2001:db8::1").to_string()),
            ("192.0.2.1".into(), "2001:db8::/64".into())
        );
    }
}
