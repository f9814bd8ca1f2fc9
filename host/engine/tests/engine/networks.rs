//! Which network a task takes, from the configuration to the plan that is executed and to what the record says of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use waypost_core::facts::Snapshot;
use waypost_core::finding::Severity;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::journal::{Course, Record};
use waypost_core::network::{Detour, Fallback, Network, Networks, Place, Role};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::Plan;
use waypost_core::ports::{Clock, DecisionRecord, Depth, Judgement, Policies, StorageProbe, Store};
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, MigrationRequest, Options};
use waypost_core::situation::Action;
use waypost_core::stream::{DiskCopy, Disks, Encryption, Stream, Transport};
use waypost_core::verdict::Verdict;
use waypost_engine::{Acted, Driver, Engine, EngineError, Order, Settings};
use waypost_sim::{DiskSpec, DomainSpec, Fleet, HostSpec, Lasting, PoolSpec, Scripted, Step, What, World};

use crate::support::{MemoryStore, Mind, Minded, OWN, VirtualClock, in_virtual_time};

fn network(name: &str, roles: &[Role], net: &str, interface: &str) -> Network {
    let place =
        |last: u8| Place { address: format!("{net}{last}").parse().unwrap(), interface: Some(interface.into()) };
    Network {
        name: name.into(),
        roles: roles.to_vec(),
        fallback: vec![],
        bandwidth_mib_s: None,
        max_migrations: None,
        places: BTreeMap::from([(HostName::new("a"), place(1)), (HostName::new("b"), place(2))]),
    }
}

/// `mig` on eth1, `six` on eth2 with IPv6, `disks` on eth3; `mig` is the default.
pub fn networks() -> Networks {
    Networks {
        networks: vec![
            Network {
                bandwidth_mib_s: Some(700),
                ..network("mig", &[Role::Migration, Role::DiskCopy], "10.8.0.", "eth1")
            },
            network("six", &[Role::Migration], "fd00::", "eth2"),
            network("disks", &[Role::DiskCopy], "10.9.0.", "eth3"),
        ],
        default: Some("mig".into()),
        ..Networks::default()
    }
}

/// One migration of g1 from a to b, where eth1 of a is in that state.
pub fn migrate(networks: Networks, eth1: &str, options: Options) -> (Outcome, Option<Plan>, Option<Verdict>) {
    let (outcome, course, _) = play(networks, eth1, options, vec![], Arc::new(Minded::new(Mind::Conservative)));
    (outcome, course.plan, course.verdict)
}

/// The same with faults and other policies; also what its journal comes to, and its records.
fn play(
    networks: Networks,
    eth1: &str,
    options: Options,
    faults: Vec<Scripted>,
    policies: Arc<dyn Policies>,
) -> (Outcome, Course, Vec<Record>) {
    in_virtual_time(async {
        let (engine, store, driver) = begin(networks, eth1, options, faults, policies);
        let id = driver.id();
        let outcome = driver.drive().await.unwrap();
        let records = store.journal(id).unwrap().into_iter().map(|(_, record)| record).collect();
        (outcome, engine.read(id).unwrap(), records)
    })
}

/// Only its begin.
pub fn begin(
    networks: Networks,
    eth1: &str,
    options: Options,
    faults: Vec<Scripted>,
    policies: Arc<dyn Policies>,
) -> (Engine, Arc<dyn Store>, Driver) {
    let hosts = [host("a", eth1, &options), host("b", "up", &options)];
    begin_on(hosts, networks, options, faults, policies)
}

pub fn host(name: &str, eth1: &str, options: &Options) -> HostSpec {
    let states = [("eth1", eth1), ("eth2", "up"), ("eth3", "up")];
    HostSpec {
        interface_states: states.map(|(name, state)| (name.to_owned(), state.to_owned())).into(),
        migration_tls: options.stream.encryption == Encryption::Required,
        pools: vec![PoolSpec::default(), PoolSpec::local(OWN, "/srv/images")],
        ..HostSpec::named(name)
    }
}

