//! Follows a task to its end: drives it here, or observes who drives it, and takes it over if nobody does any more.

use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use waypost::api::v1;
use waypost::core::journal::Record;
use waypost::core::outcome::Outcome;
use waypost::core::sample::Sample;
use waypost::{Adopted, Driver, Observer, OutcomeKind, Seen, TaskId, View, Waypost};

use super::exit::Exit;
use super::output::{Out, Tone, bytes, duration};
use super::report::Reporter;

/// What an interrupt means to whoever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// The first cancels, the second leaves.
    Cancels,
    /// It leaves; the task goes on.
    Leaves,
}

/// Follows a task to its end, whoever drives it. Answers the exit status.
pub async fn to_the_end(waypost: &Waypost, out: Out, id: TaskId, interrupt: Interrupt) -> anyhow::Result<Exit> {
    loop {
        match waypost.engine().adopt(id)? {
            Adopted::Driver(driver) => {
                out.note(format!("task {id} is driven from here"));
                return drive(waypost, out, *driver, interrupt).await;
            }
            Adopted::Observer(observer) => {
                if let Some(exit) = observe(waypost, out, &observer).await? {
                    return Ok(exit);
                }
                out.note(format!("whoever drove task {id} is gone; taking over"));
            }
        }
    }
}

/// Drives a task in this process.
pub async fn drive(waypost: &Waypost, out: Out, driver: Driver, interrupt: Interrupt) -> anyhow::Result<Exit> {
    let id = driver.id();
    let requester = waypost::config::user_name();
    let cancel = driver.cancel_handle();
    let mut views = driver.views();
    let mut reporter = Reporter::new(out);
    let mut interrupts = interrupts()?;
    let mut cancelled = false;
    reporter.view(&views.borrow_and_update());
    let mut driving = pin!(driver.drive());
    let outcome = loop {
        tokio::select! {
            biased;
            _ = interrupts.recv() => {
                if cancelled || interrupt == Interrupt::Leaves {
                    reporter.finish();
                    out.note(format!("left; the task is not over, and a transfer that runs goes on: waypost watch {id}"));
                    return Ok(Exit::Error);
                }
                cancelled = true;
                cancel.cancel(&requester);
                reporter.say("cancelling; a second interrupt leaves the transfer running");
            }
            Ok(()) = views.changed() => reporter.view(&views.borrow_and_update()),
            outcome = &mut driving => break outcome,
        }
    };
    reporter.view(&views.borrow_and_update());
    reporter.finish();
    let outcome = outcome.map_err(|error| {
        anyhow::Error::new(error).context(format!(
            "task {id} can't be driven any further; the domain is left as it is, `waypost watch {id}` takes the task up again"
        ))
    })?;
    let last = views.borrow().clone();
    ended(waypost, out, &last, &outcome)
}

/// Observes until the end, or until nobody drives any more (none).
async fn observe(waypost: &Waypost, out: Out, observer: &Observer) -> anyhow::Result<Option<Exit>> {
    let id = observer.id();
    let mut reporter = Reporter::new(out);
    let mut interrupts = interrupts()?;
    let (sender, mut views) = watch::channel::<Option<View>>(None);
    let mut following = pin!(observer.follow(&sender));
    let seen = loop {
        tokio::select! {
            biased;
            _ = interrupts.recv() => {
                reporter.finish();
                out.note(format!("left; the task goes on: waypost watch {id}, waypost cancel {id}"));
                return Ok(Some(Exit::Error));
            }
            Ok(()) = views.changed() => {
                if let Some(view) = &*views.borrow_and_update() {
                    reporter.view(view);
                }
            }
            seen = &mut following => break seen?,
        }
    };
    reporter.finish();
    match seen {
        Seen::Over(view) => match &view.outcome {
            Some(outcome) => ended(waypost, out, &view, outcome).map(Some),
            None => Ok(None),
        },
        Seen::Orphaned(_) | Seen::Going(_) => Ok(None),
    }
}

/// Tells the end: where the domain is, the final figures, what to do.
fn ended(waypost: &Waypost, out: Out, view: &View, outcome: &Outcome) -> anyhow::Result<Exit> {
    // Refused and failed before anything was known of the domain: there is no guest to call safe.
    let exit = match outcome.kind {
        OutcomeKind::RolledBack if view.verdict.is_none() && view.plan.is_none() => Exit::Error,
        kind => Exit::of_outcome(kind),
    };
    let tone = match outcome.kind {
        OutcomeKind::Completed => Tone::Good,
        OutcomeKind::Cancelled => Tone::Warn,
        _ => Tone::Bad,
    };
    // Some summaries begin with the word already.
    let kind = outcome.kind.as_str();
    match outcome.summary.strip_prefix(kind) {
        Some(rest) => out.line(format!("{}{rest}", out.tone(tone, kind))),
        None => out.line(format!("{}: {}", out.tone(tone, kind), outcome.summary)),
    }
    for cause in outcome.causes.iter().filter(|cause| !outcome.summary.contains(cause.as_str())) {
        out.line(format!("  cause: {cause}"));
    }
    if let Some(remedy) = &outcome.remedy {
        out.line(format!("  remedy: {remedy}"));
    }
    let figures = view.sample.as_ref().filter(|_| outcome.kind == OutcomeKind::Completed);
    let total_ms = total_ms(waypost, view.task)?;
    if outcome.kind == OutcomeKind::Completed {
        out.line(format!("  {}", summary(total_ms, figures)));
    }
    out.document(v1::Document::Ended(Box::new(v1::Ended {
        task: view.task.to_string(),
        outcome: v1::Outcome::from(outcome),
        verdict: view.verdict.as_ref().map(v1::Verdict::from),
        plan: view.plan.as_ref().map(v1::Plan::from),
        figures: figures.map(v1::Sample::from),
        total_ms,
    })));
    Ok(exit)
}

/// From the first record to the last.
fn total_ms(waypost: &Waypost, id: TaskId) -> anyhow::Result<u64> {
    let journal = waypost.store().journal(id)?;
    let ended = journal.iter().rev().find(|(_, record)| matches!(record, Record::Ended { .. })).map(|(at, _)| at.0);
    let began = journal.first().map_or(0, |(at, _)| at.0);
    Ok(ended.unwrap_or(began).saturating_sub(began))
}

fn summary(total_ms: u64, figures: Option<&Sample>) -> String {
    let mut parts = vec![format!("total time {}", duration(total_ms))];
    if let Some(sample) = figures {
        parts.push(format!("transfer {}", duration(sample.elapsed_ms)));
        parts.extend(sample.downtime_ms.map(|ms| format!("downtime {}", duration(ms))));
        parts.push(format!("{} sent", bytes(sample.processed_bytes)));
        parts.extend(
            sample.iteration.map(|pass| if pass == 1 { "1 pass".to_owned() } else { format!("{pass} passes") }),
        );
    }
    parts.join(", ")
}

fn interrupts() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::interrupt())?)
}
