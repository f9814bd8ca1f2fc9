//! What can be known of the way: from the source's daemon to the destination's libvirt, and between the hypervisors.
//!
//! Peer to peer, the *source* opens both connections, so a name or an address counts as the source sees it. No libvirt
//! call can try either beforehand; what is left unproven is said as such, once. A direct migration has no connection
//! between the daemons, and needs no URI for one.

mod uri;

use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

use uri::{Uri, is_loopback};

/// The policy.
pub struct Transport;

impl Precheck for Transport {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let peer = if destination.needs_peer_uri() { destination.peer_uri() } else { None };
        if peer.is_none() && destination.needs_peer_uri() {
            return vec![
                Finding::blocker(
                    "peer-uri-missing",
                    format!("{} has no URI by which the source's daemon could reach it.", destination.name()),
                )
                .with("uri of the controller", destination.uri())
                .remedy("Set peer_uri for this host in the configuration, or migrate directly (--direct)."),
            ];
        }
        let mut findings = peer.map_or_else(Vec::new, |peer| control(&Uri::parse(peer), peer, destination));
        let live = request.travel(domain) == Travel::Live;
        if live {
            findings.extend(data(request, source, destination));
        }
        // Without memory and without a connection of the daemons nothing goes from host to host.
        if (live || peer.is_some()) && findings.iter().all(|finding| finding.code != "peer-uri-local") {
            findings.push(unproven(request, live, peer, destination));
        }
        findings
    }
}

/// From daemon to daemon.
fn control(peer: &Uri<'_>, text: &str, destination: &HostFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if peer.host.is_empty() || is_loopback(peer.host) || peer.transport() == Some("unix") {
        findings.push(
            Finding::blocker("peer-uri-local", "The peer URI leads the source's daemon back to its own host.")
                .with("peer URI", text)
                .with("destination", destination.name())
                .remedy("Name the destination in peer_uri by a name or address that the source reaches."),
        );
    } else if peer.transport() == Some("tcp") {
        findings.push(
            Finding::warning(
                "peer-uri-unencrypted",
                "The daemons talk over plain TCP: definitions and job data can be read on the way.",
            )
            .with("peer URI", text)
            .remedy("Use qemu+tls:// or qemu+ssh://, or keep this network to the hosts alone and use SASL."),
        );
    }
    findings
}

/// From hypervisor to hypervisor.
fn data(request: &Request, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let wanted = request.migrate_uri.as_deref().map(Uri::parse);
    let transport = wanted.as_ref().map_or("tcp", |uri| uri.scheme);
    for host in [source, destination] {
        let known = host.migration_transports();
        // libvirt has no word for `unix` in this list; it can do it since 6.8.
        if transport != "unix" && !known.is_empty() && !known.iter().any(|known| known == transport) {
            findings.push(
                Finding::blocker(
                    "migration-transport-missing",
                    format!("{} has no migration transport {transport}.", host.name()),
                )
                .with("wanted", transport)
                .with("known there", text::list(known, "none"))
                .remedy("Use a migrate URI of another scheme, or another destination."),
            );
        }
    }
    match &wanted {
        Some(uri) => findings.extend(asked_for(uri, request, source, destination)),
        None => findings.extend(by_hostname(source, destination)),
    }
    let port = wanted.as_ref().and_then(|uri| uri.port);
    if transport != "unix" {
        findings.extend(ports(port, destination));
    }
    if let Some(listen) = request.listen_address.as_deref() {
        let known = matches!(listen, "0.0.0.0" | "::" | "") || destination.addresses().iter().any(|own| own == listen);
        if !known {
            findings.push(
                Finding::warning(
                    "listen-address-unproven",
                    format!("Whether {} has the address to listen on can't be told.", destination.name()),
                )
                .with("listen address", listen)
                .with("addresses known", text::list(destination.addresses(), "none")),
            );
        }
    }
    findings
}

fn asked_for(uri: &Uri<'_>, request: &Request, source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let of_source = source.addresses().iter().any(|own| own == uri.host)
        || (uri.host == source.hostname() && source.hostname() != destination.hostname());
    (uri.scheme != "unix" && (is_loopback(uri.host) || uri.host.is_empty() || of_source)).then(|| {
        Finding::blocker("migrate-uri-local", "The migrate URI leads the source's hypervisor back to its own host.")
            .with_option("migrate URI", request.migrate_uri.as_deref(), "none")
            .with("destination", destination.name())
            .remedy("Give an address of the destination that the source reaches.")
    })
}

/// Without a migrate URI the source sends to the destination's own hostname.
fn by_hostname(source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let name = destination.hostname();
    let (code, message) = if name.is_empty() || is_loopback(name) || name.starts_with("localhost") {
        (
            "hostname-local",
            format!("{} calls itself {name:?}: libvirt can't make a migration URI of that.", destination.name()),
        )
    } else if name == source.hostname() {
        ("hostname-duplicate", "Both hosts have one hostname: the source would send the memory to itself.".to_owned())
    } else {
        return None;
    };
    Some(
        Finding::blocker(code, message)
            .with("hostname of the source", source.hostname())
            .with("hostname of the destination", name)
            .remedy("Give a migrate URI with an address of the destination, or set its hostname."),
    )
}

