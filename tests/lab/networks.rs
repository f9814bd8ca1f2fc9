//! Which cable the memory and the disks take, read from the counters of the hosts' own interfaces, and the queue between
//! processes.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use serde_json::Value;
use waypost_lab::{DiskPlace, GuestSpec, Link, Program, SshAccess};

use crate::failures::interrupt;
use crate::site::{Site, lines_of_stderr};

/// A lab whose two networks are declared: `migration` on eth1 with that fallback, `spare` on eth0, and there for disks
/// alone `disks`.
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
            "networks = {{ migration = {{ address = {:?}, interface = \"eth1\" }}, spare = {:?}, disks = {:?}, management = {:?} }}\n",
            host.migration_ip(),
            host.mgmt_ip(),
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
         [[network]]\nname = \"spare\"\nroles = [\"migration\"]\n[[network]]\nname = \"disks\"\nroles = [\"disk-copy\"]\n\
         [networks]\ndefault = \"migration\"\n{more}"
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

/// What the journal says was planned.
pub fn plan_of(site: &Site, task: &str) -> Value {
    let told = site.waypost(&["task", task, "--json"]).expect_code(0).json();
    let journal = told["journal"].as_array().expect("a journal");
    let planned = journal.iter().find(|entry| entry["record"] == "planned").expect("a plan");
    planned["details"]["plan"].clone()
}

/// Bytes that a host has sent, on the migration network and on the management network.
pub fn sent(site: &Site, host: &str) -> (u64, u64) {
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
    let rule = "[[network_rule]]\ndomains = \"g?\"\nnetwork = \"spare\"\n";
    let site = site("refuse", rule);
    guest(&site, "g1");
    let takes = |(much, little): (u64, u64), why: &str| {
        assert!(much > 70 << 20, "{why}: only {much} bytes took the network");
        assert!(little < 2 << 20, "{why}: {little} bytes took the other one");
    };
    let other = |(migration, management): (u64, u64)| (management, migration);
    // The rule is stronger than what is set for all.
    takes(other(sent_by(&site, "kvm1", &["migrate", "g1", "--to", "kvm2"])), "the rule's");
    // The request is stronger than the rule.
    takes(sent_by(&site, "kvm2", &["migrate", "g1", "--to", "kvm1", "--network", "migration"]), "the request's");

    // So is what the domain's own metadata say, and they travel with it.
    let metadata = ["metadata", "g1", "--uri", "urn:waypost:domain:1", "--key", "waypost", "--live", "--config"];
    let asks = |host: &str, network: &str| {
        let element = format!("<migration network=\"{network}\"/>");
        site.virsh(host, &[&metadata[..], &["--set", &element]].concat());
    };
    asks("kvm1", "migration");
    let plan = site.waypost(&["migrate", "g1", "--to", "kvm2", "--dry-run", "--json"]).expect_code(0).json();
    assert_eq!(plan["plan"]["network"], "migration", "{plan:#}");
    assert_eq!(plan["plan"]["migrate_uri"], "tcp://10.88.0.2", "{plan:#}");
    assert_eq!(plan["plan"]["listen_address"], "10.88.0.2", "{plan:#}");
    takes(sent_by(&site, "kvm1", &["migrate", "g1", "--to", "kvm2"]), "the metadata's");
    takes(sent_by(&site, "kvm2", &["migrate", "g1", "--to", "kvm1"]), "the metadata's, which came along");
    asks("kvm1", "fast");
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.out.contains("the domain's metadata names the migration network \"fast\""), "{}", refused.out);

    // Where neither says anything, that of the cluster which both hosts are in.
    site.virsh("kvm1", &[&metadata[..], &["--remove"]].concat());
    let text = fs::read_to_string(site.config()).expect("the configuration");
    let cluster = "[[cluster]]\nname = \"old\"\nhosts = [\"kvm1\", \"kvm2\"]\nnetwork = \"spare\"\n";
    assert!(text.contains(rule), "{text}");
    fs::write(site.config(), text.replace(rule, cluster)).expect("it is written");
    takes(other(sent_by(&site, "kvm1", &["migrate", "g1", "--to", "kvm2"])), "the cluster's");
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

