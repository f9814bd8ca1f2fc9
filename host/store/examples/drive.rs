//! A process that drives one task until it is told to stop or is killed: what the tests of locks and of durability
//! start, and kill. Usage: `drive FOLDER TASK hold|append`; it says on its output what it has done.

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use waypost_core::ids::{Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::ports::Store as _;
use waypost_store::SqliteStore;

fn main() -> ExitCode {
    match drive() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn drive() -> Result<(), Box<dyn std::error::Error>> {
    let [folder, task, what] =
        <[String; 3]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()).map_err(|_| "drive FOLDER TASK WHAT")?;
    let task: TaskId = task.parse()?;
    let store = SqliteStore::open(&PathBuf::from(folder))?;
    let Some(_lock) = store.lock(task)? else {
        say("refused")?;
        return Ok(());
    };
    say("held")?;
    if what == "append" {
        for number in 0u64.. {
            store.append(task, Moment(number), &Record::CancelRequested { requester: number.to_string() })?;
            say(&number.to_string())?;
        }
    }
    // Until the other end of the pipe is closed.
    std::io::stdin().lock().lines().for_each(drop);
    Ok(())
}

fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")?;
    out.flush()
}