/// The same on these two hosts.
pub fn begin_on(
    hosts: [HostSpec; 2],
    networks: Networks,
    options: Options,
    faults: Vec<Scripted>,
    policies: Arc<dyn Policies>,
) -> (Engine, Arc<dyn Store>, Driver) {
    // What is copied must be on the host's own store.
    let own = DiskSpec { pool: Some(OWN.into()), size_gib: 1, ..DiskSpec::default() };
    let disks = if options.disks.copy == DiskCopy::No { vec![DiskSpec::default()] } else { vec![own] };
    let domain = DomainSpec { disks, ..DomainSpec::named("g1", "a") };
    let world = World::new(&Fleet::new(hosts, [domain])).unwrap();
    world.script(faults);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let engine = Engine::new(
        Arc::new(world),
        policies,
        Arc::clone(&store),
        Arc::new(VirtualClock::new()) as Arc<dyn Clock>,
        Settings { networks: Arc::new(networks), ..Settings::default() },
        Depth::default(),
    );
    let request = MigrationRequest {
        domain: DomainKey::Name("g1".into()),
        source: None,
        destination: HostName::new("b"),
        options,
        requester: "test".into(),
    };
    let driver = engine.accept(request).unwrap();
    (engine, store, driver)
}

#[test]
fn the_plan_has_the_address_on_the_chosen_network_and_its_limit() {
    let (outcome, plan, verdict) = migrate(networks(), "up", Options::default());
    let plan = plan.unwrap();
    assert_eq!(outcome.kind, OutcomeKind::Completed);
    assert_eq!(plan.network.as_deref(), Some("mig"));
    assert_eq!(plan.migrate_uri.as_deref(), Some("tcp://10.8.0.2"));
    assert_eq!(plan.listen_address.as_deref(), Some("10.8.0.2"));
    assert_eq!(plan.bandwidth_mib_s, Some(700));
    assert!(plan.notes.0.iter().any(|note| note.contains("that a reaches 10.8.0.2 is unproven")), "{:?}", plan.notes);
    assert_eq!(verdict.unwrap().findings, []);

    let six = Options { network: Some("six".into()), bandwidth_mib_s: Some(5), ..Options::default() };
    let plan = migrate(networks(), "up", six).1.unwrap();
    assert_eq!(plan.migrate_uri.as_deref(), Some("tcp://[fd00::2]"));
    assert_eq!(plan.listen_address.as_deref(), Some("fd00::2"));
    assert_eq!(plan.bandwidth_mib_s, Some(5));
}

#[test]
fn an_address_in_the_request_is_stronger() {
    let own = Options { migrate_uri: Some("tcp://10.7.0.2:50000".into()), ..Options::default() };
    let plan = migrate(networks(), "down", own).1.unwrap();
    assert_eq!((plan.network.as_deref(), plan.migrate_uri.as_deref()), (None, Some("tcp://10.7.0.2:50000")));
    assert_eq!(plan.listen_address, None);
    assert!(plan.notes.0.iter().any(|note| note == "the migration URI was given, so network mig was not chosen"));
}

#[test]
fn a_network_that_is_down_is_refused_or_stepped_back_from_as_its_fallback_says() {
    let (outcome, plan, verdict) = migrate(networks(), "down", Options::default());
    assert_eq!((outcome.kind, plan), (OutcomeKind::Refused, None));
    assert!(outcome.summary.contains("no network can carry the memory: mig: eth1 of a is down"), "{outcome:?}");
    assert_eq!(verdict.unwrap().findings[0].finding.code, "migration-network-missing");

    for (fallback, network, uri) in [
        (vec![Fallback::Network("six".into()), Fallback::Management], Some("six"), Some("tcp://[fd00::2]")),
        (vec![Fallback::Management], None, None),
    ] {
        let mut networks = networks();
        networks.networks[0].fallback = fallback;
        let (outcome, plan, verdict) = migrate(networks, "lowerlayerdown", Options::default());
        let plan = plan.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed);
        assert_eq!((plan.network.as_deref(), plan.migrate_uri.as_deref()), (network, uri));
        assert!(
            plan.notes.0.iter().any(|note| note.contains("instead of mig: mig: eth1 of a is lowerlayerdown")),
            "{:?}",
            plan.notes
        );
        let finding = &verdict.unwrap().findings[0].finding;
        assert_eq!((finding.code.as_str(), finding.severity), ("migration-network-fallback", Severity::Warning));
    }
}