/// The first that is up, in the order in which they are named.
#[test]
fn a_list_of_networks_stands_in_for_one_that_is_down_in_its_order() {
    let site = site("refuse", "");
    guest(&site, "g1");
    // `other` takes the same cable as `migration`, and stands before the two that are up.
    let mut text = fs::read_to_string(site.config()).expect("the configuration");
    for host in site.lab.hosts() {
        let spare = format!("spare = {:?}", host.mgmt_ip());
        let place = format!("{{ address = {:?}, interface = \"eth1\" }}", host.migration_ip());
        text = text.replace(&spare, &format!("{spare}, other = {place}, last = {:?}", host.mgmt_ip()));
    }
    let list = "fallback = [\"other\", \"spare\", \"last\"]";
    text = text.replacen("fallback = \"refuse\"", list, 1);
    for name in ["other", "last"] {
        let spare = "[[network]]\nname = \"spare\"";
        text = text.replacen(spare, &format!("[[network]]\nname = {name:?}\nroles = [\"migration\"]\n{spare}"), 1);
    }
    fs::write(site.config(), text).expect("it is written");
    site.lab.host("kvm2").and_then(|host| host.cut(Link::Migration)).expect("the cable is pulled");
    site.until("libvirt sees that the link is down", |site| {
        !site.virsh("kvm2", &["iface-dumpxml", "eth1"]).contains("state='up'")
    });
    let before = sent(&site, "kvm1");
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(0).json();
    let after = sent(&site, "kvm1");
    assert_eq!(ran["plan"]["network"], "spare", "{ran:#}");
    let notes = ran["plan"]["notes"].to_string();
    assert!(notes.contains("the memory takes network spare instead of migration"), "{ran:#}");
    assert!(notes.contains("other: eth1 of kvm2 is"), "the one before it is told, too: {ran:#}");
    assert!(ran["verdict"].to_string().contains("migration-network-fallback"), "{ran:#}");
    assert!(after.1 - before.1 > 70 << 20, "only {} bytes took it", after.1 - before.1);
    site.assert_one_counting_guest("g1");
}

/// What a network is declared to carry holds for a migration that names no limit; and what its cable carries holds whatever
/// is declared.
#[test]
fn a_network_carries_what_it_is_declared_to_and_no_more_than_its_cable() {
    const LIMIT: u64 = 20;
    let site = site("refuse", "");
    let text = fs::read_to_string(site.config()).expect("the configuration");
    let limited = |mib_s: u64| text.replacen("fallback = \"refuse\"", &format!("bandwidth_mib_s = {mib_s}"), 1);
    fs::write(site.config(), limited(LIMIT)).expect("it is written");
    guest(&site, "g1");
    let move_to = |host: &str, from: &str| {
        let began = Instant::now();
        let (migration, management) = sent_by(&site, from, &["migrate", "g1", "--to", host]);
        assert!(migration > 70 << 20, "only {migration} bytes took the migration network");
        assert!(management < 2 << 20, "{management} bytes took the management network");
        (migration >> 20, began.elapsed())
    };
    let (mib, took) = move_to("kvm2", "kvm1");
    // QEMU goes beyond its limit by less than a tenth, and the rest of the time nothing is sent at all.
    let most = LIMIT * took.as_millis() as u64 / 800;
    assert!(mib <= most, "{mib} MiB in {took:?} are more than {LIMIT} MiB/s");
    let plan = plan_of(&site, &site.only_task());
    assert_eq!(plan["bandwidth_mib_s"], LIMIT, "{plan:#}");
    site.assert_one_counting_guest("g1");

    // A cable that is slower than anybody said: it drops what comes faster, and a second's worth gets through at once.
    fs::write(site.config(), limited(2000)).expect("it is written");
    let kvm1 = site.lab.host("kvm1").expect("kvm1");
    kvm1.cap(Link::Migration, Some(LIMIT as u32)).expect("the cable is slow");
    let (mib, took) = move_to("kvm1", "kvm2");
    let most = LIMIT + LIMIT * took.as_millis() as u64 / 1000;
    assert!(70 <= most, "{mib} MiB in {took:?} through a cable of {LIMIT} MiB/s");
    kvm1.cap(Link::Migration, None).expect("the cable is fast again");
    site.assert_one_counting_guest("g1");
}

/// Has the source's ssh daemon try the ways of a migration.
fn probing(site: &Site) {
    let mut config = fs::read_to_string(site.config()).expect("the configuration is read");
    for host in site.lab.hosts() {
        let name = format!("name = {:?}\n", host.name());
        let probe = format!(
            "way_probe = {{ ssh = \"ssh://root@{}\", key_file = {:?}, known_hosts = {:?} }}\n",
            host.mgmt_ip(),
            site.lab.ssh_key(),
            site.lab.ssh_known_hosts(),
        );
        assert!(config.contains(&name), "{config}");
        config = config.replacen(&name, &format!("{name}{probe}"), 1);
    }
    fs::write(site.config(), config).expect("it is written");
}

