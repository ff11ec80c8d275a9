//! Which ports are listened on, read from the kernel's table of sockets.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// State of a listening socket in the table.
const LISTEN: &str = "0A";

/// Who knows which ports are open at a fixed address.
pub trait OpenPorts: Send + Sync + std::fmt::Debug {
    /// The TCP ports that are listened on there now.
    fn of(&self, fixed: Ipv4Addr) -> BTreeSet<u16>;
}

/// This machine: servers that share its network.
#[derive(Debug)]
pub(crate) struct Machine;

impl OpenPorts for Machine {
    fn of(&self, fixed: Ipv4Addr) -> BTreeSet<u16> {
        ports_of(fixed)
    }
}

/// TCP ports that are listened on at exactly this address.
pub(crate) fn ports_of(address: Ipv4Addr) -> BTreeSet<u16> {
    ports_in("/proc/net", &[address])
}

/// TCP ports that are listened on at one of these addresses, by the tables in a directory.
pub(crate) fn ports_in(tables: &str, addresses: &[Ipv4Addr]) -> BTreeSet<u16> {
    ["tcp", "tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(format!("{tables}/{table}")).ok())
        .flat_map(|table| parse(&table, addresses))
        .collect()
}

fn parse(table: &str, addresses: &[Ipv4Addr]) -> BTreeSet<u16> {
    let forms: Vec<String> = addresses.iter().flat_map(|address| forms(*address)).collect();
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (ip, port) = fields.next()?.split_once(':')?;
            let state = fields.nth(1)?;
            (state == LISTEN && forms.iter().any(|form| form == ip))
                .then(|| u16::from_str_radix(port, 16).ok())?
        })
        .collect()
}

/// The address as the tables of both families write it: words in the byte order of this machine.
fn forms(address: Ipv4Addr) -> [String; 2] {
    let v4 = format!("{:08X}", u32::from_ne_bytes(address.octets()));
    // An IPv6 socket has it mapped, but for the one that means any.
    let prefix = if address.is_unspecified() { 0 } else { 0xffff_u32.to_be() };
    let v6 = format!("0000000000000000{prefix:08X}{v4}");
    [v4, v6]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_at_the_address_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0500107F:0050 00000000:0000 0A 00000000:00000000
   2: 0500107F:0051 0100007F:9999 01 00000000:00000000
   3: 0000000000000000FFFF00000500107F:01BB 00000000000000000000000000000000:0000 0A 0:0
";
        let ports = parse(table, &[Ipv4Addr::new(127, 16, 0, 5)]);
        if cfg!(target_endian = "little") {
            assert_eq!(ports, BTreeSet::from([80, 443]));
            let any = "\n0: 00000000:0016 0:0 0A\n1: 00000000000000000000000000000000:0017 0:0 0A";
            assert_eq!(parse(any, &[Ipv4Addr::UNSPECIFIED]), BTreeSet::from([22, 23]));
        }
    }

    #[test]
    fn a_real_listener_is_found() {
        let address = Ipv4Addr::new(127, 91, 3, 1);
        let listener = std::net::TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(ports_of(address), BTreeSet::from([port]));
    }
}
