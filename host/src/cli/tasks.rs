//! `waypost tasks`.

use waypost::api::v1::Document;
use waypost::service::client::Which;

use super::answers::Answers;
use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, args: &args::Tasks) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    let which = if args.unfinished { Which::Unfinished } else { Which::All };
    let told = answers.block_on(async { answers.tasks(which).await })?;
    app.out.table(
        &["task", "domain", "from", "to", "state", "done", "changed"],
        told.tasks.iter().map(|task| {
            vec![
                task.id.clone(),
                task.domain.clone(),
                task.source.clone().unwrap_or_else(|| "-".into()),
                task.destination.clone(),
                task.state(),
                format!("{}%", task.progress.whole()),
                task.updated_at.clone(),
            ]
        }),
    );
    app.out.document(Document::Tasks(told));
    Ok(Exit::Done)
}
