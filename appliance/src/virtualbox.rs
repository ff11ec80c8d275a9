//! Has VirtualBox import an OVA, on a host-only network with a DHCP server.

use std::path::Path;

use crate::Error;
use crate::host_only::{DHCP_SERVER, FIRST_LEASE, HOST, LAST_LEASE, NETMASK};
use crate::tools::{VBOXMANAGE, answer};

/// Imports a machine under a name, and says on which host-only network it is.
///
/// # Errors
/// When there is a machine of that name already, or VirtualBox is missing or refuses something.
pub fn import(ova: &Path, name: &str) -> Result<String, Error> {
    import_by(ova, name, &mut |arguments| answer(VBOXMANAGE, arguments))
}

fn import_by(
    ova: &Path,
    name: &str,
    run: &mut dyn FnMut(&[&str]) -> Result<String, Error>,
) -> Result<String, Error> {
    if machines(&run(&["list", "vms"])?).any(|it| it == name) {
        return Err(Error::Refused(format!(
            "VirtualBox has a machine `{name}` already; choose another name with --name, or remove that one: \
             VBoxManage unregistervm {name} --delete"
        )));
    }
    let network = match network(&run(&["list", "hostonlyifs"])?) {
        Some(network) => network,
        None => make_network(run)?,
    };
    let ova = ova.to_string_lossy();
    run(&["import", &ova, "--vsys", "0", "--vmname", name])?;
    run(&["modifyvm", name, "--nic2", "hostonly", "--hostonlyadapter2", &network])?;
    Ok(network)
}

/// Makes the network that the appliance expects, and says its name.
fn make_network(run: &mut dyn FnMut(&[&str]) -> Result<String, Error>) -> Result<String, Error> {
    let said = run(&["hostonlyif", "create"])?;
    let name = said.split('\'').nth(1).map(str::to_owned);
    let name = name.ok_or_else(|| {
        Error::Refused(format!("VirtualBox did not say which network it made: {}", said.trim()))
    })?;
    let [host, netmask, server, first, last] =
        [HOST, NETMASK, DHCP_SERVER, FIRST_LEASE, LAST_LEASE].map(|address| address.to_string());
    run(&["hostonlyif", "ipconfig", &name, "--ip", &host, "--netmask", &netmask])?;
    let interface = format!("--interface={name}");
    let server = ["--server-ip", &server, "--netmask", &netmask];
    let range = ["--lower-ip", &first, "--upper-ip", &last, "--enable"];
    run(&[&["dhcpserver", "add", interface.as_str()][..], &server, &range].concat())?;
    Ok(name)
}

/// The names in `VBoxManage list vms`: each in quotes, before the machine's number.
fn machines(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .filter_map(|line| line.strip_prefix('"')?.rsplit_once("\" {").map(|(name, _)| name))
}

/// The network in `VBoxManage list hostonlyifs` where this machine has the address that the appliance expects.
fn network(list: &str) -> Option<String> {
    list.split("\n\n").find_map(|block| {
        let field = |name: &str| {
            let mut lines = block.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
        };
        field("Name").filter(|_| field("IPAddress") == Some(HOST.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORKS: &str = "Name:            vboxnet0\nDHCP:            Disabled\nIPAddress:       10.9.9.1\n\n\
                            Name:            vboxnet1\nDHCP:            Disabled\nIPAddress:       192.168.56.1\n";

    /// What is run, when VirtualBox has these machines and networks.
    fn commands(machines: &str, networks: &str) -> (Result<String, Error>, Vec<String>) {
        let mut ran = vec![];
        let result = import_by(Path::new("n.ova"), "Nutshell", &mut |arguments| {
            ran.push(arguments.join(" "));
            Ok(match arguments {
                ["list", "vms"] => machines.to_owned(),
                ["list", "hostonlyifs"] => networks.to_owned(),
                ["hostonlyif", "create"] => {
                    "0%...100%\nInterface 'vboxnet7' was successfully created\n".to_owned()
                }
                _ => String::new(),
            })
        });
        (result, ran)
    }

    #[test]
    fn a_network_that_fits_is_used() {
        let (network, ran) = commands("\"Other\" {1}\n", NETWORKS);
        assert_eq!(network.unwrap(), "vboxnet1");
        assert_eq!(
            ran[2..],
            [
                "import n.ova --vsys 0 --vmname Nutshell",
                "modifyvm Nutshell --nic2 hostonly --hostonlyadapter2 vboxnet1"
            ]
        );
    }

    #[test]
    fn a_network_is_made_with_its_dhcp_server_when_none_fits() {
        let (network, ran) = commands("", "");
        assert_eq!(network.unwrap(), "vboxnet7");
        assert_eq!(
            ran[3],
            "hostonlyif ipconfig vboxnet7 --ip 192.168.56.1 --netmask 255.255.255.0"
        );
        assert_eq!(
            ran[4],
            "dhcpserver add --interface=vboxnet7 --server-ip 192.168.56.100 --netmask 255.255.255.0 \
             --lower-ip 192.168.56.101 --upper-ip 192.168.56.254 --enable"
        );
    }

    #[test]
    fn a_machine_of_that_name_stays_as_it_is() {
        let (refused, ran) = commands("\"Nut\" {1}\n\"Nutshell\" {2}\n", NETWORKS);
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("`Nutshell` already") && error.contains("--name"), "{error}");
        assert_eq!(ran, ["list vms"]);
    }
}
