//! Migrations that succeed, each in its own way.

use waypost_lab::{Link, Persistence};

use crate::site::Site;

#[test]
fn a_running_guest_moves_and_leaves_one_definition() {
    let site = Site::new(2);
    site.guest("g1");
    site.virsh("kvm1", &["autostart", "g1"]);
    site.virsh(
        "kvm1",
        &[
            "metadata",
            "g1",
            "--uri",
            "http://site.example/owner",
            "--key",
            "site",
            "--set",
            "<owner>ops</owner>",
            "--config",
            "--live",
        ],
    );

    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(0);
    let task = ran.json();
    assert_eq!(task["outcome"]["kind"], "completed", "{task:#}");

    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None, "its definition is gone from the source");
    let info = site.virsh("kvm2", &["dominfo", "g1"]);
    assert!(info.contains("Persistent:     yes"), "{info}");
    assert!(info.contains("Autostart:      enable"), "autostart is carried over: {info}");
    let owner = site.virsh("kvm2", &["metadata", "g1", "--uri", "http://site.example/owner", "--config"]);
    assert!(owner.contains("ops"), "metadata is carried over: {owner}");
    site.assert_one_counting_guest("g1");
}

#[test]
fn there_and_back_again() {
    let site = Site::new(2);
    site.guest("g1");
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.waypost(&["migrate", "g1", "--to", "kvm1"]).expect_code(0);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_paused_guest_stays_paused() {
    let site = Site::new(2);
    site.guest("g1");
    site.virsh("kvm1", &["suspend", "g1"]);
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("paused"));
    site.virsh("kvm2", &["resume", "g1"]);
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_shut_off_domain_moves_offline() {
    let site = Site::new(2);
    let spec = waypost_lab::GuestSpec::tick("g1");
    site.lab.define_guest(&spec).expect("the guest is defined");
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    assert_eq!(site.state("kvm1", "g1"), None);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"));
    site.virsh("kvm2", &["start", "g1"]);
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_transient_guest_stays_transient() {
    let site = Site::new(2);
    let mut spec = waypost_lab::GuestSpec::tick("g1");
    spec.persistence = Persistence::Transient;
    site.start_guest(&spec);
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    assert_eq!(site.state("kvm1", "g1"), None);
    assert!(site.virsh("kvm2", &["dominfo", "g1"]).contains("Persistent:     no"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn it_gets_a_new_name_and_the_source_may_keep_its_definition() {
    let site = Site::new(2);
    site.guest("g1");
    site.virsh("kvm1", &["autostart", "g1"]);
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--name", "g1-moved", "--keep-source"]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1-moved").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    let kept = site.virsh("kvm1", &["dominfo", "g1"]);
    assert!(kept.contains("Autostart:      disable"), "a kept definition must not start a second copy: {kept}");
    // Its serial log kept the name that it was defined with.
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_bandwidth_limit_is_kept_and_the_traffic_takes_the_network_that_was_asked_for() {
    let site = Site::new(2);
    let mut spec = waypost_lab::GuestSpec::tick("g1");
    spec.memory_mib = 128;
    if let waypost_lab::Program::Tick { working_set_mib, .. } = &mut spec.program {
        *working_set_mib = 80;
    }
    site.start_guest(&spec);
    let (kvm1, kvm2) = (site.lab.host("kvm1").expect("kvm1"), site.lab.host("kvm2").expect("kvm2"));
    let before =
        (kvm1.interface_bytes(Link::Migration).expect("bytes"), kvm1.interface_bytes(Link::Management).expect("bytes"));
    let began = std::time::Instant::now();
    let uri = format!("tcp://{}", kvm2.migration_ip());
    let listen = kvm2.migration_ip();
    site.waypost(&[
        "migrate",
        "g1",
        "--to",
        "kvm2",
        "--bandwidth",
        "20",
        "--migrate-uri",
        &uri,
        "--listen-address",
        &listen,
    ])
    .expect_code(0);
    let took = began.elapsed().as_secs_f64();
    let after =
        (kvm1.interface_bytes(Link::Migration).expect("bytes"), kvm1.interface_bytes(Link::Management).expect("bytes"));
    let migration = after.0.sent - before.0.sent;
    let management = after.1.sent - before.1.sent;
    assert!(migration > 70 << 20, "only {migration} bytes took the migration network");
    assert!(management < 2 << 20, "{management} bytes took the management network");
    // 80 MiB at 20 MiB/s take 4 s; half of that would already break the limit.
    assert!(took > 2.5, "80 MiB moved in {took:.1} s despite a limit of 20 MiB/s");
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_dry_run_shows_the_plan_and_touches_nothing() {
    let site = Site::new(2);
    site.guest("g1");
    let plan = site.waypost(&["migrate", "g1", "--to", "kvm2", "--dry-run", "--json"]).expect_code(0).json();
    assert_eq!(
        plan["plan"]["destination"]["host"].as_str().or(plan["plan"]["destination"].as_str()),
        Some("kvm2"),
        "{plan:#}"
    );
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
    let tasks = site.waypost(&["tasks", "--json"]).expect_code(0).json();
    assert_eq!(tasks["tasks"].as_array().or(tasks.as_array()).map(Vec::len), Some(0), "{tasks:#}");
}

/// 128 MiB are rewritten all the time: so much is dirtied a second, or less where the host's processors are shared.
#[test]
fn a_dry_run_measures_what_a_guest_writes_and_foretells_what_comes_of_it() {
    let site = Site::new(2);
    site.busy_guest("g1");
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    let dry = |to: &str, more: &[&str]| {
        site.waypost(&[&["migrate", "g1", "--to", to, "--dry-run"][..], more].concat()).expect_code(0)
    };
    let mib_s = |rate: &serde_json::Value| rate.as_u64().unwrap_or(0) >> 20;

    let told = dry("kvm2", &["--json"]).json();
    assert_eq!(told["prediction"], serde_json::Value::Null, "nobody knows what the network carries: {told:#}");
    let dirtied = mib_s(&told["writing"]["dirty_bytes_per_s"]);
    assert!((32..=256).contains(&dirtied), "{dirtied} MiB/s: {told:#}");
    let above = mib_s(&told["writing"]["converges_above_bytes_per_s"]);
    assert!((32..=256).contains(&above), "{above} MiB/s: {told:#}");
    let words = dry("kvm2", &[]).out;
    assert!(words.contains("convergence unknown: no bandwidth is known"), "{words}");

    let limited = dry("kvm2", &["--json", "--bandwidth", "20"]).json();
    let prediction = &limited["prediction"];
    assert_eq!(prediction["converges"], false, "{limited:#}");
    assert_eq!(mib_s(&prediction["bandwidth_bytes_per_s"]), 20, "{limited:#}");
    assert_eq!(prediction["bandwidth_from"], "limit", "{limited:#}");

    // Nothing limits this one but the network, and what that carried is known on the way back.
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--max-downtime", "20000"]).expect_code(0);
    let back = dry("kvm1", &["--json"]).json();
    let prediction = &back["prediction"];
    assert_eq!(prediction["bandwidth_from"], "earlier-transfers", "{back:#}");
    assert!(mib_s(&prediction["bandwidth_bytes_per_s"]) > 20, "{back:#}");
    assert_eq!(prediction["converges"] == true, prediction["total_ms"].is_u64(), "{back:#}");
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_downtime_limit_is_in_force_when_the_transfer_begins() {
    // Nobody else may set the limit that is looked for.
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    let before = site.virsh("kvm1", &["migrate-getmaxdowntime", "g1"]);
    assert_ne!(before.trim(), "20000", "it would be in force without anybody's doing");
    // Before it has booted there is next to nothing to move; then the first pass, before whose end nothing can switch over,
    // takes seconds.
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--max-downtime", "20000"]);
    site.until_copying("kvm1", "g1");
    let during = site.virsh("kvm1", &["migrate-getmaxdowntime", "g1"]);
    assert_eq!(during.trim(), "20000", "before: {before}");
    // What this guest writes takes 3.2 s at 40 MiB/s: it never converges within libvirt's own limit, and at once within this.
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let record = site.waypost(&["task", &site.only_task(), "--json"]).expect_code(0).out;
    assert!(!record.contains("steer-intended"), "nobody steered it: {record}");
    site.assert_one_counting_guest("g1");
}
