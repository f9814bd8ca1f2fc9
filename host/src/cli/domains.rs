//! `waypost domains`.

use std::sync::Arc;

use tokio::task::JoinSet;
use waypost::HostName;
use waypost::api::v1::{Document, Domain, Domains, Host};

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
        let mut asking = JoinSet::new();
        for (at, host) in asked.into_iter().enumerate() {
            let hypervisor = Arc::clone(&hypervisor);
            asking.spawn(async move {
                let answer = hypervisor.domains(&host).await;
                (at, host, answer)
            });
        }
        let mut answers = Vec::new();
        while let Some(answer) = asking.join_next().await {
            answers.push(answer?);
        }
        answers.sort_by_key(|(at, ..)| *at);

        let (mut domains, mut unread) = (Vec::new(), Vec::new());
        for (_, host, answer) in answers {
            match answer {
                Ok(mut briefs) => {
                    briefs.sort_by(|a, b| a.name.cmp(&b.name));
                    domains.extend(briefs.iter().map(|brief| Domain::new(host.as_str(), brief)));
                }
                Err(fault) => unread.push(Host::new(host.as_str(), &Err(fault))),
            }
        }
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
