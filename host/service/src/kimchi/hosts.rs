//! Which host is meant. Kimchi's clients name one by whatever the source's ssh would resolve; here it must be one of the
//! configuration, because only of those the keys and certificates are known.

use std::net::IpAddr;

use axum::http::StatusCode;
use waypost_core::ids::HostName;
use waypost_core::uri::host_in;

use super::refusal::Refusal;

/// A host, and by what else than its name it may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHost {
    /// Its configured name.
    pub name: HostName,
    /// Host names and addresses, in any order; the first is the one to take where one is needed.
    pub addresses: Vec<String>,
}

impl KnownHost {
    /// A host with its configured addresses, and those in its URIs.
    pub fn new<'a>(name: HostName, addresses: &[String], uris: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<String> = addresses.to_vec();
        for host in uris.into_iter().filter_map(host_in) {
            if !is_this_machine(host) && !all.iter().any(|known| same(known, host)) {
                all.push(host.to_owned());
            }
        }
        Self { name, addresses: all }
    }
}

/// The host that a client means, of those that there are.
pub(super) fn meant(asked: &str, there: &[HostName], known: &[KnownHost]) -> Result<HostName, Refusal> {
    if let Some(name) = there.iter().find(|name| name.as_str() == asked) {
        return Ok(name.clone());
    }
    let by_address = |host: &&KnownHost| host.addresses.iter().any(|address| same(address, asked));
    let found: Vec<&KnownHost> = known.iter().filter(by_address).filter(|host| there.contains(&host.name)).collect();
    match found.as_slice() {
        [host] => Ok(host.name.clone()),
        [] if is_this_machine(asked) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "KCHVM0055E",
            &format!("{asked} is the machine that asks, and no destination"),
        )),
        [] => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "KCHVM0090E",
            &format!(
                "{asked} is none of the configured hosts ({}), and without its keys nothing is sent there. Name one of them, by \
                 its name or address, or add a [[host]] with the name, the uri and the addresses of {asked} to the configuration and \
                 have the service read it again",
                names(there)
            ),
        )),
        several => {
            let several: Vec<HostName> = several.iter().map(|host| host.name.clone()).collect();
            Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "KCHVM0090E",
                &format!("{asked} stands for several configured hosts: name one of {}", names(&several)),
            ))
        }
    }
}

/// Where memory goes over RDMA: as it was asked for, or, for a name of the configuration, to the host's first address.
pub(super) fn rdma_address<'a>(asked: &'a str, host: &HostName, known: &'a [KnownHost]) -> &'a str {
    let addresses = known.iter().find(|known| known.name == *host).map_or(&[][..], |known| known.addresses.as_slice());
    match addresses.first() {
        Some(first) if !addresses.iter().any(|address| same(address, asked)) => first,
        _ => asked,
    }
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

fn same(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> (Vec<HostName>, Vec<KnownHost>) {
        let host = |name: &str, addresses: &[&str], uri: &str| {
            let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
            KnownHost::new(HostName::new(name), &addresses, [uri])
        };
        let known = vec![
            host("a", &[], "qemu:///system"),
            host("b", &["10.0.0.2", "fd00::2"], "qemu+ssh://root@KVM2.example:22/system?x=1"),
            host("c", &["10.0.0.2"], "qemu+tls://[fd00::3]/system"),
            host("d", &[], "qemu+tcp://localhost:16510/system"),
        ];
        (known.iter().map(|host| host.name.clone()).collect(), known)
    }

    #[test]
    fn a_host_is_meant_by_its_name_its_addresses_and_its_uri() {
        let (there, known) = known();
        for (asked, name) in [("a", "a"), ("b", "b"), ("kvm2.EXAMPLE", "b"), ("fd00:0::2", "b"), ("fd00::3", "c")] {
            assert_eq!(meant(asked, &there, &known).unwrap().as_str(), name, "{asked}");
        }
        for (asked, begins) in [
            ("B", "KCHVM0090E: B is none of the configured hosts (a, b, c, d)"),
            ("10.0.0.9", "KCHVM0090E: 10.0.0.9 is none"),
            ("", "KCHVM0090E: "),
            ("10.0.0.2", "KCHVM0090E: 10.0.0.2 stands for several configured hosts: name one of b, c"),
            ("localhost", "KCHVM0055E: "),
            ("127.0.1.1", "KCHVM0055E: "),
            ("::1", "KCHVM0055E: "),
        ] {
            let refusal = meant(asked, &there, &known).unwrap_err();
            assert!(refusal.reason().starts_with(begins), "{asked}: {}", refusal.reason());
        }
    }

    #[test]
    fn rdma_goes_where_it_was_asked_for_or_to_the_first_address() {
        let (_, known) = known();
        let to = |asked: &str, name: &str| rdma_address(asked, &HostName::new(name), &known).to_owned();
        assert_eq!(to("fd00::2", "b"), "fd00::2");
        assert_eq!(to("b", "b"), "10.0.0.2");
        assert_eq!(to("a", "a"), "a");
    }
}
