//! `waypost recover`: unfinished tasks are listed, or one is taken over and brought to its end; a task that ended stuck
//! is looked at again, and so is any task of which nothing but a look is asked for. A service drives every task of its own accord, so
//! of it this asks what is seen, and what a person decides.

use anyhow::bail;
use waypost::api::v1::{self, Document, Entry, Look, Situation, TaskBrief};
use waypost::core::situation::Action;
use waypost::service::client::{Client, ClientError, Which};
use waypost::service::documents;
use waypost::{Acted, Adopted, Order, TaskId, Waypost};

use super::answers::{Answers, Mover};
use super::app::App;
use super::args;
use super::exit::Exit;
use super::follow::{self, Interrupt};
use super::output::Out;
use super::task;

pub fn run(app: &App, args: args::Recover) -> anyhow::Result<Exit> {
    let args::Recover { id, action, network, look: only_look } = args;
    let answers = Answers::of(app)?;
    answers.block_on(async {
        let mover = answers.mover().await?;
        match (id, action, &mover) {
            (None, ..) => list(app.out, &answers, &mover).await,
            (Some(id), None, _) => one(app.out, &mover, id, only_look).await,
            (Some(id), Some(action), Mover::Here(waypost)) => {
                act(app.out, &mover, waypost, id, Order { action, network }).await
            }
            (Some(id), Some(action), Mover::There(client)) => {
                let asked = v1::NewAction { action: action.into(), network };
                act_there(app.out, &mover, client, id, (action, &asked)).await
            }
        }
    })
}

/// What a killed controller may have left: tasks, and volumes of the storage probe. A service sweeps these when it is started.
async fn list(out: Out, answers: &Answers<'_>, mover: &Mover) -> anyhow::Result<Exit> {
    let swept = match mover {
        Mover::Here(waypost) => sweep(out, waypost).await?,
        Mover::There(_) => Exit::Done,
    };
    let told = answers.tasks(Which::Unfinished).await?;
    if told.tasks.is_empty() {
        out.line("no task is unfinished");
    } else {
        let row = |task: &TaskBrief| {
            vec![task.id.clone(), task.domain.clone(), task.destination.clone(), task.state(), driver(task)]
        };
        out.table(&["task", "domain", "to", "state", "driven by"], told.tasks.iter().map(row));
    }
    out.document(Document::Tasks(told));
    Ok(swept)
}

/// Who drives a task, and what to do where nobody does.
fn driver(task: &TaskBrief) -> String {
    match task.driven_by.as_deref() {
        Some("service") => "the service".to_owned(),
        Some("process") => "another process".to_owned(),
        Some("nobody") => format!("nobody: waypost recover {}", task.id),
        // A service of another version says it in its own words, or not at all.
        other => other.unwrap_or("-").to_owned(),
    }
}

/// Removes volumes that a killed controller left, and tells of those that stay.
async fn sweep(out: Out, waypost: &Waypost) -> anyhow::Result<Exit> {
    let left = waypost.engine().sweep_probes().await?;
    for (volume, why) in &left {
        out.note(format!("volume {} in pool {} of {} is still there: {why}", volume.volume, volume.pool, volume.host));
    }
    Ok(if left.is_empty() { Exit::Done } else { Exit::Error })
}

/// What is seen of a task; one that is not over is followed to its end, unless it is only to be looked at. That asks for no lock, so
/// it makes no difference who drives it, or whether anybody does.
async fn one(out: Out, mover: &Mover, id: TaskId, only_look: bool) -> anyhow::Result<Exit> {
    let before = mover.records(id).await?;
    let is_over = before.outcome.is_some();
    if let Some(outcome) = &before.outcome {
        out.line(format!("task {id} is over: {}: {}", outcome.kind, outcome.summary));
    }
    match look(mover, id).await? {
        Some(seen) => show_look(out, seen),
        None if is_over => bail!("task {id} never had a plan, so there is nothing to look at"),
        None if only_look => bail!("task {id} has no plan yet, so there is nothing to look at"),
        None => {}
    }
    if is_over || only_look {
        return Ok(Exit::Done);
    }
    let exit = match mover {
        Mover::Here(waypost) => match waypost.engine().adopt(id)? {
            Adopted::Driver(driver) => follow::drive(waypost, out, *driver, Interrupt::Leaves).await?,
            Adopted::Observer(_) => bail!("another process drives task {id}: waypost watch {id} follows it"),
        },
        Mover::There(_) => follow::to_the_end(mover, out, id, Interrupt::Leaves).await?,
    };
    task::show_records(out, &mover.records(id).await?.journal, before.journal.len());
    Ok(exit)
}

