//! `waypost tasks`.

use waypost::api::v1::{Document, TaskBrief, Tasks};

use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, args: &args::Tasks) -> anyhow::Result<Exit> {
    let store = app.store()?;
    let standings = app.standings(&store)?;
    let tasks = store.tasks()?;
    let wanted = tasks.iter().filter(|task| !args.unfinished || task.outcome.is_none());
    let tasks: Vec<TaskBrief> = wanted.map(|task| TaskBrief::new(task, &standings)).collect();
    app.out.table(
        &["task", "domain", "from", "to", "state", "done", "changed"],
        tasks.iter().map(|task| {
            vec![
                task.id.clone(),
                task.domain.clone(),
                task.source.clone().unwrap_or_else(|| "-".into()),
                task.destination.clone(),
                task.state(),
                format!("{}%", task.permille / 10),
                task.updated_at.clone(),
            ]
        }),
    );
    app.out.document(Document::Tasks(Tasks { tasks }));
    Ok(Exit::Done)
}
