//! `waypost tasks`.

use waypost::api::v1::{Document, TaskBrief, Tasks};

use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, args: &args::Tasks) -> anyhow::Result<Exit> {
    let tasks = app.store()?.tasks()?;
    let tasks: Vec<TaskBrief> =
        tasks.iter().filter(|task| !args.unfinished || task.outcome.is_none()).map(TaskBrief::from).collect();
    app.out.table(
        &["task", "domain", "from", "to", "state", "done", "changed"],
        tasks.iter().map(|task| {
            vec![
                task.id.clone(),
                task.domain.clone(),
                task.source.clone().unwrap_or_else(|| "-".into()),
                task.destination.clone(),
                task.outcome.clone().unwrap_or_else(|| task.phase.clone()),
                format!("{}%", task.permille / 10),
                task.updated_at.clone(),
            ]
        }),
    );
    app.out.document(Document::Tasks(Tasks { tasks }));
    Ok(Exit::Done)
}
