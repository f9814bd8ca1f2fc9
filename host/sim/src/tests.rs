//! The simulator against what was measured of libvirt, and its oracle against wrong controllers.

mod direct;
mod failures;
mod fleets;
mod login;
mod migration;
mod oracle;
mod traps;

use waypost_core::facts::{Candidate, DomainFacts, Snapshot};
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment};
use waypost_core::plan::Plan;
use waypost_core::ports::{Depth, Events, Fault, HostEvent, Hypervisor};
use waypost_core::request::Options;

use crate::{DomainSpec, Fleet, HostSpec, World};

fn host(name: &str) -> HostName {
    HostName::new(name)
}

/// Two hosts, and the given domain on the first.
fn pair_with(domain: DomainSpec) -> (World, DomainId) {
    let domain = DomainSpec { name: "g1".into(), host: "a".into(), ..domain };
    let world = World::new(&Fleet::new([HostSpec::named("a"), HostSpec::named("b")], [domain])).unwrap();
    let id = world.domain("g1").unwrap();
    (world, id)
}

fn pair() -> (World, DomainId) {
    pair_with(DomainSpec::default())
}

async fn facts(world: &World, on: &str, id: DomainId) -> DomainFacts {
    world.domain_facts(&host(on), &DomainKey::Id(id)).await.unwrap()
}

/// The plan that the core makes of what the port says.
async fn plan(world: &World, id: DomainId, from: &str, to: &str, options: Options) -> Plan {
    let (source, destination) = (host(from), host(to));
    let domain = facts(world, from, id).await;
    let snapshot = Snapshot {
        taken_at: Moment(0),
        source: world.host_facts(&source, Depth::default()).await.unwrap().into(),
        source_disks: world.disk_views(&source, &domain).await.unwrap(),
        source_disks_again: world.disk_views(&source, &domain).await.unwrap(),
        candidates: vec![Candidate {
            host: world.host_facts(&destination, Depth::default()).await.unwrap().into(),
            pair: world.pair_facts(&destination, &domain).await.unwrap(),
        }],
        domain: domain.into(),
    };
    waypost_core::plan::plan(1, &options, &snapshot, &snapshot.candidates[0]).unwrap()
}

/// From a to b, to its end.
async fn migrate(world: &World, id: DomainId, options: Options) -> Result<(), Fault> {
    let plan = plan(world, id, "a", "b", options).await;
    world.start(&plan).await?.finished().await
}

async fn heard(mut events: Box<dyn Events>) -> Vec<String> {
    let mut words = Vec::new();
    // What was told is there already.
    while let Ok(Some(event)) = tokio::time::timeout(std::time::Duration::ZERO, events.next()).await {
        words.push(match event {
            HostEvent::Lifecycle { event, detail, .. } => format!("{event} {detail}"),
            HostEvent::Iteration { iteration, .. } => format!("iteration {iteration}"),
            HostEvent::JobCompleted { .. } => "job completed".into(),
            HostEvent::Disconnected { .. } => "disconnected".into(),
        });
    }
    words
}
