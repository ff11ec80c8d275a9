//! Addresses that may be used at a port besides its own: allowed address pairs.

use serde::{Deserialize, Serialize};

use super::Port;
use super::port::normal_mac;
use crate::model::address::Block;
use crate::model::error::Error;

/// An address that may be used at a port besides the port's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPair {
    /// The address, or a block of them.
    pub ip_address: String,
    /// The hardware address, the port's own when not given.
    pub mac_address: Option<String>,
}

impl AddressPair {
    /// Refuses what is no address.
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |what: &str, kind: &str| {
            let reason = format!("'{what}' is not a valid {kind} address.");
            Error::Invalid(format!("Invalid input for allowed_address_pairs. Reason: {reason}"))
        };
        let (address, prefix) = self.ip_address.split_once('/').unwrap_or((&self.ip_address, "0"));
        let most = match address.parse() {
            Ok(std::net::IpAddr::V4(_)) => 32,
            Ok(std::net::IpAddr::V6(_)) => 128,
            Err(_) => return Err(invalid(&self.ip_address, "IP")),
        };
        if !prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most) {
            return Err(invalid(&self.ip_address, "IP"));
        }
        match &self.mac_address {
            Some(mac) if normal_mac(mac).is_none() => Err(invalid(mac, "MAC")),
            _ => Ok(()),
        }
    }

    /// The addresses, if they are IPv4's.
    pub(crate) fn block(&self) -> Option<Block> {
        if self.ip_address.contains('/') {
            return self.ip_address.parse().ok();
        }
        Some(Block { network: self.ip_address.parse().ok()?, prefix: 32 })
    }

    /// The hardware address that goes with them at a port.
    pub(crate) fn hardware_address(&self, port: &Port) -> Option<String> {
        self.mac_address.as_ref().map_or_else(|| Some(port.mac.clone()), |mac| normal_mac(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_addresses_or_blocks_of_them() {
        let pair = |ip: &str, mac: Option<&str>| AddressPair {
            ip_address: ip.to_owned(),
            mac_address: mac.map(str::to_owned),
        };
        for (ip, block) in [("10.0.0.9", Some("10.0.0.9/32")), ("10.0.0.9/8", Some("10.0.0.0/8"))] {
            assert!(pair(ip, None).check().is_ok());
            assert_eq!(pair(ip, None).block(), block.map(|block| block.parse().unwrap()));
        }
        assert!(
            pair("fd00::/64", None).check().is_ok() && pair("fd00::/64", None).block().is_none()
        );
        for ip in ["10.0.0.9/33", "10.0.0", "10.0.0.9/", "x accept"] {
            assert!(pair(ip, None).check().is_err(), "{ip}");
        }
        assert!(pair("10.0.0.9", Some("fa:16:3e:00:00:zz")).check().is_err());
        assert!(pair("10.0.0.9", Some("FA:16:3E:00:00:01")).check().is_ok());
    }
}
