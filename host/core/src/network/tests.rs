//! Which network is taken, as tables.

use super::*;
use crate::facts::{Answer, Candidate, HostFacts, HostLink, MigrationPorts, WayTried};

fn place(address: &str, interface: Option<&str>) -> Place {
    Place { address: address.parse().unwrap(), interface: interface.map(str::to_owned) }
}

fn network(name: &str, places: [(&str, Place); 2]) -> Network {
    Network {
        name: name.into(),
        roles: vec![Role::Migration],
        fallback: vec![],
        bandwidth_mib_s: None,
        max_migrations: None,
        places: places.into_iter().map(|(host, place)| (HostName::new(host), place)).collect(),
    }
}

/// A host with its interfaces, each with a state.
fn host(name: &str, links: Option<&[(&str, Option<&str>)]>) -> HostFacts {
    let link = |(name, state): &(&str, Option<&str>)| HostLink {
        name: (*name).to_owned(),
        state: state.map(str::to_owned),
        mac: None,
    };
    HostFacts {
        hostname: format!("{name}.example"),
        migration_ports: MigrationPorts { first: 1, last: 2, in_use: 0 },
        links: links.map(|links| links.iter().map(link).collect()),
        ..crate::testing::host(name)
    }
}

/// The same as a destination of which nothing else is known.
fn there(name: &str, links: Option<&[(&str, Option<&str>)]>) -> Candidate {
    Candidate { host: std::sync::Arc::new(host(name, links)), pair: crate::testing::pair() }
}

const UP: Option<&[(&str, Option<&str>)]> = Some(&[("eth1", Some("up"))]);

/// `mig` with interfaces, `slow` without.
fn site(fallback: Vec<Fallback>) -> Networks {
    let mig = network("mig", [("a", place("10.8.0.1", Some("eth1"))), ("b", place("10.8.0.2", Some("eth1")))]);
    let slow = network("slow", [("a", place("fd00::1", None)), ("b", place("fd00::2", None))]);
    Networks { networks: vec![Network { fallback, ..mig }, slow], ..Networks::default() }
}

#[test]
fn the_strongest_word_names_the_network() {
    let mut networks = site(vec![]);
    networks.default = Some("d".into());
    networks.clusters = vec![Cluster { name: "west".into(), hosts: vec!["a".into(), "b".into()], network: "c".into() }];
    networks.rules = vec![
        NetworkRule { domains: "db-*".into(), network: "r1".into() },
        NetworkRule { domains: "db-1".into(), network: "r2".into() },
    ];
    let (a, b, c) = (HostName::new("a"), HostName::new("b"), HostName::new("c"));
    let cluster = Wanted::Cluster("west".into());
    for (request, metadata, domain, to, expected) in [
        (Some("x"), Some("m"), "db-1", &b, ("x", Wanted::Request)),
        (None, Some("m"), "db-1", &b, ("m", Wanted::Domain)),
        (None, None, "db-1", &b, ("r1", Wanted::Rule("db-*".into()))),
        (None, None, "web", &b, ("c", cluster)),
        (None, None, "web", &c, ("d", Wanted::Default)),
    ] {
        let (name, by) = networks.wanted(request, metadata, domain, &a, to).unwrap();
        assert_eq!((name.as_str(), by), expected);
    }
    assert_eq!(Networks::default().wanted(None, None, "web", &a, &b), None);
}

