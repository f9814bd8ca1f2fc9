//! The rows of the situation table, reached for real: a task that ended stuck is looked at again and again while a person
//! with virsh brings both hosts into one state after the other. `docs/recovery.md` lists every row with its test, and each look
//! here begins with the cells of the row that it reaches: `tests/guide/recovery.rs` holds the one against the other.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::json;
use waypost_lab::{GuestSpec, Keepalive, Link};

use crate::crashes::{ORDERS, die, dies, doomed};
use crate::postcopy::{is, its_connection_is_closed, on_its_way, sent_off};
use crate::site::{Ran, Site};

/// Where a guest's memory is saved: on the store that all hosts share.
const SAVED: &str = "/srv/shared/g1.save";

/// A migration of `g1` from kvm1 to kvm2 whose controller and whose job are gone: the guest runs on kvm1, and the task is
/// open. The guest has no disk, so that no lock of an image stands between it and a second copy.
struct Bench {
    site: Site,
    task: String,
    xml: String,
}

impl Bench {
    fn new() -> Self {
        Self::among(2)
    }

    fn among(hosts: u32) -> Self {
        Self::of(hosts, |_| {})
    }

    /// The same of a guest that is first brought into another state.
    fn of(hosts: u32, before: impl FnOnce(&Site)) -> Self {
        let site = Site::new(hosts);
        site.start_guest(&GuestSpec::linux("g1"));
        before(&site);
        let mut driver = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "1"]);
        site.until_copying("kvm1", "g1");
        driver.kill().expect("the controller is killed");
        driver.wait().expect("it is gone");
        site.virsh("kvm1", &["domjobabort", "g1"]);
        site.until("the destination is clean", |site| site.state("kvm2", "g1").is_none());
        Self::about(site)
    }

    /// A definition on its way: `g1` is shut off on kvm1, nothing is on kvm2, and the controller died before its call. Without a
    /// recovery policy the task ends stuck as soon as nobody waits for that call any more.
    fn offline(test: &str) -> Self {
        let site = Site::with(2, &format!("\n[engine]\npatience_s = 1\n{}", nobody_decides()));
        site.lab.define_guest(&GuestSpec::linux("g1")).expect("the guest is defined");
        dies(doomed(&site, test, "perform-intended", "after", json!({ "domain": "g1", "to": "kvm2" })));
        let bench = Self::about(site);
        bench.site.waypost(&["recover", &bench.task]).expect_code(5);
        bench
    }

    /// A post-copy of `g1` from kvm1 to kvm2 one half of which was killed.
    fn halved(killed: &str) -> Self {
        let (site, child) = on_its_way(&nobody_decides());
        site.lab.host(killed).and_then(|host| host.kill_qemu("g1")).expect("one half is killed");
        let output = child.wait_with_output().expect("the command ends");
        assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stdout));
        Self::about(site)
    }

    /// A post-copy of `g1` from kvm1 to kvm2 that nobody drives, and whose source hears nothing of the other half: both ways between
    /// the hosts are cut. Over the one it would hear that the stream broke, over the other that the destination failed, which is what
    /// its peer-to-peer call waits for. The daemons look so seldom whether the other is there that it goes on waiting.
    fn deaf() -> Self {
        let seldom = Keepalive { interval: 60, count: 5 };
        let site = Site::in_lab(|spec| spec.keepalive = seldom, &nobody_decides());
        site.busy_guest("g1");
        let (site, mut driver) = sent_off(site);
        driver.kill().expect("the controller is killed");
        driver.wait().expect("it is gone");
        for link in [Link::Migration, Link::Management] {
            site.lab.host("kvm2").and_then(|host| host.cut(link)).expect("the link is cut");
        }
        Self::about(site)
    }

    /// The only task, and the document of its guest.
    fn about(site: Site) -> Self {
        let task = site.only_task();
        let xml = site.config().with_file_name("g1.xml");
        fs::write(&xml, site.virsh("kvm1", &["dumpxml", "g1", "--inactive"])).expect("the document is written");
        Self { site, task, xml: xml.to_string_lossy().into_owned() }
    }

    fn virsh(&self, host: &str, arguments: &[&str]) {
        self.site.virsh(host, arguments);
    }

    /// What both sides show now, and what is permitted. Nothing is done, whether the task is over or not.
    fn look(&self) -> Ran {
        self.site.waypost(&["recover", &self.task, "--look"]).expect_code(0)
    }

    fn permitted(&self) -> String {
        let ran = self.look();
        let line = ran.out.lines().find_map(|line| line.strip_prefix("permitted: ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{}{}", ran.out, ran.err))
    }

    /// Waits until the row that fits permits just this. `what` begins with the cells of that row in `docs/recovery.md`.
    #[track_caller]
    fn row(&self, what: &str, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let permitted = self.permitted();
            if permitted == expected {
                return;
            }
            let told = self.look().out;
            assert!(Instant::now() < deadline, "{what}: {permitted} instead of {expected}\n{told}");
            // Both daemons are asked at a pace that leaves the machine alone.
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }

    /// One action by hand, which leaves the task stuck or open.
    #[track_caller]
    fn act(&self, action: &str, code: i32) -> String {
        let ran = self.site.waypost(&["recover", &self.task, "--do", action]).expect_code(code);
        ran.out + &ran.err
    }

    /// A transfer that a person begins, so slow that it can be looked at.
    fn begun_by_somebody(&self, from: &str, to: &str) -> Child {
        let host = |name: &str| self.site.lab.host(name).expect("a host of the lab");
        let begun = Command::new("virsh")
            .args(["-q", "-c", &host(from).uri_unix(), "migrate", "--live", "--p2p", "--bandwidth", "1", "g1"])
            .arg(host(to).uri_peer())
            .stderr(Stdio::null())
            .spawn()
            .expect("virsh runs");
        self.site.until_copying(from, "g1");
        begun
    }

    /// The guest is suspended to its memory, as if it had told its board to be: neither running nor paused, for as long as
    /// nobody wakes it.
    fn fall_asleep(&self, host: &str) {
        // SLP_EN with the type of S3, into the PM1 control register of the board.
        let sleep = ["qemu-monitor-command", "g1", "--hmp", "o /h 0x604 0x2400"];
        self.site.until("the guest sleeps", |site| {
            // Again, because a firmware that has only just begun has not put the register there yet.
            drop(site.lab.host(host).and_then(|host| host.virsh(&sleep)));
            site.state(host, "g1").as_deref() == Some("pmsuspended")
        });
    }

    /// Over again, so that it is only looked at.
    #[track_caller]
    fn hand_over(&self) {
        self.act("hand-over", 5);
    }
}

