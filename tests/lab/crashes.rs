//! The controller dies right before or right after a record of its journal, in each phase, with a real guest; another one
//! takes the task over. On the simulator it dies at every record of many courses (`host/engine/tests/engine/killed.rs`);
//! here real daemons show what is then there. What comes after the transfer, what changes it, and what comes after a failure is
//! in [`crate::takeovers`].
//!
//! Who dies is this very test program, started once more: it drives a task through the library, over a store that ends the
//! process at the record that its environment names. The product has no such switch.

use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::{env, fs};

use serde_json::{Value, json};
use waypost::core::ids::Moment;
use waypost::core::journal::{Record, Step};
use waypost::core::ports::{
    ClaimError, DecisionRecord, KeptProof, ProbeVolume, Reading, Store, StoreFault, TaskBrief, TaskLock, Wish,
};
use waypost::core::queue::{Entry, SlotLimits, SlotWish, Turn};
use waypost::core::sample::Stage;
use waypost::core::stream::{DiskCopy, Disks, Stream, Transport};
use waypost::wiring::{self, SharedStore, Watching};
use waypost::{Adopted, Config, DomainId, DomainKey, Engine, HostName, MigrationRequest, Options, TaskId, World};
use waypost_lab::{DiskPlace, GuestSpec, Program};

use crate::site::Site;

/// What the process that dies is told.
pub const ORDERS: &str = "WAYPOST_TEST_DIES";

/// Nothing is on record while something travels but the readings for whoever watches: the first of a disk that is being copied,
/// and the first of a guest whose memory follows it.
const COPYING: &str = "copying";
const FOLLOWING: &str = "following";

/// A store that ends the process at a record.
struct Deadly {
    store: SharedStore,
    record: String,
    after: bool,
}

/// The records at which it can be told to die.
fn name(record: &Record) -> &'static str {
    match record {
        Record::Accepted { .. } => "accepted",
        Record::Planned { .. } => "planned",
        Record::StepIntended { step: Step::Volume { .. } } => "volume-intended",
        Record::StepSettled { step: Step::Volume { .. }, .. } => "volume-settled",
        Record::StepIntended { .. } => "step-intended",
        Record::StepSettled { .. } => "step-settled",
        Record::Prepared => "prepared",
        Record::PerformIntended => "perform-intended",
        Record::PerformReturned { .. } => "perform-returned",
        Record::Located { .. } => "located",
        Record::ActionIntended { .. } => "action-intended",
        Record::SteerIntended { .. } => "steer-intended",
        Record::SteerSettled { .. } => "steer-settled",
        Record::CancelRequested { .. } => "cancel-requested",
        Record::NextAttempt { .. } => "next-attempt",
        Record::Resumed { .. } => "resumed",
        Record::FinishIntended { .. } => "finish-intended",
        Record::FinishSettled { .. } => "finish-settled",
        Record::Ended { .. } => "ended",
        _ => "another",
    }
}

impl Deadly {
    fn write<T>(&self, record: &Record, write: impl FnOnce() -> T) -> T {
        let here = name(record) == self.record;
        if here && !self.after {
            std::process::abort();
        }
        let written = write();
        if here {
            std::process::abort();
        }
        written
    }
}

/// What is handed on as it is.
macro_rules! handed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $name(&self, $($argument: $type),*) -> $answer {
            self.store.$name($($argument),*)
        }
    )*};
}