#[test]
fn up_on_both_sides_or_what_the_fallback_says() {
    use Fallback::{Management, Network as Other};
    const DOWN: Option<&[(&str, Option<&str>)]> = Some(&[("eth1", Some("down"))]);
    const LOWER: Option<&[(&str, Option<&str>)]> = Some(&[("eth1", Some("lowerlayerdown"))]);
    const UNKNOWN: Option<&[(&str, Option<&str>)]> = Some(&[("eth1", Some("unknown"))]);
    const OTHER: Option<&[(&str, Option<&str>)]> = Some(&[("eth0", Some("up"))]);
    let other = || vec![Other("slow".into()), Management];
    for (fallback, from, to, expected, said) in [
        (vec![], UP, UP, Ok(Some("mig")), "its links on a and b are up"),
        (vec![], UP, UNKNOWN, Ok(Some("mig")), "libvirt does not know the state of eth1 of b"),
        (vec![], None, UP, Ok(Some("mig")), "the link of a is unproven, because its libvirt lists no interfaces"),
        (vec![], UP, DOWN, Err(()), "mig: eth1 of b is down; bring one up"),
        (vec![], LOWER, UP, Err(()), "mig: eth1 of a is lowerlayerdown"),
        (vec![], UP, OTHER, Err(()), "mig: b has no interface eth1"),
        (other(), UP, UP, Ok(Some("mig")), "its links on a and b are up"),
        (other(), DOWN, UP, Ok(Some("slow")), "the memory takes network slow instead of mig: mig: eth1 of a is down"),
        (vec![Management], DOWN, UP, Ok(None), "the memory takes network management instead of mig"),
        (vec![Other("none".into())], DOWN, UP, Err(()), "eth1 of a is down; none has not the role migration"),
    ] {
        let networks = site(fallback);
        let chosen = choose(&networks, ("mig", &Wanted::Default), Role::Migration, &host("a", from), &there("b", to));
        match (chosen, expected) {
            (Ok(chosen), Ok(name)) => {
                assert_eq!(chosen.network.as_deref(), name);
                let mut all = chosen.notes.iter().chain(&chosen.stepped_back);
                assert!(all.any(|note| note.contains(said)), "{said}: {chosen:?}");
                assert_eq!(chosen.stepped_back.is_some(), name != Some("mig"));
                assert_eq!(chosen.address.is_some(), name.is_some());
                let unproven =
                    chosen.notes.iter().any(|note| note.contains("is unproven, because libvirt has no call"));
                assert!(unproven, "{:?}", chosen.notes);
                let ports = chosen.notes.iter().any(|note| note.ends_with("and so are the ports 1-2 there"));
                assert!(ports, "{:?}", chosen.notes);
            }
            (Err(error), Err(())) => assert!(error.to_string().contains(said), "{said}: {error}"),
            (chosen, _) => panic!("{said}: {chosen:?}"),
        }
    }
}