#[test]
fn disks_take_the_memory_s_network_only_if_it_may_carry_them() {
    let copy = |network: Option<&str>, port| Options {
        network: network.map(str::to_owned),
        disks: Disks { copy: DiskCopy::Full, port, ..Disks::default() },
        ..Options::default()
    };
    let uri = |networks, options| migrate(networks, "up", options).1.map(|plan| (plan.disks.uri, plan.disks.port));
    // With the memory: libvirt takes the same address by itself.
    assert_eq!(uri(networks(), copy(None, Some(50001))), Some((None, Some(50001))));
    let apart = || Networks { disk_copy: Some("disks".into()), ..networks() };
    assert_eq!(uri(apart(), copy(Some("six"), None)), Some((Some("tcp://10.9.0.2".into()), None)));
    assert_eq!(uri(apart(), copy(Some("six"), Some(50001))), Some((Some("tcp://10.9.0.2:50001".into()), None)));
    let outcome = migrate(networks(), "up", copy(Some("six"), None)).0;
    assert_eq!(outcome.kind, OutcomeKind::Refused);
    assert!(outcome.summary.contains("network six has not the role disk-copy, and no other is set"), "{outcome:?}");
}

/// Without an address of their own they go where the memory goes, and that is the management network only where nobody
/// sends the memory elsewhere.
#[test]
fn disks_step_back_to_the_management_network_only_where_they_would_get_there() {
    // Neither host is on the disks' network.
    let stepping_back = || {
        let mut networks = Networks { disk_copy: Some("disks".into()), default: None, ..networks() };
        networks.networks[2].fallback = vec![Fallback::Management];
        networks.networks[2].places.clear();
        networks
    };
    let copy = |migrate_uri: Option<&str>| Options {
        migrate_uri: migrate_uri.map(str::to_owned),
        disks: Disks { copy: DiskCopy::Full, ..Disks::default() },
        ..Options::default()
    };
    let (_, plan, verdict) = migrate(stepping_back(), "up", copy(None));
    let plan = plan.unwrap();
    assert_eq!((plan.migrate_uri, plan.disks.uri), (None, None));
    let note = "the disks take network management instead of disks";
    assert!(plan.notes.0.iter().any(|said| said.starts_with(note)), "{:?}", plan.notes);
    // And it is a warning of the check, which the record keeps.
    let found: Vec<_> = verdict.unwrap().findings.into_iter().map(|judged| judged.finding).collect();
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((warning.code.as_str(), warning.severity), ("migration-network-fallback", Severity::Warning));
    assert!(warning.message.starts_with(note), "{warning:?}");

    let (outcome, plan, _) = migrate(stepping_back(), "up", copy(Some("tcp://10.7.0.2")));
    assert_eq!((outcome.kind, plan), (OutcomeKind::Refused, None));
    assert!(outcome.summary.contains("the address of b on it is not configured"), "{outcome:?}");
    let mut known = stepping_back();
    let there = Place { address: [192, 0, 2, 2].into(), interface: None };
    known.management.insert(HostName::new("b"), there);
    let plan = migrate(known, "up", copy(Some("tcp://10.7.0.2"))).1.unwrap();
    assert_eq!(plan.migrate_uri.as_deref(), Some("tcp://10.7.0.2"));
    assert_eq!(plan.disks.uri.as_deref(), Some("tcp://192.0.2.2"));
}

/// `mig` with what may stand in for it.
fn with_fallback(fallback: &[Fallback]) -> Networks {
    let mut networks = networks();
    networks.networks[0].fallback = fallback.to_vec();
    networks
}

