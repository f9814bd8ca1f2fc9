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
            let state::Backup { bytes, tasks, unfinished, policies, version: schema } = made;
            app.out.line(format!("{}, in {file} ({size})", contents(tasks, unfinished, Some(policies))));
            app.out.document(Document::Backup(Backup { file, bytes, tasks, unfinished, policies, schema }));
        }
        State::Restore { file, force_lose_unfinished } => {
            let loss = if force_lose_unfinished { Loss::Accepted } else { Loss::Refused };
            let restored = state::restore(&folder, &file, loss)?;
            let state::Restored { tasks, unfinished, queued, policies, replaced } = restored;
            let replaced = replaced.map(|folder| folder.display().to_string());
            app.out.line(format!("{}, are on record", contents(tasks, unfinished, policies)));
            if policies.is_none() {
                app.out.note(
                    "the backup was made by a Waypost that left policies out: those that were uploaded or changed are as they were",
                );
            }
            if let Some(replaced) = &replaced {
                app.out.note(format!("what was on record before is in {replaced}"));
            }
            for word in about_unfinished(unfinished, queued) {
                app.out.note(word);
            }
            let file = file.display().to_string();
            app.out.document(Document::Restored(Restored { file, tasks, unfinished, queued, policies, replaced }));
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

/// What a state consists of; none: nothing is said of policies.
fn contents(tasks: u64, unfinished: u64, policies: Option<u64>) -> String {
    let policies = policies.map(|policies| format!(", and {policies} uploaded or changed policies"));
    format!("{tasks} tasks, {unfinished} of them not over{}", policies.unwrap_or_default())
}

/// What becomes of the tasks of a backup that are not over.
fn about_unfinished(unfinished: u64, queued: u64) -> Vec<String> {
    let mut words = Vec::new();
    if queued > 0 {
        words.push(format!(
            "{queued} of them had not begun when the backup was made. They may have been carried out since, so they are cancelled \
             when they are taken over: ask again for what is still wanted"
        ));
    }
    if unfinished > queued {
        words.push(format!(
            "{} of them had begun. The service takes them over, and so does `waypost recover`: what was made ready for a transfer that \
             had not started is taken back, and for the others both hosts are looked at. Where a policy would try again, they \
             are tried again: `waypost cancel ID` first if that is not wanted",
            unfinished - queued
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_tells_what_becomes_of_each_kind_of_task() {
        assert_eq!(about_unfinished(0, 0), [] as [String; 0]);
        let queued = about_unfinished(2, 2);
        assert!(queued.len() == 1 && queued[0].starts_with("2 of them had not begun"), "{queued:?}");
        let begun = about_unfinished(3, 0);
        assert!(begun.len() == 1 && begun[0].starts_with("3 of them had begun"), "{begun:?}");
        let both = about_unfinished(3, 2);
        assert!(both.len() == 2 && both[1].starts_with("1 of them had begun"), "{both:?}");
    }
}