impl Store for Deadly {
    fn create(&self, id: TaskId, at: Moment, first: &Record) -> Result<Box<dyn TaskLock>, StoreFault> {
        self.write(first, || self.store.create(id, at, first))
    }
    fn append(&self, id: TaskId, at: Moment, record: &Record) -> Result<(), StoreFault> {
        self.write(record, || self.store.append(id, at, record))
    }
    fn put_reading(&self, id: TaskId, reading: &Reading) -> Result<(), StoreFault> {
        let here = match self.record.as_str() {
            COPYING => reading.sample.stage == Stage::Disks && reading.sample.processed_bytes > 0,
            FOLLOWING => reading.sample.stage == Stage::PostCopy,
            _ => false,
        };
        if here {
            std::process::abort();
        }
        self.store.put_reading(id, reading)
    }
    handed_on! {
        claim(id: TaskId, domain: DomainId, name: &str, source: &HostName) -> Result<(), ClaimError>;
        journal_after(id: TaskId, after: u32) -> Result<Vec<(Moment, Record)>, StoreFault>;
        tasks() -> Result<Vec<TaskBrief>, StoreFault>;
        moved_between(one: &HostName, other: &HostName, most: u32) -> Result<Vec<TaskId>, StoreFault>;
        lock(id: TaskId) -> Result<Option<Box<dyn TaskLock>>, StoreFault>;
        claim_slot(id: TaskId, at: Moment, wish: &SlotWish, limits: &SlotLimits) -> Result<Turn, StoreFault>;
        hold_slot(id: TaskId, at: Moment, wish: &SlotWish) -> Result<(), StoreFault>;
        queue() -> Result<Vec<Entry>, StoreFault>;
        request_cancel(id: TaskId, requester: &str) -> Result<(), StoreFault>;
        cancel_requested(id: TaskId) -> Result<Option<String>, StoreFault>;
        request_steering(id: TaskId, wishes: &[Wish]) -> Result<(), StoreFault>;
        wishes(id: TaskId) -> Result<Vec<(u64, Wish)>, StoreFault>;
        settle_wish(id: TaskId, number: u64) -> Result<(), StoreFault>;
        reading(id: TaskId) -> Result<Option<Reading>, StoreFault>;
        put_decisions(id: TaskId, decisions: &[DecisionRecord]) -> Result<(), StoreFault>;
        decisions(id: TaskId) -> Result<Vec<DecisionRecord>, StoreFault>;
        put_facts(digest: &str, canonical: &str) -> Result<(), StoreFault>;
        facts(digest: &str) -> Result<Option<String>, StoreFault>;
        intend_probe(probe: &ProbeVolume) -> Result<(), StoreFault>;
        settle_probe(probe: &ProbeVolume) -> Result<(), StoreFault>;
        open_probes() -> Result<Vec<ProbeVolume>, StoreFault>;
        put_proof(proof: &KeptProof) -> Result<(), StoreFault>;
        proofs(source: &HostName, destination: &HostName) -> Result<Vec<KeptProof>, StoreFault>;
    }
}

/// Drives a migration, or takes one over, until its record.
pub fn die(orders: &str) {
    let orders: Value = serde_json::from_str(orders).expect("orders");
    let text = |key: &str| orders[key].as_str().map(str::to_owned);
    let config = Config::read(text("config").expect("a configuration").as_ref()).expect("the configuration is read");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let hosts = wiring::hosts(&config, &World::Libvirt).expect("hosts");
        let policies = Arc::new(wiring::policies(&config, Watching::Off).expect("policies"));
        let store = wiring::store(&config, &World::Libvirt).expect("a store");
        let store = Deadly { store, record: text("record").expect("a record"), after: orders["after"] == true };
        let depth = wiring::depth(&config);
        let engine =
            Engine::new(hosts.hypervisor, policies, Arc::new(store), hosts.clock, config.engine.clone(), depth);
        let driver = match text("task") {
            Some(id) => match engine.adopt(id.parse().expect("an id")).expect("the task is taken over") {
                Adopted::Driver(driver) => *driver,
                Adopted::Observer(_) => panic!("somebody drives it"),
            },
            None => {
                let transport = if orders["direct"] == true { Transport::Direct } else { Transport::PeerToPeer };
                let copy = if orders["copy"] == true { DiskCopy::Full } else { DiskCopy::No };
                let request = MigrationRequest {
                    domain: DomainKey::parse(&text("domain").expect("a domain")),
                    source: None,
                    destination: HostName::new(text("to").expect("a destination")),
                    options: Options {
                        max_downtime_ms: orders["downtime"].as_u64().or(Some(20_000)),
                        bandwidth_mib_s: orders["bandwidth"].as_u64(),
                        transport,
                        stream: Stream {
                            post_copy: orders["post_copy"] == true,
                            post_copy_bandwidth_mib_s: orders["post_copy_bandwidth"].as_u64(),
                            ..Stream::default()
                        },
                        disks: Disks { copy, ..Disks::default() },
                        ..Options::default()
                    },
                    requester: "test".to_owned(),
                };
                engine.accept(request).expect("it is accepted")
            }
        };
        let outcome = driver.drive().await;
        panic!("the record never came: {outcome:?}");
    });
}

/// A process that is to die at a record, and what it says.
pub struct Doomed {
    child: Child,
    words: fs::File,
}

/// Starts the process that dies. `test` is the test that it is started from.
pub fn doomed(site: &Site, test: &str, record: &str, when: &str, more: Value) -> Doomed {
    // A file, because a full pipe would stop it.
    let words = tempfile::tempfile().expect("a file for what it says");
    let mut orders = json!({ "config": site.config(), "record": record, "after": when == "after" });
    let all = orders.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(ORDERS, orders.to_string())
        .stdout(Stdio::null())
        .stderr(words.try_clone().expect("the file once more"))
        .spawn()
        .expect("it starts");
    Doomed { child, words }
}

