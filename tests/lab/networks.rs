//! Which cable the memory takes, read from the counters of the hosts' own interfaces, and the queue between processes.

use std::fs;

use waypost_lab::{GuestSpec, Link, Program};

use crate::site::{Site, lines_of_stderr};

/// A lab whose two networks are declared: `migration` on eth1 with that fallback, and `spare` on eth0.
fn site(fallback: &str, more: &str) -> Site {
    let site = Site::new(2);
    declare(&site, fallback, more);
    site
}

fn declare(site: &Site, fallback: &str, more: &str) {
    let mut config = fs::read_to_string(site.config()).expect("the configuration is read");
    if let Some(declared) = config.find("\n# networks\n") {
        config.truncate(declared);
    }
    for host in site.lab.hosts() {
        let addresses = format!("addresses = [{:?}, {:?}]\n", host.mgmt_ip(), host.migration_ip());
        let networks = format!(
            "networks = {{ migration = {{ address = {:?}, interface = \"eth1\" }}, spare = {:?}, management = {:?} }}\n",
            host.migration_ip(),
            host.mgmt_ip(),
            host.mgmt_ip(),
        );
        if !config.contains(&networks) {
            assert!(config.contains(&addresses), "{config}");
            config = config.replace(&addresses, &format!("{addresses}{networks}"));
        }
    }
    config.push_str(&format!(
        "\n# networks\n[[network]]\nname = \"migration\"\nroles = [\"migration\"]\nfallback = {fallback:?}\n\
         [[network]]\nname = \"spare\"\nroles = [\"migration\"]\n[networks]\ndefault = \"migration\"\n{more}"
    ));
    fs::write(site.config(), config).expect("the configuration is written");
}

/// A guest with 80 MiB to move.
pub fn guest(site: &Site, name: &str) {
    let mut spec = GuestSpec::tick(name);
    spec.memory_mib = 128;
    if let Program::Tick { working_set_mib, .. } = &mut spec.program {
        *working_set_mib = 80;
    }
    site.start_guest(&spec);
}

/// Bytes that a host has sent, on the migration network and on the management network.
fn sent(site: &Site, host: &str) -> (u64, u64) {
    let host = site.lab.host(host).expect("a host of the lab");
    let bytes = |link| host.interface_bytes(link).expect("bytes").sent;
    (bytes(Link::Migration), bytes(Link::Management))
}

/// Runs what moves the guest and says what its source sent meanwhile.
pub fn sent_by(site: &Site, host: &str, arguments: &[&str]) -> (u64, u64) {
    let before = sent(site, host);
    site.waypost(arguments).expect_code(0);
    let after = sent(site, host);
    (after.0 - before.0, after.1 - before.1)
}

#[test]
fn the_memory_takes_the_chosen_network_and_no_other() {
    let site = site("refuse", "[[network_rule]]\ndomains = \"g?\"\nnetwork = \"migration\"\n");
    guest(&site, "g1");
    let (migration, management) = sent_by(&site, "kvm1", &["migrate", "g1", "--to", "kvm2"]);
    assert!(migration > 70 << 20, "only {migration} bytes took the migration network");
    assert!(management < 2 << 20, "{management} bytes took the management network");

    // The request is stronger than the rule.
    let back = ["migrate", "g1", "--to", "kvm1", "--network", "spare"];
    let (migration, management) = sent_by(&site, "kvm2", &back);
    assert!(management > 70 << 20, "only {management} bytes took the network of the request");
    assert!(migration < 2 << 20, "{migration} bytes took the other one");

    // So is what the domain's own metadata say, and they travel with it.
    let asks = "<migration network=\"spare\"/>";
    let metadata = ["metadata", "g1", "--uri", "urn:waypost:domain:1", "--key", "waypost", "--set", asks];
    site.virsh("kvm1", &[&metadata[..], &["--live", "--config"]].concat());
    let plan = site.waypost(&["migrate", "g1", "--to", "kvm2", "--dry-run", "--json"]).expect_code(0).json();
    assert_eq!(plan["plan"]["network"], "spare", "{plan:#}");
    assert_eq!(plan["plan"]["migrate_uri"], "tcp://10.77.0.2", "{plan:#}");
    assert_eq!(plan["plan"]["listen_address"], "10.77.0.2", "{plan:#}");
    site.virsh("kvm1", &[&metadata[..7], &["<migration network=\"fast\"/>", "--live", "--config"]].concat());
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.out.contains("the domain's metadata names the migration network \"fast\""), "{}", refused.out);
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_network_that_is_down_is_refused_or_stepped_back_from() {
    let site = site("refuse", "");
    guest(&site, "g1");
    site.lab.host("kvm2").and_then(|host| host.cut(Link::Migration)).expect("the cable is pulled");
    site.until("libvirt sees that the link is down", |site| {
        !site.virsh("kvm2", &["iface-dumpxml", "eth1"]).contains("state='up'")
    });
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(3).json();
    assert_eq!(refused["outcome"]["kind"], "refused", "{refused:#}");
    let summary = refused["outcome"]["summary"].as_str().unwrap_or_default();
    assert!(summary.contains("eth1 of kvm2 is") && summary.contains("nothing was touched"), "{refused:#}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
    // A check says so before anybody tries.
    let checked = site.waypost(&["check", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(checked.out.contains("migration-network-missing"), "{}", checked.out);

    declare(&site, "management", "");
    let before = sent(&site, "kvm1");
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(0).json();
    let after = sent(&site, "kvm1");
    assert!(after.1 - before.1 > 70 << 20, "the memory took the management network");
    assert_eq!(ran["plan"]["network"], serde_json::Value::Null, "{ran:#}");
    let notes = ran["plan"]["notes"].to_string();
    assert!(notes.contains("the memory takes network management instead of migration"), "{ran:#}");
    assert!(ran["verdict"].to_string().contains("migration-network-fallback"), "{ran:#}");
    site.assert_one_counting_guest("g1");
}

#[test]
fn processes_wait_for_one_another() {
    let site = site("refuse", "[migrations]\noutgoing_per_host = 1\n");
    site.busy_guest("g1");
    guest(&site, "g2");
    // It goes on until it is allowed to converge, and its first pass alone takes longer than any start of a command.
    let first = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "4"]);
    site.until_copying("kvm1", "g1");
    let mut second = site.start(&["migrate", "g2", "--to", "kvm2"]);
    let mut said = lines_of_stderr(&mut second);
    let waits = said.find(|line| line.contains("waiting for a slot")).expect("it says that it waits");
    assert!(waits.contains("1st; kvm1 sends 1 of 1"), "{waits}");
    assert_eq!(site.state("kvm2", "g2"), None);
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    site.virsh("kvm1", &["migrate-setspeed", "g1", "1000"]);
    let first = first.wait_with_output().expect("the first command ends");
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    said.for_each(drop);
    let second = second.wait_with_output().expect("the second command ends");
    assert_eq!(second.status.code(), Some(0), "{}", String::from_utf8_lossy(&second.stdout));
    site.assert_one_counting_guest("g1");
    site.assert_one_counting_guest("g2");
}