/// One action by a person, and what both sides show after it.
async fn act(out: Out, mover: &Mover, waypost: &Waypost, id: TaskId, order: Order) -> anyhow::Result<Exit> {
    let action = order.action;
    let before = mover.records(id).await?.journal.len();
    let by = waypost::config::user_name();
    let exit = match waypost.engine().act(id, order, &by).await? {
        // Its end is told as any other, by whoever follows a task.
        Acted::Ended(_) => follow::to_the_end(mover, out, id, Interrupt::Leaves).await?,
        Acted::Open(seen) => {
            tell(out, documents::situation(id, &seen));
            open(out, id, action, &mover.records(id).await?.journal[before..])
        }
        Acted::Driver(driver) => follow::drive(waypost, out, *driver, Interrupt::Leaves).await?,
    };
    task::show_records(out, &mover.records(id).await?.journal, before);
    Ok(exit)
}

/// The same by a service, which goes on at once with a task that is not over after it: so the task is followed to its end, and
/// how far the service has come meanwhile makes no difference to what is said here.
async fn act_there(
    out: Out,
    mover: &Mover,
    client: &Client,
    id: TaskId,
    (action, asked): (Action, &v1::NewAction),
) -> anyhow::Result<Exit> {
    let before = client.records(id).await?.journal.len();
    client.act(id, asked).await?;
    let journal = client.records(id).await?.journal;
    if let Some(why) = failure_of(action, journal.get(before..).unwrap_or_default()) {
        out.note(format!("{action} failed: {why}"));
    }
    let exit = follow::to_the_end(mover, out, id, Interrupt::Leaves).await?;
    task::show_records(out, &client.records(id).await?.journal, before);
    Ok(exit)
}

/// A task that is not over after the action.
fn open(out: Out, id: TaskId, action: Action, since: &[Entry]) -> Exit {
    let failed = failure_of(action, since);
    if let Some(why) = &failed {
        out.note(format!("{action} failed: {why}"));
    }
    out.line(format!("the task is open: waypost recover {id} lets the recovery policy go on"));
    if failed.is_some() { Exit::Error } else { Exit::Done }
}

/// Why the action came to nothing, if it did.
fn failure_of(action: Action, journal: &[Entry]) -> Option<String> {
    let is = |entry: &&Entry| {
        entry.record == "action-done" && entry.details.get("action").is_some_and(|done| done == action.as_str())
    };
    // The first: a service's policy may have done the same since.
    let done = journal.iter().find(is)?;
    done.details.get("error")?.as_str().map(str::to_owned)
}

/// What both sides say, and what that permits.
fn tell(out: Out, seen: Situation) {
    let Situation { permitted, networks, .. } = &seen;
    let words = if permitted.is_empty() { "nothing: the task is over".to_owned() } else { permitted.join(", ") };
    out.line(format!("permitted: {words}"));
    for action in permitted {
        // One that is not known yet has a name and no meaning here.
        match Action::parse(action) {
            Some(known) => out.line(format!("  {action}: {}", known.meaning())),
            None => out.line(format!("  {action}")),
        }
    }
    if let Some(next) = networks.first() {
        out.line(format!("  over {} (--network NAME); without it over {next}", networks.join(", ")));
    }
    out.document(Document::Look(Look::from(&seen)));
}

/// Both sides now, and what they and the task's past permit. Nothing is done. None where there is nothing to look at.
async fn look(mover: &Mover, id: TaskId) -> anyhow::Result<Option<Situation>> {
    match mover {
        Mover::Here(waypost) => Ok(waypost.engine().look(id).await?.map(|seen| documents::situation(id, &seen))),
        Mover::There(client) => match client.situation(id).await {
            Err(error @ ClientError::Problem { .. }) if error.code() == Some("nothing-to-look-at") => Ok(None),
            answer => Ok(Some(answer?)),
        },
    }
}

fn show_look(out: Out, seen: Situation) {
    out.line(format!("on {} (source): {}", seen.source_host, seen.source));
    out.line(format!("on {} (destination): {}", seen.destination_host, seen.destination));
    if !seen.permitted.is_empty() {
        out.line(format!("so: {}", seen.why));
    }
    let withheld = seen.withheld.clone();
    tell(out, seen);
    for v1::Withheld { action, why } in withheld {
        out.line(format!("withheld: {action}, because of the task's past: {why}"));
    }
}
