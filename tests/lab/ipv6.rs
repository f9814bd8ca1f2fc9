//! IPv6 alone: on the way of the memory and of the disks, and on the ways to the hosts' daemons. The addresses of IPv4 are
//! taken from the cable, so that nothing can have taken the way back to them.

use std::fs;

use waypost_lab::Link;

use crate::networks::{assert_disk_is_whole, guest, guest_with_disk, mib_sent_with_disk, sent_by};
use crate::site::Site;

/// A lab whose hosts have IPv6, and on that cable nothing else.
pub fn site(link: Link) -> Site {
    let site = Site::new(2);
    site.lab.add_ipv6().expect("the hosts get addresses of IPv6");
    for host in site.lab.hosts() {
        let flushed = host.run(&["ip", "-4", "addr", "flush", "dev", link.interface()]).expect("the host has power");
        assert!(flushed.status.success(), "{flushed:?}");
    }
    site
}

/// Declares that cable as a network with both roles.
fn declare(site: &Site, which: &str) {
    let mut config = fs::read_to_string(site.config()).expect("the configuration");
    for host in site.lab.hosts() {
        let addresses = format!("addresses = [{:?}, {:?}]\n", host.mgmt_ip(), host.migration_ip());
        let there = host.ipv6(Link::Migration);
        let network = format!("networks = {{ six = {{ address = {there:?}, interface = \"eth1\" }} }}\n");
        assert!(config.contains(&addresses), "{config}");
        config = config.replace(&addresses, &(addresses.clone() + &network));
    }
    config.push_str(&format!("\n[[network]]\nname = \"six\"\nroles = [\"migration\", \"disk-copy\"]\n{which}"));
    fs::write(site.config(), config).expect("the configuration is written");
}

#[test]
fn copied_disks_take_it_with_the_memory_and_alone() {
    let site = site(Link::Migration);
    let both = "[networks]\ndefault = \"six\"\n";
    declare(&site, both);
    guest_with_disk(&site);
    let (migration, management) = mib_sent_with_disk(&site, "kvm1", &["--to", "kvm2"]);
    assert!((220..330).contains(&migration), "{migration} MiB took the network");
    assert!(management < 2, "{management} MiB took the other one");
    assert_disk_is_whole(&site, "kvm2");

    fs::remove_file(site.lab.host("kvm1").expect("a host").images().join("g1.img"))
        .expect("the old image is taken away");
    let text = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), text.replace(both, "[networks]\ndisk_copy = \"six\"\n")).expect("it is written");
    let back = ["migrate", "g1", "--to", "kvm1", "--copy-storage", "full", "--direct"];
    let plan = site.waypost(&[&back[..], &["--dry-run", "--json"]].concat()).expect_code(0).json();
    assert_eq!(plan["plan"]["disks"]["uri"], "tcp://[fd00:88::1]", "{plan:#}");
    let (migration, management) = mib_sent_with_disk(&site, "kvm2", &["--to", "kvm1", "--direct"]);
    assert!((150..200).contains(&migration), "{migration} MiB took the network of the disks");
    assert!((70..130).contains(&management), "{management} MiB took the way of the memory");
    assert_disk_is_whole(&site, "kvm1");
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_memory_takes_a_network_of_ipv6_peer_to_peer_and_direct() {
    let site = site(Link::Migration);
    declare(&site, "[networks]\ndefault = \"six\"\n");
    guest(&site, "g1");

    let plan = site.waypost(&["migrate", "g1", "--to", "kvm2", "--dry-run", "--json"]).expect_code(0).json();
    assert_eq!(plan["plan"]["migrate_uri"], "tcp://[fd00:88::2]", "{plan:#}");
    assert_eq!(plan["plan"]["listen_address"], "fd00:88::2", "{plan:#}");
    for (from, to, more) in
        [("kvm1", "kvm2", &[][..]), ("kvm2", "kvm1", &["--direct"]), ("kvm1", "kvm2", &["--parallel", "2"])]
    {
        let (migration, management) = sent_by(&site, from, &[&["migrate", "g1", "--to", to], more].concat());
        assert!(migration > 70 << 20, "{more:?}: only {migration} bytes took the network");
        assert!(management < 2 << 20, "{more:?}: {management} bytes took the other one");
        assert_eq!((site.state(from, "g1"), site.state(to, "g1").as_deref()), (None, Some("running")), "{more:?}");
    }
    // A port of one's own choice stands behind the brackets.
    let own = ["--migrate-uri", "tcp://[fd00:88::1]:49301", "--listen-address", "fd00:88::1"];
    let (migration, _) = sent_by(&site, "kvm2", &[&["migrate", "g1", "--to", "kvm1"][..], &own].concat());
    assert!(migration > 70 << 20, "only {migration} bytes took the network");
    site.assert_one_counting_guest("g1");
}