pub fn dies(Doomed { mut child, mut words }: Doomed) {
    use std::io::{Read as _, Seek as _};
    use std::os::unix::process::ExitStatusExt as _;
    let status = child.wait().expect("it ends");
    let mut said = Vec::new();
    words.rewind().and_then(|()| words.read_to_end(&mut said)).expect("what it said");
    let said = String::from_utf8_lossy(&said);
    assert!(status.signal().is_some(), "it came to an end without the record: {status}\n{said}");
}

pub fn newest_task(site: &Site) -> String {
    let tasks = site.waypost(&["tasks", "--json"]).expect_code(0).json();
    tasks["tasks"][0]["id"].as_str().expect("an id").to_owned()
}

/// It runs on that host and nowhere else, and it is the one that it was.
pub fn is_on(site: &Site, host: &str, what: &str) {
    for other in ["kvm1", "kvm2"] {
        let expected = (other == host).then_some("running");
        assert_eq!(site.state(other, "g1").as_deref(), expected, "{what}: on {other}");
    }
    site.assert_one_counting_guest("g1");
}

/// In each phase of a migration that nothing else disturbs.
fn every_phase(direct: bool, test: &str) {
    let site = Site::new(2);
    site.guest("g1");
    let mut from = "kvm1";
    for (record, when, arrives) in [
        ("accepted", "after", true),
        ("planned", "after", false),
        ("step-intended", "after", false),
        ("step-settled", "after", false),
        ("prepared", "after", false),
        ("perform-intended", "before", false),
        ("perform-intended", "after", false),
        ("perform-returned", "before", true),
        ("perform-returned", "after", true),
        ("ended", "before", true),
    ] {
        let what = format!("died {when} {record}");
        let to = if from == "kvm1" { "kvm2" } else { "kvm1" };
        dies(doomed(&site, test, record, when, json!({ "domain": "g1", "to": to, "direct": direct })));
        let task = newest_task(&site);
        let ran = site.waypost(&["recover", &task]);
        assert_eq!(ran.code, if arrives { 0 } else { 4 }, "{what}:\n{}{}", ran.out, ran.err);
        if arrives {
            from = to;
        } else {
            // What was made ready is taken back.
            assert_eq!(site.virsh(from, &["migrate-getmaxdowntime", "g1"]).trim(), "300", "{what}");
        }
        is_on(&site, from, &what);
    }
}

#[test]
fn peer_to_peer_each_phase_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    every_phase(false, "crashes::peer_to_peer_each_phase_is_taken_over");
}

#[test]
fn direct_each_phase_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    every_phase(true, "crashes::direct_each_phase_is_taken_over");
}

/// The transfer failed, and then the controller dies while it looks for the domain and while it does something about it.
#[test]
fn locating_and_recovering_are_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.guest("g1");
    // 40 MiB in its working set, at 2 MiB/s: there is time to kill.
    for direct in [false, true] {
        for (record, when) in [("perform-returned", "after"), ("located", "after"), ("action-intended", "after")] {
            let what = format!("direct: {direct}, died {when} {record}");
            let orders = json!({ "domain": "g1", "to": "kvm2", "direct": direct, "bandwidth": 1 });
            let child = doomed(&site, "crashes::locating_and_recovering_are_taken_over", record, when, orders);
            site.until_copying("kvm1", "g1");
            site.lab.host("kvm2").and_then(|host| host.kill_qemu("g1")).expect("the incoming process is killed");
            dies(child);
            let task = newest_task(&site);
            let ran = site.waypost(&["recover", &task]);
            assert_eq!(ran.code, 4, "{what}:\n{}{}", ran.out, ran.err);
            is_on(&site, "kvm1", &what);
        }
    }
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--max-downtime", "20000"]).expect_code(0);
    is_on(&site, "kvm2", "after all");
}

/// Volumes that are half made, or made for nothing.
#[test]
fn a_volume_that_was_made_ready_is_removed() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let site = Site::new(2);
    site.start_guest(&GuestSpec { disk: DiskPlace::Local, disk_mib: 4, ..GuestSpec::tick("g1") });
    let images = site.lab.host("kvm2").expect("kvm2").images();
    for (record, when, made) in
        [("volume-intended", "after", false), ("volume-settled", "before", true), ("volume-settled", "after", true)]
    {
        let what = format!("died {when} {record}");
        let orders = json!({ "domain": "g1", "to": "kvm2", "copy": true });
        dies(doomed(&site, "crashes::a_volume_that_was_made_ready_is_removed", record, when, orders));
        assert_eq!(images.join("g1.img").exists(), made, "{what}");
        let task = newest_task(&site);
        let ran = site.waypost(&["recover", &task]);
        assert_eq!(ran.code, 4, "{what}:\n{}{}", ran.out, ran.err);
        assert_eq!(fs::read_dir(&images).expect("the store").count(), 0, "{what}: nothing is left\n{}", ran.out);
        is_on(&site, "kvm1", &what);
    }
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full"]).expect_code(0);
    is_on(&site, "kvm2", "after all");
}

