//! The rows of the situation table, reached for real: a task that ended stuck is looked at again and again while a person
//! with virsh brings both hosts into one state after the other. `docs/recovery.md` lists every row with its test.

use std::fs;
use std::time::{Duration, Instant};

use waypost_lab::GuestSpec;

use crate::site::Site;

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
        let site = Site::new(hosts);
        site.start_guest(&GuestSpec::linux("g1"));
        let mut driver = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "1"]);
        site.until_copying("kvm1", "g1");
        driver.kill().expect("the controller is killed");
        driver.wait().expect("it is gone");
        site.virsh("kvm1", &["domjobabort", "g1"]);
        site.until("the destination is clean", |site| site.state("kvm2", "g1").is_none());
        let task = site.only_task();
        let xml = site.config().with_file_name("g1.xml");
        fs::write(&xml, site.virsh("kvm1", &["dumpxml", "g1", "--inactive"])).expect("the document is written");
        Self { site, task, xml: xml.to_string_lossy().into_owned() }
    }

    fn virsh(&self, host: &str, arguments: &[&str]) {
        self.site.virsh(host, arguments);
    }

    /// What is permitted now. The task is over, so that nothing is done.
    fn permitted(&self) -> String {
        let ran = self.site.waypost(&["recover", &self.task]);
        let line = ran.out.lines().find_map(|line| line.strip_prefix("permitted: ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{}{}", ran.out, ran.err))
    }

    /// Waits until the row that fits permits just this.
    #[track_caller]
    fn row(&self, what: &str, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let permitted = self.permitted();
            if permitted == expected {
                return;
            }
            let told = self.site.waypost(&["recover", &self.task]).out;
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
    bench.row("runs, paused and may have run", "hand-over");
    let refused = bench.act("destroy-destination", 1);
    assert!(refused.contains("destroy-destination") && refused.contains("hand-over"), "{refused}");

    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("runs, absent", both);

    // A person's deeds, one by one.
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.row("paused, absent", "resume-source, hand-over");
    bench.act("resume-source", 0);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    bench.hand_over();

    bench.virsh("kvm2", &["define", xml]);
    bench.row("runs, defined by this migration as far as anybody can tell", "undefine-destination, hand-over");
    bench.act("undefine-destination", 0);
    assert_eq!(site.state("kvm2", "g1"), None);
    bench.hand_over();

    // Restored and left paused it is what an incoming guest is: it has not executed one instruction.
    bench.virsh("kvm1", &["save", "g1", "/srv/shared/g1.save"]);
    bench.virsh("kvm1", &["restore", "/srv/shared/g1.save"]);
    bench.virsh("kvm2", &["restore", "/srv/shared/g1.save", "--paused"]);
    bench.row("runs, paused and never ran", "destroy-destination, hand-over");
    bench.act("destroy-destination", 0);
    assert_eq!(site.state("kvm2", "g1"), None);
    bench.hand_over();

    // A job that is somebody's: its end is waited for, and nobody but they may end it.
    let peer = site.lab.host("kvm2").expect("kvm2").uri_peer();
    let uri = site.lab.host("kvm1").expect("kvm1").uri_unix();
    let mut theirs = std::process::Command::new("virsh")
        .args(["-q", "-c", &uri, "migrate", "--live", "--p2p", "--bandwidth", "1", "g1", &peer])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("virsh runs");
    site.until_copying("kvm1", "g1");
    bench.row("a job that is not the migration's", "wait, hand-over");
    bench.virsh("kvm1", &["domjobabort", "g1"]);
    theirs.wait().expect("virsh ends");

    // A side that can't be asked.
    for host in ["kvm1", "kvm2"] {
        let lab_host = site.lab.host(host).expect("a host");
        lab_host.kill_libvirtd().expect("its daemon dies");
        bench.row(&format!("{host} unknown"), "wait, hand-over");
        lab_host.start_libvirtd().expect("its daemon is back");
    }
    bench.row("runs, absent", both);

    bench.virsh("kvm1", &["destroy", "g1"]);
    bench.row("shut off in order, absent", "accept-source, hand-over");
    site.lab.host("kvm1").and_then(|host| host.kill_libvirtd()).expect("its daemon dies");
    site.lab.host("kvm1").and_then(|host| host.start_libvirtd()).expect("its daemon is back");
    bench.row("shut off, nobody knows why", "hand-over");
    bench.virsh("kvm1", &["start", "g1"]);
    site.lab.host("kvm1").and_then(|host| host.kill_qemu("g1")).expect("its process dies");
    bench.row("crashed, absent", "declare-lost, hand-over");

    // Whatever has run there is told from what never came, by how it ended.
    bench.virsh("kvm2", &["define", xml]);
    bench.virsh("kvm2", &["start", "g1"]);
    // Its answer may be lost with the process.
    let quit = ["qemu-monitor-command", "g1", r#"{"execute": "quit"}"#];
    drop(site.lab.host("kvm2").and_then(|host| host.virsh(&quit)));
    site.until("it is off", |site| site.state("kvm2", "g1").as_deref() == Some("shut off"));
    assert_eq!(site.virsh("kvm2", &["domstate", "g1", "--reason"]).trim(), "shut off (shutdown)");
    bench.row("crashed, shut down by the guest itself", "accept-destination, hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    bench.virsh("kvm2", &["managedsave", "g1"]);
    bench.row("crashed, saved", "hand-over");
    bench.virsh("kvm2", &["start", "g1"]);
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("crashed, destroyed by somebody", "declare-lost, hand-over");
    bench.virsh("kvm2", &["undefine", "g1"]);

    bench.virsh("kvm2", &["create", xml, "--paused"]);
    bench.row("not active, paused", "hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.virsh("kvm1", &["undefine", "g1"]);
    bench.row("absent, absent", "declare-lost, hand-over");

    // From here on a copy runs on the destination.
    bench.virsh("kvm2", &["create", xml]);
    bench.row("absent, runs", "accept-destination, hand-over");
    bench.virsh("kvm1", &["define", xml]);
    bench.virsh("kvm1", &["start", "g1"]);
    bench.row("runs, runs", "hand-over");
    bench.virsh("kvm1", &["suspend", "g1"]);
    bench.row("paused, booted by somebody", "hand-over");
    bench.virsh("kvm2", &["suspend", "g1"]);
    bench.row("paused, paused and may have run", "hand-over");
    bench.virsh("kvm2", &["resume", "g1"]);
    bench.row("paused, overtaken", "destroy-source, hand-over");
    bench.act("destroy-source", 0);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    let ended = bench.act("accept-destination", 0);
    assert!(ended.contains("running on kvm2"), "{ended}");
    // What runs there has no definition, so the one on the source stays: it is the only one.
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
}

/// The domain moved behind the task's back and was stopped there; and one that arrives paused.
#[test]
fn what_moved_away_is_found_where_it_went() {
    let bench = Bench::among(3);
    let Bench { site, xml, .. } = &bench;
    bench.virsh("kvm2", &["create", xml, "--paused"]);
    site.waypost(&["recover", &bench.task]).expect_code(5);
    bench.virsh("kvm2", &["destroy", "g1"]);
    let peer = site.lab.host("kvm2").expect("kvm2").uri_peer();
    bench.virsh("kvm1", &["migrate", "--live", "--p2p", "--persistent", "g1", &peer]);
    bench.row("migrated away, runs", "accept-destination, hand-over");
    let third = site.lab.host("kvm3").expect("kvm3").uri_peer();
    bench.virsh("kvm2", &["migrate", "--live", "--p2p", "--persistent", "g1", &third]);
    bench.row("migrated away, and moved on by somebody", "hand-over");
    bench.virsh("kvm3", &["migrate", "--live", "--p2p", "--persistent", "--undefinesource", "g1", &peer]);
    bench.row("migrated away, back", "accept-destination, hand-over");
    bench.virsh("kvm2", &["destroy", "g1"]);
    bench.row("migrated away, shut off in order", "accept-destination, hand-over");
    bench.virsh("kvm2", &["start", "g1", "--paused"]);
    bench.row("migrated away, paused and may have run", "hand-over");
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