fn ports(fixed: Option<u16>, destination: &HostFacts) -> Option<Finding> {
    let range = destination.migration_ports();
    let in_range = |port: u16| (range.first..=range.last).contains(&port);
    let described = |finding: Finding| {
        finding.with("range", format!("{}-{}", range.first, range.last)).with("in use", range.in_use)
    };
    let free = (u32::from(range.last) + 1).saturating_sub(u32::from(range.first)).saturating_sub(range.in_use);
    match fixed {
        None if free == 0 => Some(
            described(Finding::blocker(
                "migration-ports-exhausted",
                format!("All migration ports of {} are held by incoming migrations.", destination.name()),
            ))
            .remedy("Wait for one of them, or widen migration_port_min and migration_port_max in its qemu.conf."),
        ),
        Some(port) if in_range(port) && range.in_use > 0 => Some(
            described(Finding::warning(
                "migration-port-may-be-taken",
                "The fixed port is in the range from which libvirt serves other migrations, and some are under way.",
            ))
            .with("port", port)
            .remedy("Leave the port out of the migrate URI, or choose one outside the range."),
        ),
        _ => None,
    }
}

/// All that the start has to show: who is reached, at which ports, and which names certificates must bear. Whether the memory
/// will be encrypted is decided later, in the plan, so the name is told in any case.
fn unproven(request: &Request, live: bool, peer: Option<&str>, destination: &HostFacts) -> Finding {
    let finding = Finding::info(
        "transport-unproven",
        format!(
            "Whether the source reaches {} can't be asked of libvirt; the migration's start shows it.",
            destination.name()
        ),
    )
    .with_option("daemon", peer, "not needed: this program drives both");
    let by_tls = peer.map(Uri::parse).filter(|uri| uri.transport().is_none_or(|transport| transport == "tls"));
    let finding = match by_tls {
        Some(uri) => finding.with("name in the daemon's certificate", uri.host),
        None => finding,
    };
    if !live {
        return finding;
    }
    let range = destination.migration_ports();
    let range = format!("{}-{}", range.first, range.last);
    let given = request.migrate_uri.as_deref();
    let memory = given.map_or_else(|| format!("tcp://{}:{range}", destination.hostname()), str::to_owned);
    let finding = finding.with("memory", memory);
    let wanted = given.map(Uri::parse);
    if wanted.as_ref().is_some_and(|uri| uri.scheme == "unix") {
        return finding;
    }
    let (name, port) = wanted.map_or((destination.hostname(), None), |uri| (uri.host, uri.port));
    finding.with("port", port.map_or(range, |port| port.to_string())).with(
        "name in the hypervisor's certificate",
        format!("{name}, or the one that the plan says; without TLS none"),
    )
}

