//! [`Network`]: an address or a range of addresses from which a peer may speak.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// An address with a prefix length, such as `10.0.0.0/8`, `::1` or `192.168.7.4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that names no network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no address or network; write one such as 127.0.0.1, 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError {
    /// What was given, cut to 80 characters.
    pub text: String,
}

impl Network {
    /// Whether the address lies in it. An IPv4 address inside an IPv6 socket counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let keep = |bits: u128, width: u8| bits.checked_shr(u32::from(width - self.prefix)).unwrap_or(0);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                keep(mine.to_bits().into(), 32) == keep(other.to_bits().into(), 32)
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => keep(mine.to_bits(), 128) == keep(other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError { text: text.chars().take(80).collect() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| error())?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| error())?.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width { Err(error()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_its_network_only() {
        let check = |network: &str, address: &str, expected: bool| {
            let network: Network = network.parse().expect("a network");
            assert_eq!(network.contains(address.parse().expect("an address")), expected, "{network} {address}");
        };
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("127.0.0.1", "::ffff:127.0.0.1", true);
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "::1", false);
        check("fd00::/8", "fdff::1", true);
        check("fd00::/8", "fe00::1", false);
        check("::/0", "fe00::1", true);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.1:80"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