/// What a host's firewall does to connections to the ports of migrations.
fn firewall(site: &Site, host: &str, verdict: &str) {
    let rules = format!(
        "add table inet fw; delete table inet fw; add table inet fw; \
         add chain inet fw in {{ type filter hook input priority 0; }}; \
         add rule inet fw in iifname eth1 tcp dport 49152-49215 {verdict}"
    );
    let ran = site.lab.host(host).expect("a host").run(&["/usr/sbin/nft", &rules]).expect("the host has power");
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn the_way_of_the_memory_is_tried_from_the_source_before_anything_moves() {
    let mut site = Site::in_lab(|spec| spec.ssh = SshAccess::ControllerKey, "");
    site.cabled = true;
    declare(&site, "refuse", "");
    probing(&site);
    guest(&site, "g1");
    let notes = |site: &Site, to: &str| {
        let dry = site.waypost(&["migrate", "g1", "--to", to, "--dry-run", "--json"]).expect_code(0).json();
        dry["plan"]["notes"].as_array().expect("notes").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    };
    let proven = notes(&site, "kvm2");
    let said = "kvm1 reaches 10.88.0.2: tried from there, its ports 49183 and 49215 answered";
    assert!(proven.contains(said), "{proven}");
    assert!(
        proven.contains("kvm1 reaches the daemon of kvm2: tried from there, 10.77.0.2 answered on port 16509"),
        "{proven}"
    );

    for (verdict, why) in [("drop", "no answer within 3 s"), ("reject with icmpx admin-prohibited", "No route to host")]
    {
        firewall(&site, "kvm2", verdict);
        let ran = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
        let told = format!("{}{}", ran.out, ran.err);
        assert!(told.contains("from kvm1 10.88.0.2 is not reached on port 49183"), "{told}");
        assert!(told.contains(why) && told.contains("migration-network-missing"), "{told}");
        assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    }
    declare(&site, "management", "");
    let (migration, management) = sent_by(&site, "kvm1", &["migrate", "g1", "--to", "kvm2"]);
    assert!(migration < 1 << 20 && management > 70 << 20, "{migration} and {management} bytes");

    // Who may not ask says so, and the guest goes all the same: nothing is known of the way.
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let held = kvm2.run(&["sed", "-i", "s/^/restrict /", "/etc/ssh/authorized_keys"]).expect("the host has power");
    assert!(held.status.success(), "{held:?}");
    declare(&site, "refuse", "");
    let unknown = notes(&site, "kvm1");
    let said =
        "that kvm2 reaches 10.88.0.1 could not be tried: its ssh daemon forwards no connection there: administratively";
    assert!(unknown.contains(said), "{unknown}");
    site.waypost(&["migrate", "g1", "--to", "kvm1"]).expect_code(0);
    site.assert_one_counting_guest("g1");
    fs::write(site.lab.ssh_known_hosts(), "").expect("nobody is known any more");
    let unknown = notes(&site, "kvm2");
    assert!(unknown.contains("could not be tried: ssh: Host key verification failed."), "{unknown}");
}

/// Starts `g1` on kvm1, with 80 MiB that it touches and a disk of 160 MiB of kvm1's own, which is full and ends with a mark.
pub fn guest_with_disk(site: &Site) {
    let mut spec = GuestSpec { memory_mib: 128, disk: DiskPlace::Local, disk_mib: 160, ..GuestSpec::tick("g1") };
    if let Program::Tick { working_set_mib, .. } = &mut spec.program {
        *working_set_mib = 80;
    }
    site.lab.define_guest(&spec).expect("the guest is defined");
    let image = site.lab.host("kvm1").expect("a host").images().join("g1.img");
    let disk = fs::OpenOptions::new().write(true).open(image).expect("the guest's image");
    for mib in 1..160 {
        disk.write_all_at(&[0x5a; 1 << 20], mib << 20).expect("the disk is filled");
    }
    disk.write_all_at(b"a mark at the end", 159 << 20).expect("the mark is written");
    drop(disk);
    site.virsh("kvm1", &["start", "g1"]);
}

/// Insists on the mark at the end of the disk.
pub fn assert_disk_is_whole(site: &Site, host: &str) {
    let mut mark = [0; 17];
    let there = fs::File::open(site.lab.host(host).expect("a host").images().join("g1.img")).expect("the copy");
    there.read_exact_at(&mut mark, 159 << 20).expect("the mark is read");
    assert_eq!(&mark, b"a mark at the end");
}

/// Moves the guest with its disk, and says how many MiB its source sent on the migration network and on the other one.
pub fn mib_sent_with_disk(site: &Site, from: &str, more: &[&str]) -> (u64, u64) {
    let (migration, management) = sent_by(site, from, &[&["migrate", "g1", "--copy-storage", "full"], more].concat());
    (migration >> 20, management >> 20)
}

#[test]
fn copied_disks_take_a_network_of_their_own_and_the_memory_another() {
    let site = site("refuse", "disk_copy = \"disks\"\n");
    guest_with_disk(&site);
    let image = |host: &str| site.lab.host(host).expect("a host").images().join("g1.img");

    let (migration, management) = mib_sent_with_disk(&site, "kvm1", &["--to", "kvm2"]);
    assert!((70..130).contains(&migration), "{migration} MiB took the network of the memory");
    assert!((150..200).contains(&management), "{management} MiB took the network of the disks");
    let plan = plan_of(&site, &site.only_task());
    assert_eq!(plan["disks"]["uri"], "tcp://10.77.0.2", "{plan:#}");
    assert_eq!(plan["migrate_uri"], "tcp://10.88.0.2", "{plan:#}");

    // The other way round, and driven from here.
    fs::remove_file(image("kvm1")).expect("a person takes the source's old image away");
    let text = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), text.replace("disks = \"10.77.", "disks = \"10.88.")).expect("it is written");
    let back = ["--to", "kvm1", "--network", "spare", "--direct"];
    let (migration, management) = mib_sent_with_disk(&site, "kvm2", &back);
    assert!((150..200).contains(&migration), "{migration} MiB took the network of the disks");
    assert!((70..130).contains(&management), "{management} MiB took the network of the memory");
    site.assert_one_counting_guest("g1");
    assert_disk_is_whole(&site, "kvm1");
}