#[test]
fn a_way_that_was_tried_is_taken_or_stepped_back_from_and_one_that_could_not_be_is_said() {
    let tried = |to: &str, answer, message: &str| WayTried {
        to: to.into(),
        port: (answer != Answer::Untried).then_some(49215),
        answer,
        message: Some(message.into()),
    };
    let mut networks = site(vec![Fallback::Network("slow".into()), Fallback::Management]);
    networks.networks[0].roles.push(Role::DiskCopy);
    let take = |networks: &Networks, ways: Vec<WayTried>, role| {
        let mut to = there("b", UP);
        to.pair.ways_tried = ways;
        choose(networks, ("mig", &Wanted::Default), role, &host("a", UP), &to)
    };
    let (refused, gone) = ("Connection refused", "No route to host");
    let chosen = take(&networks, vec![tried("10.8.0.2", Answer::Refused, refused)], Role::Migration).unwrap();
    assert_eq!(chosen.network.as_deref(), Some("mig"));
    let note =
        "network mig: its links on a and b are up; a reaches 10.8.0.2: tried from there, its ports 49215 answered";
    assert_eq!(chosen.notes, [note]);

    let chosen = take(&networks, vec![tried("10.8.0.2", Answer::Untried, "no login")], Role::Migration).unwrap();
    let note = "network mig: its links on a and b are up; that a reaches 10.8.0.2 could not be tried: no login";
    assert_eq!(chosen.notes, [note]);

    let ways = vec![tried("10.8.0.2", Answer::NoWay, gone), tried("fd00::2", Answer::Refused, refused)];
    let chosen = take(&networks, ways.clone(), Role::Migration).unwrap();
    assert_eq!(chosen.network.as_deref(), Some("slow"));
    let why = "the memory takes network slow instead of mig: mig: from a 10.8.0.2 is not reached on port 49215: No route to host";
    assert_eq!(chosen.stepped_back.as_deref(), Some(why));

    // The management network is stepped back from likewise where its address is declared: what libvirt's own connection takes
    // may be another port.
    let mut known = networks.clone();
    known.management.insert("b".into(), place("192.0.2.2", None));
    let mut ways = vec![ways[0].clone(), tried("fd00::2", Answer::Silent, "timed out")];
    ways.push(tried("192.0.2.2", Answer::NoWay, gone));
    let error = take(&known, ways.clone(), Role::Migration).unwrap_err().to_string();
    assert!(error.contains("mig: from a 10.8.0.2 is not reached on port 49215: No route to host"), "{error}");
    assert!(error.contains("slow: from a fd00::2 is not reached on port 49215: timed out"), "{error}");
    assert!(error.contains("management: from a 192.0.2.2 is not reached on port 49215: No route to host"), "{error}");

    // Of a name that the destination gives itself nobody knows whether it listens there: the last resort, with the doubt said.
    ways.push(tried("b.example", Answer::NoWay, gone));
    let chosen = take(&networks, ways, Role::Migration).unwrap();
    let doubt = "from a b.example is not reached on port 49215: No route to host; libvirt sends the memory there, unless \
                 `migration_host` among the settings of libvirt on b says otherwise, of which it tells nobody";
    assert_eq!((chosen.network, chosen.address, chosen.doubt.as_deref()), (None, None, Some(doubt)));
    assert_eq!(chosen.notes, [format!("network management: {doubt}")]);
    let stepped_back = chosen.stepped_back.unwrap();
    assert!(stepped_back.contains("slow: from a fd00::2 is not reached on port 49215: timed out"), "{stepped_back}");
    let mut other_order = networks.clone();
    other_order.networks[0].fallback = vec![Fallback::Management, Fallback::Network("slow".into())];
    let ways = vec![tried("10.8.0.2", Answer::NoWay, gone), tried("b.example", Answer::NoWay, gone)];
    let chosen = take(&other_order, ways, Role::Migration).unwrap();
    assert_eq!((chosen.network.as_deref(), chosen.doubt), (Some("slow"), None));

    // What is known of a name that libvirt takes by itself is said as well.
    let ways = vec![tried("10.8.0.2", Answer::NoWay, gone), tried("b.example", Answer::Refused, refused)];
    let chosen = take(&site(vec![Fallback::Management]), ways, Role::Migration).unwrap();
    let note = "network management: a reaches b.example: tried from there, its ports 49215 answered";
    assert_eq!((chosen.network, chosen.notes), (None, vec![note.to_owned()]));

    let error = take(&site(vec![]), vec![tried("10.8.0.2", Answer::Silent, "timed out")], Role::Migration).unwrap_err();
    assert!(error.to_string().starts_with("no network can carry the memory: mig: from a 10.8.0.2"), "{error}");
    let error = take(
        &known,
        vec![tried("10.8.0.2", Answer::Silent, "timed out"), tried("192.0.2.2", Answer::Silent, "")],
        Role::DiskCopy,
    );
    assert!(error.unwrap_err().to_string().contains("slow has not the role disk-copy"));
}

#[test]
fn a_request_may_take_the_management_network_on_purpose_and_nobody_else() {
    let mut networks = site(vec![]);
    let take =
        |networks: &Networks, by| choose(networks, (MANAGEMENT, &by), Role::Migration, &host("a", UP), &there("b", UP));
    let chosen = take(&networks, Wanted::Request).unwrap();
    assert_eq!((chosen.network, chosen.address, chosen.stepped_back, chosen.others), (None, None, None, vec![]));
    networks.management.insert("b".into(), place("192.0.2.2", None));
    let chosen = take(&networks, Wanted::Request).unwrap();
    assert_eq!((chosen.network, chosen.address), (None, "192.0.2.2".parse().ok()));
    let refused = take(&networks, Wanted::Domain).unwrap_err().to_string();
    assert!(refused.contains("which the configuration does not declare; it declares: mig, slow"), "{refused}");
}