#[test]
fn each_situation_of_a_live_migration_permits_what_the_table_says() {
    let bench = Bench::new();
    let Bench { site, xml, .. } = &bench;
    let both = "accept-source, try-again, hand-over";

    // While a copy that may have run is there, nothing is decided by a program.
    bench.virsh("kvm2", &["create", xml, "--paused"]);
    let ran = site.waypost(&["recover", &bench.task]).expect_code(5);
    assert!(ran.out.contains("permitted: hand-over"), "{}", ran.out);
    bench.row("runs | paused", "hand-over");
    let refused = bench.act("destroy-destination", 1);
    assert!(refused.contains("destroy-destination") && refused.contains("hand-over"), "{refused}");

    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("runs | off | it ran before", both);

    // A person's deeds, one by one.
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.row("paused | off | it ran before", "resume-source, hand-over");
    bench.act("resume-source", 0);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    bench.hand_over();

    bench.virsh("kvm2", &["define", xml]);
    // As far as anybody can tell.
    bench.row("runs | off | the definition is this migration's", "undefine-destination, hand-over");
    bench.act("undefine-destination", 0);
    assert_eq!(site.state("kvm2", "g1"), None);
    bench.hand_over();

    // Restored and left paused it is what an incoming guest is: it has not executed one instruction.
    bench.virsh("kvm1", &["save", "g1", SAVED]);
    bench.virsh("kvm1", &["restore", SAVED]);
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.virsh("kvm2", &["restore", SAVED, "--paused"]);
    bench.row("runs / paused | paused, never ran: paused", "destroy-destination, hand-over");
    bench.virsh("kvm1", &["resume", "g1"]);
    bench.row("runs / paused | paused, never ran: runs", "destroy-destination, hand-over");
    bench.act("destroy-destination", 0);
    assert_eq!(site.state("kvm2", "g1"), None);
    bench.hand_over();

    // A job that is somebody's: its end is waited for, and nobody but they may end it.
    let mut theirs = bench.begun_by_somebody("kvm1", "kvm2");
    bench.row("has a job | any: not the migration's", "wait, hand-over");
    bench.virsh("kvm1", &["domjobabort", "g1"]);
    theirs.wait().expect("virsh ends");

    // A side that can't be asked.
    for (host, row) in [("kvm1", "unknown | any"), ("kvm2", "any | unknown")] {
        let lab_host = site.lab.host(host).expect("a host");
        lab_host.kill_libvirtd().expect("its daemon dies");
        bench.row(row, "wait, hand-over");
        lab_host.start_libvirtd().expect("its daemon is back");
    }
    bench.row("runs | off | it ran before", both);

    // A state that says neither that it runs nor that it doesn't.
    bench.fall_asleep("kvm1");
    bench.row("changing | any: asleep", "wait, hand-over");
    bench.virsh("kvm1", &["destroy", "g1"]);
    bench.row("in order | off", "accept-source, hand-over");
    site.lab.host("kvm1").and_then(|host| host.kill_libvirtd()).expect("its daemon dies");
    site.lab.host("kvm1").and_then(|host| host.start_libvirtd()).expect("its daemon is back");
    bench.row("untold | off", "hand-over");
    bench.virsh("kvm1", &["start", "g1"]);
    site.lab.host("kvm1").and_then(|host| host.kill_qemu("g1")).expect("its process dies");
    bench.row("crashed / migrated away | off: crashed, absent", "declare-lost, hand-over");

    // Whatever has run there is told from what never came, by how it ended.
    bench.virsh("kvm2", &["define", xml]);
    bench.row("off | untold: crashed, defined and never started", "hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    // Its answer may be lost with the process.
    let quit = ["qemu-monitor-command", "g1", r#"{"execute": "quit"}"#];
    drop(site.lab.host("kvm2").and_then(|host| host.virsh(&quit)));
    site.until("it is off", |site| site.state("kvm2", "g1").as_deref() == Some("shut off"));
    assert_eq!(site.virsh("kvm2", &["domstate", "g1", "--reason"]).trim(), "shut off (shutdown)");
    bench.row(
        "crashed | in order | the guest shut down, by this migration's definition, and it was no post-copy",
        "accept-destination, hand-over",
    );
    bench.virsh("kvm2", &["start", "g1"]);
    bench.virsh("kvm2", &["managedsave", "g1"]);
    bench.row("crashed | in order | it was not destroyed: saved", "hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("crashed / migrated away | off: crashed, destroyed by somebody", "declare-lost, hand-over");
    bench.virsh("kvm2", &["undefine", "g1"]);

    bench.virsh("kvm2", &["create", xml, "--paused"]);
    bench.row("off | paused", "hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.virsh("kvm1", &["undefine", "g1"]);
    bench.row("absent | off", "declare-lost, hand-over");

    // With nothing on the source a definition that was not there before speaks for an arrival, once it has run.
    bench.virsh("kvm2", &["define", xml]);
    bench.row("off | untold: absent, defined and never started", "hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    bench.fall_asleep("kvm2");
    bench.row("any | changing: asleep", "wait, hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row(
        "absent | in order | the definition is this migration's, or the source's was to go",
        "accept-destination, hand-over",
    );
    bench.virsh("kvm2", &["undefine", "g1"]);

    // From here on a copy runs on the destination.
    bench.virsh("kvm2", &["create", xml]);
    bench.row("off | runs", "accept-destination, hand-over");
    bench.virsh("kvm1", &["define", xml]);
    bench.virsh("kvm1", &["start", "g1"]);
    bench.row("runs | runs", "hand-over");
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.row("paused | runs | it was booted there", "hand-over");
    bench.virsh("kvm2", &["suspend", "g1"]);
    bench.row("paused | paused", "hand-over");
    bench.virsh("kvm2", &["resume", "g1"]);
    bench.row("paused | runs: overtaken", "destroy-source, hand-over");
    bench.act("destroy-source", 0);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    let ended = bench.act("accept-destination", 0);
    assert!(ended.contains("running on kvm2"), "{ended}");
    // What runs there has no definition, so the one on the source stays: it is the only one.
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
}

/// The domain moved behind the task's back and was stopped there, and left there before it ran.
#[test]
fn what_moved_away_is_found_where_it_went() {
    let bench = Bench::among(3);
    let Bench { site, xml, .. } = &bench;
    bench.virsh("kvm2", &["create", xml, "--paused"]);
    site.waypost(&["recover", &bench.task]).expect_code(5);
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.virsh("kvm1", &["migrate", "--live", "--p2p", "--persistent", "g1", &peer(site, "kvm2")]);
    bench.row("off | runs: migrated away", "accept-destination, hand-over");

    // What a daemon leaves that hands over and ends before it lets the guest run: all of it, and not one instruction executed.
    bench.virsh("kvm2", &["save", "g1", SAVED]);
    bench.virsh("kvm2", &["restore", SAVED, "--paused"]);
    bench.row("migrated away | paused, never ran", "resume-destination, hand-over");
    bench.act("resume-destination", 0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    bench.hand_over();
    bench.row("off | runs: migrated away, let run", "accept-destination, hand-over");

    let mut theirs = bench.begun_by_somebody("kvm2", "kvm3");
    bench.row("any | has a job: migrated away, on its way to a third host", "wait, abort-job");
    bench.virsh("kvm2", &["domjobabort", "g1"]);
    theirs.wait().expect("virsh ends");
    bench.virsh("kvm2", &["migrate", "--live", "--p2p", "--persistent", "g1", &peer(site, "kvm3")]);
    bench.row("absent / migrated away / crashed | migrated away: moved on by somebody", "hand-over");
    let back = ["migrate", "--live", "--p2p", "--persistent", "--undefinesource", "g1", &peer(site, "kvm2")];
    bench.virsh("kvm3", &back);
    bench.row("off | runs: migrated away, and back", "accept-destination, hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("migrated away | in order", "accept-destination, hand-over");
    bench.virsh("kvm2", &["start", "g1", "--paused"]);
    bench.row("off | paused: migrated away, and may have run", "hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.virsh("kvm1", &["autostart", "g1"]);
    let ended = bench.act("accept-destination", 0);
    assert!(ended.contains("kvm2"), "{ended}");
    // The source's definition goes only where the domain is seen to run on the other side; but it starts no more by itself.
    let kept = site.virsh("kvm1", &["dominfo", "g1"]);
    assert!(kept.lines().any(|line| line.starts_with("Autostart:") && line.ends_with("disable")), "{kept}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"));
}

/// A guest that was paused when its migration began, and is to arrive paused: nothing is overtaken that never ran elsewhere.
#[test]
fn each_situation_of_a_guest_that_travels_paused_permits_what_the_table_says() {
    let bench = Bench::of(2, |site| {
        site.virsh("kvm1", &["suspend", "g1"]);
    });
    let Bench { site, xml, .. } = &bench;
    bench.virsh("kvm2", &["create", xml, "--paused"]);
    site.waypost(&["recover", &bench.task]).expect_code(5);
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("paused | off | it was paused before", "accept-source, try-again, hand-over");
    // Let run since, it does not what it did: another attempt would not begin as this one did.
    bench.virsh("kvm1", &["resume", "g1"]);
    bench.row("runs | off: paused before", "accept-source, hand-over");
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.virsh("kvm2", &["define", xml]);
    bench.row("paused | off | the definition is this migration's", "undefine-destination, hand-over");
    bench.act("undefine-destination", 0);
    assert_eq!(site.state("kvm2", "g1"), None);
    bench.hand_over();

    bench.virsh("kvm1", &["destroy", "g1"]);
    bench.virsh("kvm2", &["define", xml]);
    bench.virsh("kvm2", &["start", "g1", "--paused"]);
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("in order | off | the definition is this migration's", "undefine-destination, hand-over");
    bench.act("undefine-destination", 0);
    assert_eq!(site.state("kvm2", "g1"), None);
    bench.hand_over();

    bench.virsh("kvm1", &["start", "g1"]);
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.virsh("kvm1", &["migrate", "--live", "--p2p", "--persistent", "g1", &peer(site, "kvm2")]);
    bench.row("migrated away | paused | it is to be paused", "accept-destination, hand-over");
    bench.virsh("kvm1", &["undefine", "g1"]);
    bench.row("absent | paused | it is to be paused, and no definition is kept", "accept-destination, hand-over");
    let ended = bench.act("accept-destination", 0);
    assert!(ended.contains("paused on kvm2"), "{ended}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("paused")));
}

/// A definition that was to travel, and of whose travel nobody heard. It may still come, and take the source's with it as the
/// last step: no definition is removed on this side or the other.
#[test]
fn each_situation_of_an_offline_migration_permits_what_the_table_says() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let bench = Bench::offline("situations::each_situation_of_an_offline_migration_permits_what_the_table_says");
    let Bench { site, xml, .. } = &bench;
    bench.row("shut off | off", "accept-source, try-again, hand-over");
    bench.virsh("kvm2", &["define", xml]);
    bench.row("shut off | shut off | the definition is this migration's", "hand-over");
    let refused = bench.act("undefine-destination", 1);
    assert!(refused.contains("nobody heard how the migration ended"), "{refused}");
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"));

    bench.virsh("kvm1", &["start", "g1"]);
    bench.row("runs / paused | shut off | the definition is this migration's", "hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    bench.row("any | any: runs, runs", "hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.virsh("kvm2", &["undefine", "g1"]);
    bench.row("runs / paused | off: runs", "accept-source, hand-over");
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.row("runs / paused | off: paused", "accept-source, hand-over");
    bench.virsh("kvm1", &["destroy", "g1"]);
    bench.virsh("kvm2", &["create", xml]);
    bench.row("off | runs / paused: runs", "accept-destination, hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.virsh("kvm1", &["undefine", "g1"]);
    bench.row("absent | absent", "declare-lost, hand-over");
    bench.virsh("kvm2", &["define", xml]);
    bench.row("absent | shut off", "accept-destination, hand-over");
    let ended = bench.act("accept-destination", 0);
    assert!(ended.contains("on kvm2"), "{ended}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("shut off")));
}

/// The half that ran is gone. What is left on the source can't be continued, whatever a person does on the destination.
#[test]
fn each_situation_of_half_a_guest_on_the_source_permits_what_the_table_says() {
    let bench = Bench::halved("kvm2");
    bench.row("broken | crashed", "declare-lost, hand-over");
    let kvm2 = bench.site.lab.host("kvm2").expect("kvm2");
    kvm2.kill_libvirtd().and_then(|()| kvm2.start_libvirtd()).expect("its daemon is restarted");
    bench.row("flows / broken | any: nobody knows how the other half ended", "wait, hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    bench.row("flows / broken | runs | it was booted there", "hand-over");
    for order in ["destroy", "undefine"] {
        bench.virsh("kvm2", &[order, "g1"]);
    }
    bench.row("broken | absent | it was to be defined there", "declare-lost, hand-over");
    let ended = bench.act("declare-lost", 5);
    assert!(ended.contains("lost"), "{ended}");
    assert_eq!(bench.site.state("kvm1", "g1").as_deref(), Some("paused"), "nobody ends the half that is left");
}

/// The half that held the rest is gone, and the one that ran knows it.
#[test]
fn each_situation_of_half_a_guest_on_the_destination_permits_what_the_table_says() {
    let bench = Bench::halved("kvm1");
    bench.row("absent / crashed / in order / untold | broken: crashed", "declare-lost, hand-over");
    let kvm1 = bench.site.lab.host("kvm1").expect("kvm1");
    kvm1.kill_libvirtd().expect("its daemon dies");
    bench.row("any | flows / broken: unknown", "wait, hand-over");
    kvm1.start_libvirtd().expect("its daemon is back");
    bench.row("absent / crashed / in order / untold | broken: untold", "declare-lost, hand-over");
    let ended = bench.act("declare-lost", 5);
    assert!(ended.contains("lost"), "{ended}");
    assert_eq!(bench.site.state("kvm2", "g1").as_deref(), Some("running"), "nobody ends the half that is left");
}

/// The half that runs breaks, and then its process is gone. The source hears of neither: as far as it knows, memory flows.
#[test]
fn each_situation_of_half_a_guest_whose_source_hears_nothing_permits_what_the_table_says() {
    let bench = Bench::deaf();
    let Bench { site, task, .. } = &bench;
    bench.row("flows | flows", "wait, interrupt-post-copy");
    its_connection_is_closed(site);
    site.until("the destination knows that it lacks memory", |site| is(site, "kvm2", "running (post-copy failed)"));
    bench.row("flows | broken / off: broken", "interrupt-post-copy, wait, hand-over");
    // Whoever takes it over waits for nothing: nothing comes of it by itself.
    site.waypost(&["recover", task]).expect_code(5);
    site.lab.host("kvm2").and_then(|host| host.kill_qemu("g1")).expect("the half that ran is killed");
    site.until("its daemon knows", |site| site.state("kvm2", "g1").as_deref() == Some("shut off"));
    bench.row("flows | broken / off: off", "interrupt-post-copy, wait, hand-over");
    assert!(is(site, "kvm1", "paused (post-copy)"), "it was told, or something was done to it");

    bench.act("interrupt-post-copy", 0);
    site.until("the source knows", |site| is(site, "kvm1", "paused (post-copy failed)"));
    bench.row("broken | crashed", "declare-lost, hand-over");
    bench.hand_over();
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("paused"), "nobody ends the half that is left");
}

/// What a site says that has no recovery policy: what fails ends stuck, and a person goes on.
pub fn nobody_decides() -> String {
    let policies = ["recovery-conservative", "recovery-postcopy", "recovery-retry"];
    policies.iter().map(|name| format!("[plugin.{name}]\npresence = \"never\"\n")).collect()
}

/// How a peer reaches a host, for virsh.
fn peer(site: &Site, host: &str) -> String {
    site.lab.host(host).expect("a host of the lab").uri_peer()
}
