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
