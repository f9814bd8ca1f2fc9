//! `waypost domains`.

use waypost::HostName;
use waypost::api::v1::{Document, Domains};
use waypost::service::documents;

use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, args: &args::Domains) -> anyhow::Result<Exit> {
    let world = app.world();
    app.block_on(&world, async {
        let hypervisor = app.hosts(&world)?;
        let known = hypervisor.hosts();
        let asked = match &args.host {
            None => known,
            Some(name) => vec![known.iter().find(|host| host.as_str() == name).cloned().ok_or_else(|| {
                let there: Vec<_> = known.iter().map(HostName::as_str).collect();
                anyhow::anyhow!("there is no host {name} in the configuration; it has: {}", there.join(", "))
            })?],
        };
        let Domains { domains, unread } = documents::domains(hypervisor.as_ref(), asked).await;
        app.out.table(
            &["domain", "host", "state", "defined", "uuid"],
            domains.iter().map(|domain| {
                let defined = if domain.persistent { "yes" } else { "no" };
                vec![domain.name.clone(), domain.host.clone(), domain.state.clone(), defined.into(), domain.id.clone()]
            }),
        );
        for host in &unread {
            app.out.note(format!("{}: {}", host.name, host.error.as_deref().unwrap_or_default()));
        }
        let exit = if unread.is_empty() { Exit::Done } else { Exit::Error };
        app.out.document(Document::Domains(Domains { domains, unread }));
        Ok(exit)
    })
}