/// Half of a disk is there: peer to peer the copy goes on without a controller, direct it ends with it, and its target goes.
#[test]
fn a_disk_that_is_being_copied_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let test = "crashes::a_disk_that_is_being_copied_is_taken_over";
    let site = Site::new(2);
    let spec = GuestSpec { disk: DiskPlace::Local, disk_mib: 16, ..GuestSpec::tick("g1") };
    site.lab.define_guest(&spec).expect("the guest is defined");
    let on = |host: &str| site.lab.host(host).expect("a host of the lab").images().join("g1.img");
    // Behind the first sector, which is its program: something to copy.
    let disk = fs::OpenOptions::new().write(true).open(on("kvm1")).expect("its disk");
    disk.write_all_at(&vec![0x5a; 15 << 20], 1 << 20).expect("its disk is filled");
    drop(disk);
    site.virsh("kvm1", &["start", "g1"]);
    for direct in [true, false] {
        let what = format!("direct: {direct}");
        let orders = json!({ "domain": "g1", "to": "kvm2", "copy": true, "direct": direct, "bandwidth": 4 });
        dies(doomed(&site, test, COPYING, "before", orders));
        let task = newest_task(&site);
        let ran = site.waypost(&["recover", &task]);
        assert_eq!(ran.code, if direct { 4 } else { 0 }, "{what}:\n{}{}", ran.out, ran.err);
        assert_eq!(on("kvm2").exists(), !direct, "{what}: nothing is left where it did not arrive\n{}", ran.out);
        is_on(&site, if direct { "kvm1" } else { "kvm2" }, &what);
    }
}

/// The guest runs on the destination and its memory follows: that goes on without a controller.
#[test]
fn a_guest_whose_memory_follows_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    // It never comes to its end before it is switched.
    let orders = json!({
        "domain": "g1", "to": "kvm2", "bandwidth": 40, "downtime": 300, "post_copy": true, "post_copy_bandwidth": 20
    });
    let child = doomed(&site, "crashes::a_guest_whose_memory_follows_is_taken_over", FOLLOWING, "before", orders);
    site.until_copying("kvm1", "g1");
    site.waypost(&["steer", &newest_task(&site), "--postcopy"]).expect_code(0);
    dies(child);
    let ran = site.waypost(&["recover", &newest_task(&site)]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    is_on(&site, "kvm2", "died in post-copy");
}

/// What a reader is shown must not run backwards, and the policy must be at work again.
#[test]
fn a_transfer_that_is_taken_over_goes_on_as_it_was() {
    let settings = "window_s = 2, throttle = false";
    let site = Site::with(
        2,
        &format!("\n[engine]\nsteer_every_ms = 250\n\n[plugin.convergence-adaptive]\nsettings = {{ {settings} }}\n"),
    );
    let mut spec = GuestSpec { memory_mib: 64, ..GuestSpec::tick("g1") };
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = 32;
        *dirty_pages_per_tick = waypost_lab::SPIN;
    }
    site.start_guest(&spec);
    let mut first = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    let shown = |site: &Site| {
        let tasks = site.waypost(&["tasks", "--json"]).expect_code(0).json();
        tasks["tasks"][0]["progress"].as_f64().expect("progress")
    };
    site.until("progress is shown", |site| shown(site) > 0.0);
    first.kill().expect("the controller is killed");
    first.wait().expect("it is gone");
    let before = shown(&site);

    let ran = site.waypost(&["recover", &task]).expect_code(0);
    let percents: Vec<u64> = ran
        .err
        .lines()
        .filter_map(|line| line.trim_start().split_once('%').and_then(|(number, _)| number.parse().ok()))
        .collect();
    assert!(!percents.is_empty() && percents.is_sorted(), "{percents:?}\n{}", ran.err);
    assert!(percents[0] as f64 >= before.floor(), "it was at {before} % and went on at {percents:?}");
    let record = site.waypost(&["task", &task]).expect_code(0).out;
    let (_, after) = record.split_once("watched from outside from here on").unwrap_or_else(|| panic!("{record}"));
    assert!(after.contains("convergence-adaptive"), "no policy steers what was taken over:\n{record}");
    is_on(&site, "kvm2", "it arrives");
}