/// What a network is can't change under the migration that it carries: another process with another configuration counts
/// the migration where it is, and whoever takes it over leaves it there.
#[test]
fn a_network_that_is_declared_anew_stays_what_it_was_for_the_migration_that_it_carries() {
    let site = site("refuse", "[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    let text = fs::read_to_string(site.config()).expect("the configuration");
    let one_at_a_time = text.replace("fallback = \"refuse\"", "max_migrations = 1");
    assert_ne!(text, one_at_a_time);
    fs::write(site.config(), &one_at_a_time).expect("it is written");
    site.busy_guest("g1");
    guest(&site, "g2");
    let before = sent(&site, "kvm1");
    let mut first = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "20"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();

    // From now on `migration` means the other cable.
    let anew = one_at_a_time
        .replace("migration = { address = \"10.88.", "migration = { address = \"10.77.")
        .replace("interface = \"eth1\"", "interface = \"eth0\"");
    assert_ne!(one_at_a_time, anew);
    fs::write(site.config(), &anew).expect("it is written");
    let mut second = site.start(&["migrate", "g2", "--to", "kvm2"]);
    let waiting = second.id();
    let mut said = lines_of_stderr(&mut second);
    let waits = said.find(|line| line.contains("waiting for a slot")).expect("it says that it waits");
    assert!(waits.contains("network migration carries 1 of 1"), "{waits}");
    interrupt(waiting, "INT");
    said.for_each(drop);
    assert_eq!(second.wait().expect("it has ended").code(), Some(6), "cancelled while it waits");

    // Neither that nor a network that is not declared any more is anything to the one that runs.
    let other = anew.replace("roles = [\"migration\"]\nmax_migrations = 1", "roles = [\"disk-copy\"]");
    let other = other.replace("default = \"migration\"", "default = \"spare\"");
    assert_ne!(anew, other);
    fs::write(site.config(), other).expect("it is written");
    first.kill().expect("its controller is killed");
    first.wait().expect("it has ended");
    let taken_over = site.start(&["watch", &task]);
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let ended = taken_over.wait_with_output().expect("the transfer ends");
    assert_eq!(ended.status.code(), Some(0), "{}", site.waypost(&["task", &task]).out);
    let after = sent(&site, "kvm1");
    assert!(after.0 - before.0 > 100 << 20, "only {} bytes took the network", after.0 - before.0);
    assert!(after.1 - before.1 < 4 << 20, "{} bytes took the other one", after.1 - before.1);
    let plan = plan_of(&site, &task);
    assert_eq!(plan["network"], "migration", "{plan:#}");
    site.assert_one_counting_guest("g1");

    // The next one goes by what is declared now.
    let refused = site.waypost(&["migrate", "g2", "--to", "kvm2", "--network", "migration"]).expect_code(3);
    assert!(refused.out.contains("has not the role migration"), "{}", refused.out);
    let (migration, management) = sent_by(&site, "kvm1", &["migrate", "g2", "--to", "kvm2"]);
    assert!(management > 70 << 20 && migration < 2 << 20, "{migration} and {management} bytes");
    site.assert_one_counting_guest("g2");
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
    site.let_go("kvm1", "g1");
    let first = first.wait_with_output().expect("the first command ends");
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    said.for_each(drop);
    let second = second.wait_with_output().expect("the second command ends");
    assert_eq!(second.status.code(), Some(0), "{}", String::from_utf8_lossy(&second.stdout));
    site.assert_one_counting_guest("g1");
    site.assert_one_counting_guest("g2");
}