/// libvirt's own connections take it in any case: what was found of its addresses is said, and is no reason to refuse.
#[test]
fn what_is_found_of_the_management_network_is_said_and_two_kinds_of_addresses_are_no_way() {
    const DOWN: Option<&[(&str, Option<&str>)]> = Some(&[("eth1", Some("down"))]);
    let take = |places: &[(&str, &str)], to| {
        let mut networks = site(vec![]);
        networks.networks[0].fallback = vec![Fallback::Management];
        let places = places.iter().map(|(host, address)| (HostName::new(*host), place(address, Some("eth1"))));
        networks.management = places.collect();
        let choose = |name, by| choose(&networks, (name, &by), Role::Migration, &host("a", UP), &there("b", to));
        let chosen = choose(MANAGEMENT, Wanted::Request).unwrap();
        // As one that may stand in for another it has the same address.
        if to == UP {
            let others = choose("mig", Wanted::Default).unwrap().others;
            assert_eq!(others, [(Fallback::Management, chosen.address)]);
        }
        (chosen.address.map(|address| address.to_string()), chosen.notes.join("\n"))
    };
    let both = [("a", "192.0.2.1"), ("b", "192.0.2.2")];
    let there = Some("192.0.2.2".to_owned());
    for (places, to, said) in [
        (&both[..], UP, "network management: its links on a and b are up; that a reaches 192.0.2.2 is unproven"),
        (&both[..], DOWN, "network management: the link is unproven: eth1 of b is down; that a reaches 192.0.2.2"),
        (&both[1..], UP, "network management: the link is unproven: a has no address on it; that a reaches"),
    ] {
        let (address, notes) = take(places, to);
        assert_eq!(address, there, "{notes}");
        assert!(notes.starts_with(said), "{notes}");
    }
    let (address, notes) = take(&[("a", "192.0.2.1"), ("b", "fd00::2")], UP);
    assert_eq!(address, None);
    let said = "network management: a has no address of the kind of fd00::2, so b is left to choose where it listens";
    assert_eq!(notes, said);
    // Nothing is known of where it leads but the name.
    let said = "network management: that a reaches b.example is unproven, because libvirt has no call that tries it and no \
                `way_probe` is configured for a, and so are the ports 1-2 there";
    assert_eq!(take(&both[..1], UP), (None, said.to_owned()));
}

#[test]
fn a_host_that_is_not_on_the_network_and_addresses_of_two_kinds_are_no_way() {
    let mut networks = site(vec![]);
    let take = |networks: &Networks| {
        choose(networks, ("mig", &Wanted::Default), Role::Migration, &host("a", UP), &there("b", UP))
            .unwrap_err()
            .to_string()
    };
    networks.networks[0].places.insert("b".into(), place("fd00::2", Some("eth1")));
    assert!(take(&networks).contains("10.8.0.1 and fd00::2 are no addresses of one kind"));
    networks.networks[0].places.remove(&HostName::new("b"));
    assert!(take(&networks).contains("mig: b has no address on it"));
}

#[test]
fn a_network_that_is_not_declared_or_must_not_carry_it_is_an_error_that_says_so() {
    let networks = site(vec![Fallback::Management]);
    let take = |name, role| {
        choose(&networks, (name, &Wanted::Domain), role, &host("a", UP), &there("b", UP)).unwrap_err().to_string()
    };
    assert_eq!(
        take("fast", Role::Migration),
        "the domain's metadata names the migration network \"fast\", which the configuration does not declare; it declares: mig, slow"
    );
    assert!(take("mig", Role::DiskCopy).contains("has not the role disk-copy"));
}
