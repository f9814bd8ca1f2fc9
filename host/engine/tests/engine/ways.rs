//! What the source's machine finds of a way before anything moves, from the facts to the plan.

use std::sync::Arc;

use waypost_core::finding::Severity;
use waypost_core::network::{Fallback, Networks};
use waypost_core::outcome::OutcomeKind;
use waypost_core::request::Options;
use waypost_core::stream::{DiskCopy, Disks, Encryption, Stream, Transport};
use waypost_sim::HostSpec;

use crate::networks::{begin_on, host, migrate, networks};
use crate::support::{Mind, Minded, in_virtual_time};

/// The plan's word, another network, or a refusal.
#[test]
fn a_way_that_is_tried_before_the_start_is_proven_stepped_back_from_or_refused() {
    let try_from_a = |networks: Networks, ways: &[(&str, &str)], options: Options| {
        in_virtual_time(async {
            let ways = ways.iter().map(|(to, answer)| ((*to).to_owned(), (*answer).to_owned()));
            let a = HostSpec { ways: Some(ways.collect()), ..host("a", "up", &options) };
            let hosts = [a, host("b", "up", &options)];
            let policies = Arc::new(Minded::new(Mind::Conservative));
            let (engine, _, driver) = begin_on(hosts, networks, options, vec![], policies);
            let id = driver.id();
            let outcome = driver.drive().await.unwrap();
            let course = engine.read(id).unwrap();
            let found: Vec<_> = course.verdict.unwrap().findings.into_iter().map(|judged| judged.finding).collect();
            (outcome, course.plan, found)
        })
    };
    let (outcome, plan, _) = try_from_a(networks(), &[], Options::default());
    let notes = plan.unwrap().notes.0;
    assert_eq!(outcome.kind, OutcomeKind::Completed);
    assert!(
        notes.iter().any(|n| n.ends_with("a reaches 10.8.0.2: tried from there, its ports 49183 and 49215 answered")),
        "{notes:?}"
    );

    let (outcome, plan, found) = try_from_a(networks(), &[("10.8.0.2", "silent")], Options::default());
    assert_eq!((outcome.kind, plan), (OutcomeKind::Refused, None));
    assert_eq!((found[0].code.as_str(), found[0].severity), ("migration-network-missing", Severity::Blocker));
    assert!(found[0].message.contains("mig: from a 10.8.0.2 is not reached on port 49183: silent"), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    let told = |name: &str| found[0].evidence.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(told("way to 10.8.0.2 port 49183"), Some("silent"), "{found:?}");
    assert_eq!(told("way to 10.8.0.2 port 49215"), Some("silent"), "{found:?}");
    assert_eq!(told("way to b port 16514"), Some("taken"), "the daemon's: {found:?}");

    let mut fallback = networks();
    fallback.networks[0].fallback = vec![Fallback::Network("six".into())];
    let (outcome, plan, found) = try_from_a(fallback, &[("10.8.0.2", "no-way")], Options::default());
    assert_eq!((outcome.kind, plan.unwrap().network.as_deref()), (OutcomeKind::Completed, Some("six")));
    assert_eq!((found[0].code.as_str(), found[0].severity), ("migration-network-fallback", Severity::Warning));

    // Without networks libvirt takes the name that the destination gives itself.
    let (outcome, _, found) = try_from_a(Networks::default(), &[("b", "no-way")], Options::default());
    assert_eq!(outcome.kind, OutcomeKind::Refused);
    assert!(
        found[0].message.starts_with("a does not reach b where the daemons' connection would go: b is not"),
        "{found:?}"
    );
    let direct = Options { transport: Transport::Direct, ..Options::default() };
    // Whether the memory goes there at all is for the destination's qemu.conf to say, of which nobody knows.
    let (outcome, plan, found) = try_from_a(Networks::default(), &[("b", "no-way")], direct);
    assert_eq!(outcome.kind, OutcomeKind::Completed);
    assert_eq!((found[0].code.as_str(), found[0].severity), ("migration-network-doubtful", Severity::Warning));
    assert!(found[0].message.starts_with("from a b is not reached on port 49183: no-way; libvirt sends"), "{found:?}");
    assert!(found[0].evidence.contains(&("way to b port 49215".to_owned(), "no-way".to_owned())), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(plan.unwrap().notes.0.contains(&found[0].message), "a note has it too");
    // An address that somebody names is where it goes.
    let own =
        Options { transport: Transport::Direct, migrate_uri: Some("tcp://10.7.0.2".into()), ..Options::default() };
    let (outcome, _, found) = try_from_a(Networks::default(), &[("10.7.0.2", "no-way")], own);
    assert_eq!(outcome.kind, OutcomeKind::Refused);
    let said = "a does not reach b where the memory would go: 10.7.0.2 is not reached";
    assert!(found[0].message.starts_with(said), "{found:?}");
    // Nobody connects to a port on which a transfer may come in.
    let own = Options { migrate_uri: Some("tcp://10.7.0.2:50000".into()), ..Options::default() };
    let (outcome, plan, _) = try_from_a(networks(), &[("10.7.0.2", "silent")], own);
    let notes = plan.unwrap().notes.0;
    assert_eq!(outcome.kind, OutcomeKind::Completed);
    assert!(
        notes
            .iter()
            .any(|n| n.contains("that a reaches 10.7.0.2 could not be tried: a transfer that comes in on port 50000")),
        "{notes:?}"
    );
    // A URI has the zone of an address otherwise than a program is given it.
    let own = Options { migrate_uri: Some("tcp://[fe80::2%25eth1]".into()), ..Options::default() };
    let (outcome, _, found) = try_from_a(networks(), &[("fe80::2%eth1", "silent")], own);
    assert_eq!(outcome.kind, OutcomeKind::Refused);
    assert!(found[0].message.contains("fe80::2%eth1 is not reached on port 49183: silent"), "{found:?}");
    let disks = Disks { copy: DiskCopy::Full, port: Some(49215), ..Disks::default() };
    let (outcome, plan, _) = try_from_a(networks(), &[], Options { disks, ..Options::default() });
    let notes = plan.unwrap().notes.0;
    assert_eq!(outcome.kind, OutcomeKind::Completed);
    assert!(
        notes.iter().any(|n| n.ends_with("a reaches 10.8.0.2: tried from there, its ports 49183 answered")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|n| n.starts_with("that a reaches port 49215 of b, where the disks come in")),
        "{notes:?}"
    );
    // What travels on its own way is tried on that one.
    let disks = Disks { copy: DiskCopy::Full, uri: Some("tcp://10.6.0.2".into()), ..Disks::default() };
    let (outcome, _, found) =
        try_from_a(networks(), &[("10.6.0.2", "silent")], Options { disks, ..Options::default() });
    assert_eq!(outcome.kind, OutcomeKind::Refused);
    assert!(found[0].message.starts_with("a does not reach b where the disks would go: 10.6.0.2 is not"), "{found:?}");
    let told = found[0].evidence.iter().any(|(name, value)| name == "way to 10.6.0.2 port 49183" && value == "silent");
    assert!(told, "{found:?}");
}

/// Where nothing is declared and nobody can try it, the plan says so, once, and what to do.
#[test]
fn a_way_that_nobody_tries_is_said_to_be_unproven() {
    let unproven = |networks, options| {
        let plan = migrate(networks, "up", options).1.unwrap();
        plan.notes.0.into_iter().filter(|note| note.contains("is unproven, because")).collect::<Vec<_>>()
    };
    let said = |to: &str| {
        let why = "libvirt has no call that tries it and no `way_probe` is configured for a";
        format!("that a reaches {to} is unproven, because {why}, and so are the ports 49152-49215 there")
    };
    assert_eq!(unproven(Networks::default(), Options::default()), [said("b")]);
    let own = |uri: &str| Options { migrate_uri: Some(uri.to_owned()), ..Options::default() };
    assert_eq!(unproven(networks(), own("tcp://10.7.0.2")), [said("10.7.0.2")]);
    let on_purpose = Options { network: Some("management".into()), ..Options::default() };
    assert_eq!(unproven(networks(), on_purpose), [format!("network management: {}", said("b"))]);
}

/// An address is in no certificate: the host's name is compared, and only the start shows whether it is in there.
#[test]
fn an_encrypted_way_says_which_name_is_unproven() {
    let encrypted = Stream { encryption: Encryption::Required, ..Stream::default() };
    let plan = migrate(networks(), "up", Options { stream: encrypted, ..Options::default() }).1.unwrap();
    let name = plan.stream.tls_destination.clone().unwrap();
    let said = |part: &str| plan.notes.0.iter().any(|note| note.contains(part));
    assert!(said(&format!("that the hypervisor's certificate on b names {name} is unproven")), "{:?}", plan.notes);
    assert!(said("and so are the ports 49152-49215 there"), "{:?}", plan.notes);
    let plain = migrate(networks(), "up", Options::default()).1.unwrap();
    assert!(!plain.notes.0.iter().any(|note| note.contains("certificate")), "{:?}", plain.notes);
}
