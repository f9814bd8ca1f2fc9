//! `waypost hosts`.

use waypost::api::v1::{Document, Host};

use super::answers::Answers;
use super::app::App;
use super::exit::Exit;
use super::output::bytes;

pub fn run(app: &App) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    let told = answers.block_on(async { answers.hosts().await })?;
    let header = ["host", "hypervisor", "libvirt", "arch", "cpus", "memory", "free", "domains", "uri"];
    app.out.table(&header, told.hosts.iter().filter(|host| host.error.is_none()).map(row));
    for host in &told.hosts {
        if let Some(error) = &host.error {
            app.out.note(format!("{}: {error}", host.name));
            host.remedy.iter().for_each(|advice| app.out.note(format!("  remedy: {advice}")));
        }
    }
    let exit = if told.hosts.iter().any(|host| host.error.is_some()) { Exit::Error } else { Exit::Done };
    app.out.document(Document::Hosts(told));
    Ok(exit)
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
