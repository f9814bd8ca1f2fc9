//! `waypost state`: backup, restore and pruning of what is on record.

use waypost::api::v1::{Backup, Document, Pruned, Restored};
use waypost::state::{self, Loss};
use waypost::wiring;

use super::app::App;
use super::args::State;
use super::exit::Exit;
use super::output::bytes;

pub fn run(app: &App, command: State) -> anyhow::Result<Exit> {
    let folder = wiring::state_folder(&app.config()?, &app.world());
    match command {
        State::Backup { file } => {
            let file = std::path::absolute(file)?;
            let made = state::backup(&folder, &file)?;
            let (file, size) = (file.display().to_string(), bytes(made.bytes));
            app.out.line(format!("{}, in {file} ({size})", tasks(made.tasks, made.unfinished)));
            let state::Backup { bytes, tasks, unfinished, version: schema } = made;
            app.out.document(Document::Backup(Backup { file, bytes, tasks, unfinished, schema }));
        }
        State::Restore { file, force_lose_unfinished } => {
            let loss = if force_lose_unfinished { Loss::Accepted } else { Loss::Refused };
            let state::Restored { tasks: all, unfinished, replaced } = state::restore(&folder, &file, loss)?;
            let replaced = replaced.map(|folder| folder.display().to_string());
            app.out.line(format!("{}, are on record", tasks(all, unfinished)));
            if let Some(replaced) = &replaced {
                app.out.note(format!("what was on record before is in {replaced}"));
            }
            if unfinished > 0 {
                app.out.note("those that are not over are taken over by the service, or by `waypost recover`: both hosts are looked at first");
            }
            let file = file.display().to_string();
            app.out.document(Document::Restored(Restored { file, tasks: all, unfinished, replaced }));
        }
        State::Prune { older_than } => {
            let state::Pruned { tasks, records, facts, kept } = state::prune(&folder, older_than)?;
            app.out.line(format!("{tasks} tasks are forgotten, with {records} records and {facts} texts of facts"));
            if kept > 0 {
                app.out.note(format!("{kept} more are as old and are kept, because they ended stuck or lost"));
            }
            app.out.document(Document::Pruned(Pruned { tasks, records, facts, kept }));
        }
    }
    Ok(Exit::Done)
}

fn tasks(all: u64, unfinished: u64) -> String {
    format!("{all} tasks, {unfinished} of them not over")
}
