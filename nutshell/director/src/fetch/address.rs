//! Which addresses files may be fetched from: those of the public internet, and no others.
//!
//! Whoever can name a URL must not reach through the director what only the director can reach:
//! this machine, its network, the cloud's metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => is_public_v4(embedded),
            None => is_public_v6(address),
        },
    }
}

/// All of IPv4 but what the registry of special-purpose addresses (RFC 6890) keeps apart.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,  // this network; private; loopback
        [100, 64..=127, ..] => true, // shared by carriers
        [169, 254, ..] => true,      // link-local; the metadata of clouds
        [172, 16..=31, ..] | [192, 168, ..] => true, // private
        [192, 0, 0 | 2, _] => true,  // protocol assignments; documentation
        [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => true, // AS112, AMT
        [192, 88, 99, _] => true,    // 6to4 relays
        [198, 18..=19, ..] => true,  // benchmarks
        [198, 51, 100, _] | [203, 0, 113, _] => true, // documentation
        [168, 63, 129, 16] => true,  // Azure's host
        [224..=255, ..] => true,     // multicast, reserved, broadcast
        _ => false,
    };
    !special
}

/// Of IPv6 what is given out (2000::/3), but what the registry keeps apart.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let special = match address.segments() {
        [0x2001, 0..=0x01ff, ..] => true, // protocol assignments, Teredo, ORCHID
        [0x2001, 0x0db8, ..] => true,     // documentation
        [0x2620, 0x004f, 0x8000, ..] => true, // AS112
        [0x3fff, 0..=0x0fff, ..] => true, // documentation
        _ => false,
    };
    address.segments()[0] & 0xe000 == 0x2000 && !special
}

/// The IPv4 address that packets to this one end at: mapped, translated or 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_reached() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.215.14",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:813::200e",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn everything_special_is_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200", // metadata of a cloud
            "100.127.255.255",
            "127.0.0.1",
            "127.56.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254", // metadata
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.56.10",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "::127.0.0.1",
            "::169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",     // 127.0.0.1 by 6to4
            "2002:a9fe:a9fe::1", // metadata by 6to4
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254", // metadata
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_address_is_judged_alike_however_it_is_written() {
        for v4 in (0..=u32::MAX).step_by(65_537).map(Ipv4Addr::from) {
            let direct = is_public(v4.into());
            assert_eq!(is_public(v4.to_ipv6_mapped().into()), direct, "{v4} mapped");
            let [a, b, c, d] = v4.octets().map(u16::from);
            let six = Ipv6Addr::new(0x2002, a << 8 | b, c << 8 | d, 0, 0, 0, 0, 1);
            assert_eq!(is_public(six.into()), direct, "{v4} by 6to4");
        }
    }
}
