//! `waypost domains`.

use waypost::api::v1::Document;

use super::answers::Answers;
use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, args: &args::Domains) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    let told = answers.block_on(async { answers.domains(args.host.as_deref()).await })?;
    app.out.table(
        &["domain", "host", "state", "defined", "uuid"],
        told.domains.iter().map(|domain| {
            let defined = if domain.persistent { "yes" } else { "no" };
            vec![domain.name.clone(), domain.host.clone(), domain.state.clone(), defined.into(), domain.id.clone()]
        }),
    );
    for host in &told.unread {
        app.out.note(format!("{}: {}", host.name, host.error.as_deref().unwrap_or_default()));
    }
    let exit = if told.unread.is_empty() { Exit::Done } else { Exit::Error };
    app.out.document(Document::Domains(told));
    Ok(exit)
}