export_precheck!(Transport);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{self, Blocker, Info, Warning};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    fn ask(request: &Request, domain: &DomainFacts, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let found = testing::check::<Transport>(request, domain, &testing::host_with("kvm2", change));
        // The standing remark is looked at by one test and is in the way of the others.
        codes(&found)
            .into_iter()
            .filter(|(code, _)| *code != "transport-unproven")
            .map(|(code, weight)| (code.to_owned(), weight))
            .collect()
    }

    fn check(change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        ask(&testing::request(), &testing::domain(), change)
    }

    fn migrate_to(uri: &str, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        ask(&testing::request_with(|request| request.migrate_uri = Some(uri.into())), &testing::domain(), change)
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    fn off() -> DomainFacts {
        testing::domain_with(|domain| domain.state = DomainState::ShutOff)
    }

    #[test]
    fn a_good_way_is_still_unproven_and_all_of_it_is_named() {
        let named = |request: &Request, domain: &DomainFacts, host: &HostFacts| {
            let found = testing::check::<Transport>(request, domain, host);
            assert_eq!(codes(&found), [("transport-unproven", Info)]);
            let evidence: Vec<_> = found[0].evidence.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            evidence.join("; ")
        };
        let to = |uri: &str| testing::request_with(|request| request.migrate_uri = Some(uri.to_owned()));
        let tls = &testing::host("kvm2");
        let ssh = &testing::host_with("kvm2", |host| host.peer_uri = Some("qemu+ssh://root@kvm2/system".into()));
        let daemon = "daemon: qemu+tls://kvm2.example.org/system; name in the daemon's certificate: kvm2.example.org";
        let all = named(&testing::request(), &testing::domain(), tls);
        assert_eq!(
            all,
            format!(
                "{daemon}; memory: tcp://kvm2.example.org:49152-49215; port: 49152-49215; name in the hypervisor's \
                 certificate: kvm2.example.org, or the one that the plan says; without TLS none"
            )
        );
        let fixed = named(&to("tcp://10.88.0.2:50000"), &testing::domain(), ssh);
        assert!(fixed.contains("memory: tcp://10.88.0.2:50000; port: 50000; name in the hyp"), "{fixed}");
        assert!(fixed.contains("certificate: 10.88.0.2,") && !fixed.contains("daemon's certificate"), "{fixed}");
        let free = named(&to("tcp://10.88.0.2"), &testing::domain(), ssh);
        assert!(free.contains("port: 49152-49215"), "an address of a network has the range's ports: {free}");
        let socket = named(&to("unix:///srv/mig.sock"), &testing::domain(), ssh);
        assert_eq!(socket, "daemon: qemu+ssh://root@kvm2/system; memory: unix:///srv/mig.sock");
        assert_eq!(named(&testing::request(), &off(), tls), daemon, "no memory travels");
    }

    #[test]
    fn the_peer_uri_must_lead_to_the_destination() {
        assert_eq!(check(|host| host.peer_uri = None), one("peer-uri-missing", Blocker));
        for uri in
            ["qemu:///system", "qemu+unix:///system", "qemu+tls://localhost/system", "qemu+tcp://127.0.0.1/system"]
        {
            assert_eq!(check(|host| host.peer_uri = Some(uri.into())), one("peer-uri-local", Blocker), "{uri}");
        }
        let tcp = |host: &mut HostFacts| host.peer_uri = Some("qemu+tcp://kvm2.example.org/system".into());
        assert_eq!(check(tcp), one("peer-uri-unencrypted", Warning));
        assert_eq!(check(|host| host.peer_uri = Some("qemu+ssh://root@kvm2/system".into())), []);
    }

    #[test]
    fn a_direct_migration_needs_no_peer_uri_and_its_memory_is_looked_at_all_the_same() {
        let direct = |host: &mut HostFacts| (host.needs_peer_uri, host.peer_uri) = (false, None);
        assert_eq!(check(direct), []);
        let local =
            |host: &mut HostFacts| (host.needs_peer_uri, host.peer_uri) = (false, Some("qemu:///system".into()));
        assert_eq!(check(local), [], "a URI that is not used is not judged");
        let nameless = |host: &mut HostFacts| (host.needs_peer_uri, host.hostname) = (false, "localhost".into());
        assert_eq!(check(nameless), one("hostname-local", Blocker));
        let found = testing::check::<Transport>(&testing::request(), &off(), &testing::host_with("kvm2", direct));
        assert_eq!(codes(&found), [], "a definition goes through this program alone");
    }

    #[test]
    fn a_hostname_must_mean_the_destination_unless_a_migrate_uri_is_given() {
        for name in ["localhost", "localhost.localdomain", "127.0.1.1", ""] {
            assert_eq!(check(|host| host.hostname = name.into()), one("hostname-local", Blocker), "{name:?}");
        }
        let twin = |host: &mut HostFacts| host.hostname = "kvm1.example.org".into();
        assert_eq!(check(twin), one("hostname-duplicate", Blocker));
        assert_eq!(migrate_to("tcp://192.0.2.99", twin), []);
        assert_eq!(ask(&testing::request(), &off(), twin), [], "no memory travels");
    }

    #[test]
    fn a_migrate_uri_must_not_lead_back() {
        let own = format!("tcp://{}", testing::host("kvm1").addresses[0]);
        for uri in ["tcp://127.0.0.1:49152", "tcp://[::1]:49152", "tcp://kvm1.example.org", own.as_str()] {
            assert_eq!(migrate_to(uri, |_| {}), one("migrate-uri-local", Blocker), "{uri}");
        }
        assert_eq!(migrate_to("unix:///srv/mig.sock", |_| {}), []);
        assert_eq!(migrate_to("tcp://10.88.0.2", |_| {}), []);
    }

    #[test]
    fn both_hosts_must_know_the_transport() {
        let found = migrate_to("rdma://10.88.0.2", |host| host.migration_transports = vec!["tcp".into()]);
        assert_eq!(found, one("migration-transport-missing", Blocker));
        assert_eq!(
            check(|host| host.migration_transports = vec!["rdma".into()]),
            one("migration-transport-missing", Blocker)
        );
        assert_eq!(check(|host| host.migration_transports = vec![]), [], "a driver that lists none says nothing");
    }

    #[test]
    fn ports_may_run_out() {
        assert_eq!(check(|host| host.migration_ports.in_use = 63), []);
        assert_eq!(check(|host| host.migration_ports.in_use = 64), one("migration-ports-exhausted", Blocker));
        assert_eq!(migrate_to("tcp://10.88.0.2:49160", |_| {}), []);
        let busy = |host: &mut HostFacts| host.migration_ports.in_use = 1;
        assert_eq!(migrate_to("tcp://10.88.0.2:49160", busy), one("migration-port-may-be-taken", Warning));
        assert_eq!(migrate_to("tcp://10.88.0.2:50000", busy), []);
    }

    #[test]
    fn an_address_to_listen_on_should_be_the_destinations() {
        let listen = |address: String| testing::request_with(|request| request.listen_address = Some(address));
        assert_eq!(ask(&listen("0.0.0.0".into()), &testing::domain(), |_| {}), []);
        assert_eq!(ask(&listen(testing::host("kvm2").addresses[0].clone()), &testing::domain(), |_| {}), []);
        let foreign = ask(&listen("198.51.100.7".into()), &testing::domain(), |_| {});
        assert_eq!(foreign, one("listen-address-unproven", Warning));
    }
}
