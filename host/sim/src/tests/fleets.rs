//! Large fleets.

use std::time::Instant;

use super::*;
use crate::Generate;

#[tokio::test(start_paused = true)]
async fn a_fleet_of_four_hundred_domains_is_made_and_read_quickly() {
    let generate = Generate { hosts: 40, domains_per_host: 10, ..Generate::default() };
    let fleet = Fleet { generate: Some(generate), ..Fleet::default() };
    let began = Instant::now();
    let world = World::new(&fleet).unwrap();
    assert_eq!((world.hosts().len(), world.all_domains().len()), (40, 400));
    for name in world.hosts() {
        let facts = world.host_facts(&name, Depth::default()).await.unwrap();
        assert_eq!(facts.domains.len(), 10);
        assert!(facts.free_memory_kib < facts.memory_kib);
        for brief in world.domains(&name).await.unwrap() {
            let domain = world.domain_facts(&name, &DomainKey::Id(brief.id)).await.unwrap();
            assert_eq!((domain.name, domain.state), (brief.name, brief.state));
        }
    }
    // Some milliseconds, even unoptimised on a busy machine.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    eprintln!("40 hosts, 400 domains, made and read: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hosts_come_and_go_and_who_stays_is_as_it_is() {
    let fleet = |text: &str| Fleet::parse(text).unwrap();
    let hosts = |names: &[&str]| names.iter().map(|name| format!("[[host]]\nname = '{name}'\n")).collect::<String>();
    let guest = |name: &str, on: &str| format!("[[domain]]\nname = '{name}'\nhost = '{on}'\n");
    let two = hosts(&["a", "b"]) + &guest("g1", "a") + &guest("g2", "b");
    let world = World::new(&fleet(&two)).unwrap();
    let (g1, g2) = (world.domain("g1").unwrap(), world.domain("g2").unwrap());
    migrate(&world, g1, Options::default()).await.unwrap();
    let before = world.domains(&host("b")).await.unwrap();

    // g1 of the file is on b by now: c comes with its own alone.
    let three = hosts(&["a", "b", "c"]) + &guest("g1", "c") + &guest("g2", "b") + &guest("g3", "c");
    let others = world.others(&fleet(&three)).unwrap();
    assert_eq!((others.came.clone(), others.gone.len()), (vec![host("c")], 0));
    world.take(&others);
    assert_eq!(world.hosts(), ["a", "b", "c"].map(host));
    let names: Vec<String> = world.domains(&host("c")).await.unwrap().into_iter().map(|domain| domain.name).collect();
    assert_eq!((names, world.truth(g1).running_on), (vec!["g3".to_owned()], vec![host("b")]));
    assert_eq!(world.domains(&host("b")).await.unwrap(), before);
    let g3 = world.domain("g3").unwrap();
    let to_c = plan(&world, g1, "b", "c", Options::default()).await;
    world.start(&to_c).await.unwrap().finished().await.unwrap();

    // b goes, and with it what is there.
    let events = world.events(&host("b")).await.unwrap();
    let others = world.others(&fleet(&hosts(&["c", "a"]))).unwrap();
    assert_eq!((others.came.len(), others.gone.clone()), (0, [host("b")].into()));
    world.take(&others);
    assert_eq!(world.hosts(), ["c", "a"].map(host));
    assert_eq!(heard(events).await, ["disconnected"]);
    assert_eq!(world.domains(&host("b")).await.unwrap_err().kind, waypost_core::ports::FaultKind::NoHost);
    assert_eq!(world.truth(g1).running_on, [host("c")]);
    assert!(!world.truth(g3).lost && world.truth(g2).running_on.is_empty());
    assert_eq!(world.violations(), []);
    assert!(world.others(&fleet("")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_fleet_file_makes_a_world() {
    let text = r#"
        [[host]]
        name = "kvm1"
        memory_mib = 8192
        [[host]]
        name = "kvm2"
        reachable = false
        [[domain]]
        name = "web"
        host = "kvm1"
        state = "paused"
        [[link]]
        between = ["kvm1", "kvm2"]
        bandwidth_mib_s = 100
        [generate]
        hosts = 2
        domains_per_host = 3
    "#;
    let world = World::new(&Fleet::parse(text).unwrap()).unwrap();
    let names: Vec<_> = world.hosts().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["kvm1", "kvm2", "sim1", "sim2"]);
    assert_eq!(world.all_domains().len(), 7);
    assert_eq!(world.truth(world.domain("web").unwrap()).paused_on, [host("kvm1")]);
    assert!(world.host_facts(&host("kvm2"), Depth::default()).await.is_err());
    let all = Depth { volumes: waypost_core::ports::Wanted::Yes, node_devices: waypost_core::ports::Wanted::Yes };
    let facts = world.host_facts(&host("kvm1"), all).await.unwrap();
    let volumes = facts.pools[0].volumes.as_ref().unwrap();
    assert!(volumes.iter().any(|volume| volume.name == "web-vda.qcow2"));
    assert!(facts.node_devices.is_some());
}