/// A tunnel has no other way than the daemons' own connection.
#[test]
fn a_tunnel_goes_past_the_wanted_network_only_where_its_fallback_or_the_request_says_so() {
    let tunnelled = |network: Option<&str>| Options {
        transport: Transport::Tunnelled,
        network: network.map(str::to_owned),
        ..Options::default()
    };
    for fallback in [vec![], vec![six()]] {
        let (outcome, plan, verdict) = migrate(with_fallback(&fallback), "up", tunnelled(None));
        assert_eq!((outcome.kind, plan), (OutcomeKind::Refused, None));
        let finding = &verdict.unwrap().findings[0].finding;
        assert_eq!((finding.code.as_str(), finding.severity), ("migration-network-missing", Severity::Blocker));
        assert!(finding.message.contains("`default` under [networks] names the network mig"), "{finding:?}");
        let remedy = finding.remedy.as_deref().unwrap();
        assert!(remedy.contains("drop the tunnel") && remedy.contains("--network management"), "{remedy}");

        let (outcome, plan, verdict) = migrate(with_fallback(&fallback), "up", tunnelled(Some("management")));
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(plan.unwrap().network, None);
        assert_eq!(verdict.unwrap().findings, [], "what is taken on purpose is no step back");
    }
    let fallback = [six(), Fallback::Management];
    let (outcome, plan, verdict) = migrate(with_fallback(&fallback), "up", tunnelled(None));
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    let plan = plan.unwrap();
    assert_eq!((plan.network, plan.migrate_uri, plan.bandwidth_mib_s), (None, None, None));
    let note = "the memory takes network management instead of mig: a tunnelled migration takes";
    assert!(plan.notes.0.iter().any(|said| said.starts_with(note)), "{:?}", plan.notes);
    let finding = &verdict.unwrap().findings[0].finding;
    assert_eq!((finding.code.as_str(), finding.severity), ("migration-network-fallback", Severity::Warning));
    assert!(finding.remedy.as_deref().is_some_and(|remedy| remedy.starts_with("drop the tunnel")), "{finding:?}");
}

#[test]
fn the_management_network_is_taken_where_the_request_names_it() {
    let on_purpose = || Options { network: Some("management".into()), ..Options::default() };
    // The default is down, and must not be stepped back from: it isn't wanted.
    let (outcome, plan, verdict) = migrate(networks(), "down", on_purpose());
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    let plan = plan.unwrap();
    assert_eq!((plan.network, plan.migrate_uri, plan.listen_address), (None, None, None));
    assert_eq!(verdict.unwrap().findings, []);

    let mut known = networks();
    known.management = [("a", 1), ("b", 2)]
        .map(|(host, last)| (HostName::new(host), Place { address: [192, 0, 2, last].into(), interface: None }))
        .into();
    let plan = migrate(known, "down", on_purpose()).1.unwrap();
    assert_eq!((plan.network, plan.migrate_uri.as_deref()), (None, Some("tcp://192.0.2.2")));
}

/// A post-copy over `mig` to whose networks this happens, one after another; and the ways that it was resumed on.
fn post_copy(
    networks: Networks,
    happens: &[Lasting],
    policies: Arc<dyn Policies>,
) -> (Outcome, Course, Vec<Option<String>>) {
    let mut faults = vec![Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100)];
    let down = |(lasting, occurrence): (&Lasting, u32)| {
        Scripted::at(Step::PostCopy, What::NetworkDown(*lasting)).occurrence(occurrence)
    };
    faults.extend(happens.iter().zip(1..).map(down));
    let stream = Stream { post_copy: true, ..Stream::default() };
    let options = Options { stream, bandwidth_mib_s: Some(20), ..Options::default() };
    let (outcome, course, records) = play(networks, "up", options, faults, policies);
    let resumed = records.into_iter().filter_map(|record| match record {
        Record::Resumed { way } => Some(way),
        _ => None,
    });
    (outcome, course, resumed.collect())
}

fn six() -> Fallback {
    Fallback::Network("six".into())
}

