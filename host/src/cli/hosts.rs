//! `waypost hosts`.

use std::sync::Arc;

use tokio::task::JoinSet;
use waypost::HostName;
use waypost::api::v1::{Document, Host, Hosts};
use waypost::core::facts::HostFacts;
use waypost::core::ports::{Depth, Fault, Hypervisor};
use waypost::remedy;

use super::app::App;
use super::exit::Exit;
use super::output::bytes;

pub fn run(app: &App) -> anyhow::Result<Exit> {
    let world = app.world();
    app.block_on(&world, async {
        let answers = read(&app.hosts(&world)?).await?;
        let hosts: Vec<Host> = answers.iter().map(|(name, answer)| Host::new(name.as_str(), answer)).collect();
        let header = ["host", "hypervisor", "libvirt", "arch", "cpus", "memory", "free", "domains", "uri"];
        app.out.table(&header, hosts.iter().filter(|host| host.error.is_none()).map(row));
        for (name, answer) in &answers {
            if let Err(fault) = answer {
                app.out.note(format!("{name}: {fault}"));
                remedy::of(fault).iter().for_each(|advice| app.out.note(format!("  remedy: {advice}")));
            }
        }
        let exit = if hosts.iter().any(|host| host.error.is_some()) { Exit::Error } else { Exit::Done };
        app.out.document(Document::Hosts(Hosts { hosts }));
        Ok(exit)
    })
}

/// Facts of every host, read at the same time, in the order of the configuration.
async fn read(hypervisor: &Arc<dyn Hypervisor>) -> anyhow::Result<Vec<(HostName, Result<HostFacts, Fault>)>> {
    let mut asking = JoinSet::new();
    for (at, name) in hypervisor.hosts().into_iter().enumerate() {
        let hypervisor = Arc::clone(hypervisor);
        asking.spawn(async move {
            let answer = hypervisor.host_facts(&name, Depth::default()).await;
            (at, name, answer)
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        answers.push(answer?);
    }
    answers.sort_by_key(|(at, ..)| *at);
    Ok(answers.into_iter().map(|(_, name, answer)| (name, answer)).collect())
}

fn row(host: &Host) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let kib = |value: Option<u64>| value.map_or_else(|| "-".into(), |kib| bytes(kib.saturating_mul(1024)));
    let number = |value: Option<u32>| value.map_or_else(|| "-".into(), |n| n.to_string());
    vec![
        host.name.clone(),
        format!("{} {}", text(&host.hypervisor), text(&host.hypervisor_version)),
        text(&host.libvirt_version),
        text(&host.architecture),
        number(host.cpus),
        kib(host.memory_kib),
        kib(host.free_memory_kib),
        format!("{} of {} active", number(host.active_domains), number(host.domains)),
        text(&host.uri),
    ]
}
