//! Which addresses are public. The list of those that are not follows the IANA registries of special-purpose addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

const PRIVATE: &str = "a private address";
const LOOPBACK: &str = "this machine itself";
const LINK_LOCAL: &str = "a link-local address, where clouds keep their metadata";
const MULTICAST: &str = "a multicast address";
const RESERVED: &str = "a reserved address";
const DOCUMENTATION: &str = "an address of examples in documentation";

/// IPv4 that is not public.
const V4: [(Ipv4Net, &str); 17] = [
    (v4(0, 0, 0, 0, 8), "an unspecified address, which is this machine itself"),
    (v4(10, 0, 0, 0, 8), PRIVATE),
    (v4(100, 64, 0, 0, 10), "an address shared behind a carrier's NAT"),
    (v4(127, 0, 0, 0, 8), LOOPBACK),
    // Azure's host answers here, as others do at link-local addresses.
    (v4(168, 63, 129, 16, 32), "a cloud's own host"),
    (v4(169, 254, 0, 0, 16), LINK_LOCAL),
    (v4(172, 16, 0, 0, 12), PRIVATE),
    (v4(192, 0, 0, 0, 24), RESERVED),
    (v4(192, 0, 2, 0, 24), DOCUMENTATION),
    (v4(192, 88, 99, 0, 24), RESERVED),
    (v4(192, 168, 0, 0, 16), PRIVATE),
    (v4(198, 18, 0, 0, 15), "an address of benchmarks"),
    (v4(198, 51, 100, 0, 24), DOCUMENTATION),
    (v4(203, 0, 113, 0, 24), DOCUMENTATION),
    (v4(224, 0, 0, 0, 4), MULTICAST),
    (v4(255, 255, 255, 255, 32), "the broadcast address"),
    (v4(240, 0, 0, 0, 4), RESERVED),
];

/// All IPv6 that is handed out lies in here; whatever is not in it is something else, today or later.
const V6_GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 0, 3);

/// IPv6 that is not public, with the names of the most usual; the rest of what is not global is reserved.
const V6: [(Ipv6Net, &str); 7] = [
    // Teredo, benchmarks, ORCHID and other protocols' own.
    (v6(0x2001, 0, 0, 0, 23), RESERVED),
    (v6(0x2001, 0xdb8, 0, 0, 32), DOCUMENTATION),
    (v6(0x3fff, 0, 0, 0, 20), DOCUMENTATION),
    (v6(0xfc00, 0, 0, 0, 7), "a private (unique local) address"),
    (v6(0xfe80, 0, 0, 0, 10), LINK_LOCAL),
    (v6(0xfec0, 0, 0, 0, 10), PRIVATE),
    (v6(0xff00, 0, 0, 0, 8), MULTICAST),
];

/// The prefixes under which a gateway reaches IPv4: NAT64 (RFC 6052) and 6to4 (RFC 3056).
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 0, 16);

/// What kind of address it is, when it is neither public nor in one of the networks. An IPv6 address that stands for an IPv4
/// address (mapped, NAT64, 6to4) is as public, and as allowed, as that one.
pub(super) fn forbidden(address: IpAddr, allow: &[IpNet]) -> Option<&'static str> {
    let address = address.to_canonical();
    let allowed = |address: IpAddr| allow.iter().any(|net| net.contains(&address));
    let stands_for = stands_for(address);
    if allowed(address) || stands_for.is_some_and(|address| allowed(address.into())) {
        return None;
    }
    match (address, stands_for) {
        (IpAddr::V4(address), _) | (IpAddr::V6(_), Some(address)) => class_v4(address),
        (IpAddr::V6(address), None) => class_v6(address),
    }
}

/// The IPv4 address that a gateway would reach.
fn stands_for(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [_, a, b, _, _, _, c, d] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if NAT64.contains(&address) {
        Some(v4(c, d))
    } else if SIX_TO_FOUR.contains(&address) {
        Some(v4(a, b))
    } else {
        None
    }
}

fn class_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, class)| *class)
}

fn class_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_loopback() {
        return Some(LOOPBACK);
    }
    let named = V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, class)| *class);
    named.or_else(|| (!V6_GLOBAL.contains(&address)).then_some(RESERVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(address: &str, allow: &[&str]) -> Option<&'static str> {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().expect("a network")).collect();
        forbidden(address.parse().expect("an address"), &allow)
    }

    #[test]
    fn public_addresses_are_reached() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(class(address, &[]), None, "{address}");
        }
    }

    #[test]
    fn every_other_class_is_not() {
        for (address, part) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.1", "NAT"),
            ("100.127.255.255", "NAT"),
            ("127.0.0.1", "this machine"),
            ("127.255.255.254", "this machine"),
            ("168.63.129.16", "cloud"),
            ("169.254.169.254", "metadata"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "reserved"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "reserved"),
            ("192.168.0.1", "private"),
            ("198.18.0.1", "benchmarks"),
            ("198.19.255.255", "benchmarks"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.7", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "reserved"),
            ("::1", "this machine"),
            ("::2", "reserved"),
            ("::127.0.0.1", "reserved"),
            ("100::1", "reserved"),
            ("64:ff9b:1::1.1.1.1", "reserved"),
            ("2001::1", "reserved"),
            ("2001:2::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("4000::1", "reserved"),
            ("5f00::1", "reserved"),
            ("fc00::1", "private"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "private"),
            ("ff02::1", "multicast"),
        ] {
            assert!(
                class(address, &[]).is_some_and(|class| class.contains(part)),
                "{address}: {:?}",
                class(address, &[])
            );
        }
    }

    #[test]
    fn an_ipv6_form_of_an_ipv4_address_is_what_that_is() {
        for inner in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "100.64.0.1", "192.0.2.1"] {
            let octets = inner.parse::<Ipv4Addr>().expect("an address").octets();
            let six_to_four = format!("2002:{:02x}{:02x}:{:02x}{:02x}::1", octets[0], octets[1], octets[2], octets[3]);
            for form in [format!("::ffff:{inner}"), format!("64:ff9b::{inner}"), six_to_four] {
                assert_eq!(class(&form, &[]), class(inner, &[]), "{form}");
                assert!(class(&form, &[]).is_some(), "{form}");
                assert_eq!(class(&form, &[&format!("{inner}/32")]), None, "{form}");
            }
        }
    }

    #[test]
    fn what_the_operator_allows_is_reached_and_nothing_beside_it() {
        assert_eq!(class("10.1.2.3", &["10.1.0.0/16"]), None);
        assert!(class("10.2.0.1", &["10.1.0.0/16"]).is_some());
        assert_eq!(class("::1", &["::1/128"]), None);
        assert!(class("127.0.0.1", &["::1/128"]).is_some());
        assert_eq!(class("169.254.169.254", &["0.0.0.0/0"]), None);
        assert!(class("fd00::1", &["0.0.0.0/0"]).is_some());
    }
}