#[test]
fn a_post_copy_whose_network_is_down_is_resumed_over_the_one_that_stands_in_for_it() {
    let minded = || Arc::new(Minded::new(Mind::Conservative));
    // Refused as long as the destination has not noticed: that says nothing against the network.
    let (outcome, course, ways) = post_copy(with_fallback(&[six()]), &[Lasting::Forever], minded());
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    assert!(!ways.is_empty() && ways.iter().all(|way| way.as_deref() == Some("six")), "{ways:?}");
    // The plan is what was planned; the record says what it took.
    assert_eq!(course.plan.unwrap().network.as_deref(), Some("mig"));

    // That network fails, too, and the first is mended meanwhile.
    let a_while = Lasting::For(Duration::from_secs(30));
    let (outcome, _, ways) = post_copy(with_fallback(&[six()]), &[a_while, Lasting::Forever], minded());
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    let last = ways.last().cloned().flatten();
    assert_eq!((ways[0].as_deref(), last.as_deref()), (Some("six"), Some("mig")), "{ways:?}");

    // Where nothing may stand in for it, it is waited for.
    let (outcome, _, ways) = post_copy(networks(), &[a_while], minded());
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    assert!(!ways.is_empty() && ways.iter().all(Option::is_none), "{ways:?}");
    let (outcome, _, ways) = post_copy(networks(), &[Lasting::Forever], minded());
    assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
    assert!(ways.iter().all(Option::is_none), "{ways:?}");
}

/// Takes the management network, where it is offered.
#[derive(Default)]
struct Cautious(Mutex<Vec<Vec<String>>>);

impl Policies for Cautious {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let (answer, decision) = Minded::new(Mind::Conservative).recover(question);
        if answer.action == Action::ResumePostCopy {
            self.0.lock().unwrap().push(question.ways.clone());
        }
        (RecoveryAnswer { way: Some("management".into()), ..answer }, decision)
    }
}

#[test]
fn a_policy_may_name_the_network_and_what_is_not_offered_is_not_taken() {
    let cautious = Arc::new(Cautious::default());
    let fallback = [six(), Fallback::Management];
    let (outcome, _, ways) = post_copy(with_fallback(&fallback), &[Lasting::Forever], cautious.clone());
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    assert!(!ways.is_empty() && ways.iter().all(|way| way.as_deref() == Some("management")), "{ways:?}");
    assert_eq!(cautious.0.lock().unwrap()[0], ["six", "management", "mig"]);

    let cautious = Arc::new(Cautious::default());
    let (outcome, _, ways) = post_copy(with_fallback(&[six()]), &[Lasting::Forever], cautious.clone());
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    assert!(ways.iter().all(|way| way.as_deref() == Some("six")), "{ways:?}");
    assert_eq!(cautious.0.lock().unwrap()[0], ["six", "mig"]);
}

#[test]
fn a_person_names_the_network_over_which_a_broken_post_copy_goes_on() {
    in_virtual_time(async {
        let faults = vec![
            Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100),
            Scripted::at(Step::PostCopy, What::NetworkDown(Lasting::Forever)),
        ];
        let stream = Stream { post_copy: true, ..Stream::default() };
        let options = Options { stream, bandwidth_mib_s: Some(20), ..Options::default() };
        let fallback = with_fallback(&[Fallback::Management, six()]);
        let minded = Arc::new(Minded::new(Mind::HandsOver));
        let (engine, store, driver) = begin(fallback, "up", options, faults, minded);
        let id = driver.id();
        assert_eq!(driver.drive().await.unwrap().kind, OutcomeKind::Stuck);

        let seen = engine.look(id).await.unwrap().unwrap();
        assert!(seen.permitted.contains(&Action::ResumePostCopy), "{seen:?}");
        assert_eq!(seen.networks, ["management", "six", "mig"], "the next in turn first");
        let order = |action, network: &str| Order { action, network: Some(network.into()) };
        for (wrong, why) in [
            (order(Action::ResumePostCopy, "disks"), "its plan has mig, management, six"),
            (order(Action::Wait, "six"), "only resume-post-copy takes one"),
        ] {
            let error = engine.act(id, wrong, "ann").await.err().unwrap();
            assert!(matches!(error, EngineError::NoWay { .. }) && error.to_string().ends_with(why), "{error}");
        }
        assert!(engine.read(id).unwrap().outcome.is_some(), "what can't be reopens nothing");

        // Refused until the destination has noticed that the stream broke.
        let mut outcome = None;
        for _ in 0..100 {
            let acted = engine.act(id, order(Action::ResumePostCopy, "six"), "ann").await;
            match acted.map_err(|error| error.to_string()).unwrap() {
                Acted::Driver(driver) => {
                    let holds: Vec<_> = store.queue().unwrap().into_iter().map(|entry| entry.wish.network).collect();
                    assert_eq!(holds, [Some("six".to_owned())], "counted where it goes");
                    outcome = Some(driver.drive().await.unwrap());
                }
                Acted::Open(_) => {}
                Acted::Ended(outcome) => panic!("{outcome:?}"),
            }
            if outcome.as_ref().is_some_and(|outcome| outcome.kind == OutcomeKind::Completed) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(outcome.map(|outcome| outcome.kind), Some(OutcomeKind::Completed));
        let mut resumed = 0;
        for (_, record) in store.journal(id).unwrap() {
            match record {
                Record::Resumed { way } => {
                    resumed += 1;
                    assert_eq!(way.as_deref(), Some("six"));
                }
                Record::ActionIntended { action: Action::ResumePostCopy, reason, by } => {
                    assert_eq!((by.as_str(), reason.as_str()), ("ann", "ann asked for it, over network six"));
                }
                _ => {}
            }
        }
        assert!(resumed >= 1);
    });
}

