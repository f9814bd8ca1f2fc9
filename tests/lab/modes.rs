//! Every way in which libvirt can send a guest, once for real; and those that can't work on these machines, with what
//! libvirt says of them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use waypost_lab::{GuestSpec, Program};

use crate::site::Site;

/// What tells one way to move a guest from the others while it moves, as its source shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Marks {
    /// Connections to the other host's daemon: one where the source's daemon drives, none where the controller does.
    daemons: usize,
    /// Connections of the hypervisor to its other half; none where the memory goes through the daemons.
    streams: usize,
    /// The guest stands still.
    paused: bool,
    /// What the hypervisor has switched on, of [`SWITCHES`].
    switches: BTreeSet<String>,
}

/// What a request may switch on. libvirt switches on others for itself.
const SWITCHES: [&str; 5] = ["auto-converge", "compress", "multifd", "postcopy-ram", "xbzrle"];

/// The ports that libvirt gives to incoming migrations, and its own.
const STREAMS: std::ops::RangeInclusive<u16> = 49152..=49215;
const DAEMON: u16 = 16509;

/// A plain one: the source's daemon drives it over one connection, and one carries the memory.
fn plain() -> Marks {
    Marks { daemons: 1, streams: 1, ..Marks::default() }
}

fn switched_on<const N: usize>(switches: [&str; N]) -> BTreeSet<String> {
    switches.map(str::to_owned).into()
}

/// What the guest's monitor on a host answers; null where it can't be asked. The mark that libvirt leaves on the domain for it goes
/// with the process.
pub fn monitor(site: &Site, host: &str, command: &str) -> Value {
    let command = format!("{{\"execute\": \"{command}\"}}");
    let said = site.lab.host(host).and_then(|host| host.virsh(&["qemu-monitor-command", "g1", &command]));
    let answer: Value = said.ok().and_then(|said| serde_json::from_str(&said).ok()).unwrap_or_default();
    answer["return"].clone()
}

/// The marks of the migration that leaves this host.
fn marks(site: &Site, host: &str) -> Marks {
    let listed = site.lab.host(host).and_then(|host| host.run(&["ss", "-Htn", "state", "established"])).expect("ss");
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let port = |address: &str| address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let peers: Vec<u16> = listed.lines().filter_map(|line| port(line.split_whitespace().next_back()?)).collect();
    let switches = monitor(site, host, "query-migrate-capabilities");
    let on = switches.as_array().into_iter().flatten().filter(|switch| switch["state"] == true);
    let on = on.filter_map(|switch| switch["capability"].as_str().map(str::to_owned));
    Marks {
        daemons: peers.iter().filter(|port| **port == DAEMON).count(),
        streams: peers.iter().filter(|port| STREAMS.contains(*port)).count(),
        paused: site.state(host, "g1").as_deref() == Some("paused"),
        switches: on.filter(|name| SWITCHES.contains(&name.as_str())).collect(),
    }
}

/// A site whose guest never arrives before it is let go, whatever is done to its memory, so that there is time to look; no policy
/// adds anything of its own.
fn looked_at() -> Site {
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    let mut spec = GuestSpec::tick("g1");
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = 32;
        *dirty_pages_per_tick = waypost_lab::SPIN;
    }
    site.start_guest(&spec);
    // Before it has booted there is next to nothing to move.
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    site
}

