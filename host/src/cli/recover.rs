//! `waypost recover`: unfinished tasks are listed, or one is taken over and brought to its end; a task that ended stuck
//! is looked at again.

use anyhow::bail;
use waypost::TaskId;
use waypost::api::v1::{Document, Look, TaskBrief, Tasks};
use waypost::core::ids::Moment;
use waypost::core::journal::Record;
use waypost::core::situation::{Action, why};
use waypost::wiring::Watching;
use waypost::{Acted, Adopted, Looked, Order, Waypost};

use super::app::App;
use super::args;
use super::exit::Exit;
use super::follow::{self, Interrupt};
use super::output::Out;
use super::task;

pub fn run(app: &App, args: args::Recover) -> anyhow::Result<Exit> {
    let args::Recover { id, action, network } = args;
    let world = app.world();
    app.block_on(&world, async {
        let waypost = app.open(&world, Watching::Off).await?;
        match (id, action) {
            (None, _) => list(app, &waypost).await,
            (Some(id), None) => one(app.out, &waypost, id).await,
            (Some(id), Some(action)) => act(app.out, &waypost, id, Order { action, network }).await,
        }
    })
}

/// What a killed controller may have left: tasks, and volumes of the storage probe.
async fn list(app: &App, waypost: &Waypost) -> anyhow::Result<Exit> {
    let left = waypost.engine().sweep_probes().await?;
    for (volume, why) in &left {
        app.out
            .note(format!("volume {} in pool {} of {} is still there: {why}", volume.volume, volume.pool, volume.host));
    }
    let unfinished: Vec<_> = waypost.store().tasks()?.into_iter().filter(|task| task.outcome.is_none()).collect();
    let standings = waypost.engine().standings()?;
    let (mut rows, mut tasks) = (Vec::new(), Vec::new());
    for brief in &unfinished {
        let shown = TaskBrief::new(brief, &standings);
        // The lock is free if nobody drives; it is given back at once.
        let orphaned = waypost.store().lock(brief.id)?.is_some();
        let who = if orphaned { format!("nobody: waypost recover {}", brief.id) } else { "another process".to_owned() };
        rows.push(vec![
            brief.id.to_string(),
            brief.domain_name.clone(),
            brief.destination.to_string(),
            shown.state(),
            who,
        ]);
        tasks.push(shown);
    }
    if rows.is_empty() {
        app.out.line("no task is unfinished");
    } else {
        app.out.table(&["task", "domain", "to", "state", "driven by"], rows);
    }
    app.out.document(Document::Tasks(Tasks { tasks }));
    Ok(if left.is_empty() { Exit::Done } else { Exit::Error })
}

async fn one(out: Out, waypost: &Waypost, id: TaskId) -> anyhow::Result<Exit> {
    let course = waypost.engine().read(id)?;
    if let Some(outcome) = &course.outcome {
        out.line(format!("task {id} is over: {}: {}", outcome.kind, outcome.summary));
        if !look(out, waypost, id).await? {
            bail!("task {id} never had a plan, so there is nothing to look at");
        }
        return Ok(Exit::Done);
    }
    look(out, waypost, id).await?;
    let recorded = waypost.store().journal(id)?.len();
    let exit = match waypost.engine().adopt(id)? {
        Adopted::Driver(driver) => follow::drive(waypost, out, *driver, Interrupt::Leaves).await?,
        Adopted::Observer(_) => bail!("another process drives task {id}: waypost watch {id} follows it"),
    };
    out.line("what was seen and done:");
    for (at, record) in waypost.store().journal(id)?.iter().skip(recorded) {
        out.line(format!("  {}  {}", waypost::api::time::clock(*at), task::sentence(record)));
    }
    Ok(exit)
}

/// One action by a person, and what both sides show after it.
async fn act(out: Out, waypost: &Waypost, id: TaskId, order: Order) -> anyhow::Result<Exit> {
    let action = order.action;
    let recorded = waypost.store().journal(id)?.len();
    let by = waypost::config::user_name();
    let exit = match waypost.engine().act(id, order, &by).await? {
        // Its end is told as any other, by whoever follows a task.
        Acted::Ended(_) => follow::to_the_end(waypost, out, id, Interrupt::Leaves).await?,
        Acted::Open(seen) => {
            tell(out, id, &seen);
            let failed = failure_of(action, &waypost.store().journal(id)?[recorded..]);
            if let Some(why) = &failed {
                out.note(format!("{action} failed: {why}"));
            }
            out.line(format!("the task is open: waypost recover {id} lets the recovery policy go on"));
            if failed.is_some() { Exit::Error } else { Exit::Done }
        }
        Acted::Driver(driver) => follow::drive(waypost, out, *driver, Interrupt::Leaves).await?,
    };
    out.line("what was seen and done:");
    for (at, record) in waypost.store().journal(id)?.iter().skip(recorded) {
        out.line(format!("  {}  {}", waypost::api::time::clock(*at), task::sentence(record)));
    }
    Ok(exit)
}

/// Why the action came to nothing, if it did.
fn failure_of(action: Action, journal: &[(Moment, Record)]) -> Option<String> {
    journal.iter().rev().find_map(|(_, record)| match record {
        Record::ActionDone { action: done, result } if *done == action => Some(result.clone().err()),
        _ => None,
    })?
}

fn tell(out: Out, id: TaskId, Looked { situation, permitted, networks, .. }: &Looked) {
    let words: Vec<_> = permitted.iter().copied().map(Action::as_str).collect();
    let words = if words.is_empty() { "nothing: the task is over".to_owned() } else { words.join(", ") };
    out.line(format!("permitted: {words}"));
    for action in permitted {
        out.line(format!("  {action}: {}", action.meaning()));
    }
    if let Some(next) = networks.first() {
        out.line(format!("  over {} (--network NAME); without it over {next}", networks.join(", ")));
    }
    out.document(Document::Look(Look::new(id, situation, permitted, networks)));
}

/// Both sides now, and what they and the task's past permit. Nothing is done. Answers whether there was anything to look at.
async fn look(out: Out, waypost: &Waypost, id: TaskId) -> anyhow::Result<bool> {
    let Some(seen) = waypost.engine().look(id).await? else {
        return Ok(false);
    };
    let Looked { plan, situation, permitted, withheld, .. } = &seen;
    out.line(format!("on {} (source): {}", plan.source.host, task::side(&situation.source)));
    out.line(format!("on {} (destination): {}", plan.destination.host, task::side(&situation.destination)));
    if !permitted.is_empty() {
        out.line(format!("so: {}", why(plan, situation)));
    }
    tell(out, id, &seen);
    for (action, why) in withheld {
        out.line(format!("withheld: {action}, because of the task's past: {why}"));
    }
    Ok(true)
}