#[test]
fn what_may_stand_in_for_a_network_is_planned_with_a_post_copy_and_with_nothing_else() {
    let fallback = [six(), Fallback::Management];
    let may_switch = Options { stream: Stream { post_copy: true, ..Stream::default() }, ..Options::default() };
    let names = |eth1: &str, options: &Options| -> Vec<Option<String>> {
        let plan = migrate(with_fallback(&fallback), eth1, options.clone()).1.unwrap();
        plan.detours.0.into_iter().map(|detour| detour.network).collect()
    };
    assert_eq!(names("up", &may_switch), [Some("six".into()), None]);
    // What comes after the one that is taken comes first, and what was down may be up by then.
    assert_eq!(names("down", &may_switch), [None, Some("mig".into())]);
    assert_eq!(names("up", &Options::default()), []);
    let plan = migrate(with_fallback(&fallback), "up", may_switch).1.unwrap();
    let six = Detour {
        network: Some("six".into()),
        migrate_uri: Some("tcp://[fd00::2]".into()),
        listen_address: Some("fd00::2".into()),
        bandwidth_mib_s: None,
    };
    assert_eq!(plan.detours.0[0], six);
    let over = plan.over(Some("six"));
    assert_eq!(
        (over.network, over.migrate_uri, over.listen_address),
        (six.network, six.migrate_uri, six.listen_address)
    );
    assert_eq!(plan.over(Some("mig")), plan);
}

/// The limit of a transfer ends with its switch to post-copy: what a network is declared to carry is that one's, too, and each
/// way has its own. What a person says holds on all of them.
#[test]
fn a_declared_bandwidth_is_the_limit_of_the_post_copy_and_of_each_way_that_it_goes_on_over() {
    let mut networks = with_fallback(&[six(), Fallback::Management]);
    networks.networks[1].bandwidth_mib_s = Some(20);
    let limits = |bandwidth_mib_s, post_copy_bandwidth_mib_s| {
        let stream = Stream { post_copy: true, post_copy_bandwidth_mib_s, ..Stream::default() };
        let options = Options { stream, bandwidth_mib_s, ..Options::default() };
        let plan = migrate(networks.clone(), "up", options).1.unwrap();
        let ways = ["mig", "six", "management"].map(|way| plan.over(Some(way)).stream.post_copy_bandwidth_mib_s);
        (plan.bandwidth_mib_s, ways)
    };
    // Nothing is declared of the management network: it has the plan's own.
    assert_eq!(limits(None, None), (Some(700), [Some(700), Some(20), Some(700)]));
    assert_eq!(limits(Some(5), None), (Some(5), [Some(700), Some(20), Some(700)]));
    assert_eq!(limits(None, Some(6)), (Some(700), [Some(6); 3]));
    let plan = migrate(networks.clone(), "up", Options::default()).1.unwrap();
    assert_eq!(plan.stream.post_copy_bandwidth_mib_s, None, "no switch is allowed");
}