/// How it moves: what is asked for, by what it is known, and what the hypervisor was told of each parameter.
type Mode<'a> = (&'a [&'a str], Marks, &'a [(&'a str, u64)]);

/// Moves the guest in each mode, to and fro, and sees that it moves in that one.
fn moves_in_each(site: &Site, modes: &[Mode<'_>]) {
    let (mut from, mut to) = ("kvm1", "kvm2");
    for (mode, expected, parameters) in modes {
        let slow = ["migrate", "g1", "--to", to, "--json", "--bandwidth", "4"];
        let child = site.start(&[&slow[..], *mode].concat());
        site.until("memory moves", |site| monitor(site, from, "query-migrate")["status"] == "active");
        // Its further connections come one after the other.
        site.until(&format!("{mode:?} has so many streams: {}", expected.streams), |site| {
            marks(site, from).streams == expected.streams
        });
        assert_eq!(marks(site, from), *expected, "{mode:?}");
        let told = monitor(site, from, "query-migrate-parameters");
        for (name, value) in [("max-bandwidth", 4 << 20)].iter().chain(*parameters) {
            assert_eq!(told[*name], *value, "{mode:?}: {name} of {told:#}");
        }
        site.let_go(from, "g1");
        let output = child.wait_with_output().expect("the command ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{mode:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(site.state(to, "g1").as_deref(), Some("running"), "{mode:?}");
        assert_eq!(site.state(from, "g1"), None, "{mode:?}: its definition is gone from the source");
        (from, to) = (to, from);
    }
    site.assert_one_counting_guest("g1");
}

/// That the guest arrives would be true as well if none of this had been said to libvirt.
#[test]
fn each_mode_moves_the_guest_in_its_own_way() {
    let site = looked_at();
    moves_in_each(
        &site,
        &[
            (&[], plain(), &[("multifd-channels", 2), ("cpu-throttle-initial", 20)]),
            (&["--direct", "--abort-on-error"], Marks { daemons: 0, ..plain() }, &[]),
            (&["--tunnelled"], Marks { streams: 0, ..plain() }, &[]),
            (&["--non-live"], Marks { paused: true, ..plain() }, &[]),
        ],
    );
}

#[test]
fn each_mode_of_the_hypervisors_is_switched_on_in_it() {
    let site = looked_at();
    let multifd = Marks { streams: 4, switches: switched_on(["multifd"]), ..plain() };
    let post_copy = Marks { switches: switched_on(["postcopy-ram"]), ..plain() };
    moves_in_each(
        &site,
        &[
            // Three that carry pages, beside the one that carries the rest.
            (&["--parallel", "3"], multifd, &[("multifd-channels", 3)]),
            (
                &["--compress", "xbzrle", "--compress-xbzrle-cache", "4194304"],
                Marks { switches: switched_on(["xbzrle"]), ..plain() },
                &[("xbzrle-cache-size", 4 << 20)],
            ),
            (
                &[
                    "--compress",
                    "mt",
                    "--compress-mt-level",
                    "2",
                    "--compress-mt-threads",
                    "3",
                    "--compress-mt-dthreads",
                    "2",
                ],
                Marks { switches: switched_on(["compress"]), ..plain() },
                &[("compress-level", 2), ("compress-threads", 3)],
            ),
            (
                &["--auto-converge", "--auto-converge-initial", "30", "--auto-converge-increment", "15"],
                Marks { switches: switched_on(["auto-converge"]), ..plain() },
                &[("cpu-throttle-initial", 30), ("cpu-throttle-increment", 15)],
            ),
            (&["--postcopy", "--postcopy-bandwidth", "100"], post_copy, &[("max-postcopy-bandwidth", 100 << 20)]),
        ],
    );
}

/// A definition, none, a pause, a new name: each in each of the three ways.
#[test]
fn each_kind_of_domain_moves_in_each_way() {
    let site = Site::new(2);
    site.guest("defined");
    let transient = waypost_lab::Persistence::Transient;
    site.start_guest(&waypost_lab::GuestSpec { persistence: transient, ..waypost_lab::GuestSpec::tick("transient") });
    let (mut from, mut to, mut name) = ("kvm1", "kvm2", "defined");
    for way in [&[][..], &["--direct"], &["--tunnelled"]] {
        let persistent = |host: &str, domain: &str| {
            site.virsh(host, &["dominfo", domain])
                .lines()
                .any(|line| line.starts_with("Persistent:") && line.ends_with("yes"))
        };
        // Renamed, and back the next time; paused on the second leg, and running after it.
        let renamed = if name == "defined" { "renamed" } else { "defined" };
        site.virsh(from, &["suspend", name]);
        site.waypost(&[&["migrate", name, "--to", to, "--name", renamed][..], way].concat()).expect_code(0);
        assert_eq!(site.state(to, renamed).as_deref(), Some("paused"), "{way:?}");
        assert!(persistent(to, renamed), "{way:?}");
        site.virsh(to, &["resume", renamed]);
        assert_eq!(site.state(from, name), None, "{way:?}: its definition is gone from the source");
        site.waypost(&[&["migrate", "transient", "--to", to][..], way].concat()).expect_code(0);
        assert_eq!(site.state(to, "transient").as_deref(), Some("running"), "{way:?}");
        assert!(!persistent(to, "transient"), "{way:?}");
        assert_eq!(site.state(from, "transient"), None, "{way:?}");
        (from, to, name) = (to, from, renamed);
    }
    for guest in ["defined", "transient"] {
        site.assert_one_counting_guest(guest);
    }
}

#[test]
fn a_direct_move_of_a_definition_needs_no_stream() {
    let site = Site::new(2);
    let spec = waypost_lab::GuestSpec::tick("g1");
    site.lab.define_guest(&spec).expect("the guest is defined");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--direct", "--offline"]).expect_code(0);
    assert_eq!(site.state("kvm1", "g1"), None);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"));
    site.virsh("kvm2", &["start", "g1"]);
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_direct_migration_needs_no_peer_uri_and_any_other_does() {
    let site = Site::new(2);
    site.guest("g1");
    let text = fs::read_to_string(site.config()).expect("the configuration");
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("peer_uri")).collect();
    fs::write(site.config(), without.join("\n")).expect("it is written");
    let refused = site.waypost(&["check", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.out.contains("[precheck-transport: peer-uri-missing]"), "{}", refused.out);
    site.waypost(&["check", "g1", "--to", "kvm2", "--direct"]).expect_code(0);
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--direct"]).expect_code(0);
}

#[test]
fn a_direct_migration_ends_with_its_controller_and_the_guest_stays() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let mut driver = site.start(&["migrate", "g1", "--to", "kvm2", "--direct", "--bandwidth", "10"]);
    site.until_copying("kvm1", "g1");
    driver.kill().expect("the controller is killed");
    driver.wait().expect("the controller has ended");

    // Nobody drives it any more: the source's libvirt ends it, the destination's throws away what it has.
    site.until("the destination has nothing left", |site| site.state("kvm2", "g1").is_none());
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    let task = site.only_task();
    let ran = site.waypost(&["recover", &task, "--json"]);
    assert_eq!(ran.code, 4, "rolled back:\n{}\n{}", ran.out, ran.err);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--direct", "--max-downtime", "20000"]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_direct_migration_notices_that_the_destinations_daemon_died() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let driver = site.start(&["migrate", "g1", "--to", "kvm2", "--direct", "--bandwidth", "10"]);
    site.until_copying("kvm1", "g1");
    site.lab.host("kvm2").expect("kvm2").kill_libvirtd().expect("its daemon dies");
    // libvirt's own call would wait until that daemon is back.
    site.until("the job on the source has ended", |site| site.virsh("kvm1", &["domjobinfo", "g1"]).contains("None"));
    site.lab.host("kvm2").expect("kvm2").start_libvirtd().expect("its daemon starts");
    let output = driver.wait_with_output().expect("the controller ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "rolled back:\n{told}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_ne!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_memory_is_encrypted_wherever_both_sides_can_and_a_wrong_name_ends_it() {
    let site = Site::new(2);
    site.guest("g1");
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2", "--tls"]);
    assert_eq!(refused.code, 3, "{}\n{}", refused.out, refused.err);
    assert!((refused.out.clone() + &refused.err).contains("migration_tls"), "{}\n{}", refused.out, refused.err);
    let plain = dry_run(&site, &[]);
    assert_eq!(plain["plan"]["stream"]["encryption"], "off");
    assert!(plain["plan"]["notes"].to_string().contains("not encrypted"), "{plain:#}");

    let text = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), text.replace("\npeer_uri", "\nmigration_tls = true\npeer_uri")).expect("it is written");
    assert_eq!(dry_run(&site, &[])["plan"]["stream"]["encryption"], "required");
    assert_eq!(dry_run(&site, &["--no-tls"])["plan"]["stream"]["encryption"], "off");

    // Only a client that looks at a certificate can be displeased by the name in it.
    let wrong = site.waypost(&["migrate", "g1", "--to", "kvm2", "--tls", "--tls-destination", "stranger.example"]);
    assert_eq!(wrong.code, 4, "rolled back:\n{}\n{}", wrong.out, wrong.err);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);

    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.waypost(&["migrate", "g1", "--to", "kvm1", "--tls", "--tls-destination", "kvm1", "--parallel", "2"])
        .expect_code(0);
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--tls", "--direct"]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn zero_copy_and_rdma_fail_here_in_libvirts_own_words_and_the_guest_stays() {
    let site = Site::new(2);
    site.guest("g1");
    // What libvirt itself refuses is a migration that failed: the sentence is libvirt's, and it is the cause.
    let locked = "cannot limit locked memory of process";
    let unlimited = "cannot start RDMA migration with no memory hard limit set";
    for (options, says) in
        [(&["--zerocopy", "--parallel", "2"][..], locked), (&RDMA[..3], unlimited), (&RDMA[..], unlimited)]
    {
        fails_with(&site, options, says);
    }
    // What the daemons are too old for is known before anything begins.
    let zeroes = ["--copy-storage", "full", "--target-zero", "vda"];
    for (options, needs) in [
        (&["--compress", "zstd", "--parallel", "2"][..], "needs libvirt 9.4.0"),
        (&["--switchover-bandwidth", "100"][..], "needs libvirt 11.1.0"),
        (&zeroes[..], "needs libvirt 12.2.0"),
    ] {
        let ran = site.waypost(&[&["migrate", "g1", "--to", "kvm2", "--json"], options].concat()).expect_code(3);
        let outcome = ran.json()["outcome"].clone();
        assert_eq!(outcome["kind"], "refused", "{options:?}: {outcome:#}");
        assert!(outcome["summary"].as_str().is_some_and(|told| told.contains(needs)), "{options:?}: {outcome:#}");
        stays(&site, options);
    }
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

const RDMA: [&str; 4] = ["--migrate-uri", "rdma://10.77.0.2", "--no-tls", "--rdma-pin-all"];

/// With the limit that libvirt asks for, the hypervisor of the destination is reached, and looks for a device.
#[test]
fn rdma_gets_as_far_as_to_the_device_that_is_missing_here_and_the_guest_stays() {
    let site = Site::new(2);
    // libvirt lets the process lock that much, and may raise no limit here: it is what a process may lock unasked since Linux 5.16.
    site.start_guest(&GuestSpec { hard_limit_kib: Some(8192), ..GuestSpec::tick("g1") });
    for options in [&RDMA[..3], &RDMA[..]] {
        // So QEMU begins what it says where it can't set up RDMA: the channel of its events, the device, the address.
        fails_with(&site, options, "RDMA ERROR: ");
    }
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

/// It is rolled back, and this is among the causes.
#[track_caller]
fn fails_with(site: &Site, options: &[&str], says: &str) {
    let ran = site.waypost(&[&["migrate", "g1", "--to", "kvm2", "--json"], options].concat()).expect_code(4);
    let outcome = ran.json()["outcome"].clone();
    assert_eq!(outcome["kind"], "rolled-back", "{options:?}: {outcome:#}");
    let causes = outcome["causes"].as_array().expect("causes").clone();
    let told = causes.iter().filter_map(Value::as_str).any(|cause| cause.contains(says));
    assert!(told, "{options:?}: {outcome:#}");
    stays(site, options);
}

#[track_caller]
fn stays(site: &Site, options: &[&str]) {
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"), "{options:?}");
    assert_eq!(site.state("kvm2", "g1"), None, "{options:?}");
}

#[test]
fn a_site_that_requires_encryption_moves_nothing_in_plain_text() {
    let site = Site::with(2, "\n[transfers]\nencryption = \"required\"\n");
    site.guest("g1");
    // Neither host says that it can.
    let outcome = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(3).json()["outcome"].clone();
    assert_eq!(outcome["kind"], "refused", "{outcome:#}");
    let summary = outcome["summary"].as_str().unwrap_or_default();
    assert!(summary.contains("has no `migration_tls`") && summary.contains("nothing was touched"), "{outcome:#}");
    // Asked for in so many words, or in a way that can't be encrypted, it makes no sense here at all.
    for plain in [&["--no-tls"][..], &["--tunnelled"], &["--zerocopy", "--parallel", "2"]] {
        let refused = site.waypost(&[&["migrate", "g1", "--to", "kvm2"], plain].concat()).expect_code(2);
        let told = refused.out + &refused.err;
        assert!(told.contains("tls"), "{plain:?}: {told}");
        stays(&site, plain);
    }
    // One of two is not enough.
    let text = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), text.replacen("\npeer_uri", "\nmigration_tls = true\npeer_uri", 1))
        .expect("it is written");
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.out.contains("kvm2 has no `migration_tls`"), "{}", refused.out);
    stays(&site, &[]);

    fs::write(site.config(), text.replace("\npeer_uri", "\nmigration_tls = true\npeer_uri")).expect("it is written");
    assert_eq!(dry_run(&site, &[])["plan"]["stream"]["encryption"], "required");
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

fn dry_run(site: &Site, more: &[&str]) -> Value {
    let line = [&["migrate", "g1", "--to", "kvm2", "--dry-run", "--json"], more].concat();
    site.waypost(&line).expect_code(0).json()
}
