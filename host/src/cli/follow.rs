//! Follows a task to its end: drives it here, or observes who drives it, and takes it over if nobody does any more. A task of a
//! service is the service's to drive, and is listened to ([`there`]).

mod there;

pub use there::from_its_beginning;

use std::pin::pin;

use anyhow::bail;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use waypost::api::v1::{self, Document, Sample};
use waypost::service::documents;
use waypost::{Adopted, Driver, Observer, OutcomeKind, Seen, TaskId, View, Waypost};

use super::answers::Mover;
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
pub async fn to_the_end(mover: &Mover, out: Out, id: TaskId, interrupt: Interrupt) -> anyhow::Result<Exit> {
    let waypost = match mover {
        Mover::Here(waypost) => waypost,
        Mover::There(client) => return there::to_the_end(client, out, id, interrupt).await,
    };
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
    outcome.map_err(|error| {
        anyhow::Error::new(error).context(format!(
            "task {id} can't be driven any further; the domain is left as it is, `waypost watch {id}` takes the task up again"
        ))
    })?;
    ended(out, recorded(waypost, id)?)
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
        Seen::Over(_) => ended(out, recorded(waypost, id)?).map(Some),
        Seen::Orphaned(_) | Seen::Going(_) => Ok(None),
    }
}

/// What is on record of it; its plan is told in no words here.
fn recorded(waypost: &Waypost, id: TaskId) -> anyhow::Result<v1::Task> {
    Ok(documents::task(waypost.store().as_ref(), id, |_, _| Vec::new())?)
}

/// Tells the end: where the domain is, the final figures, what to do.
fn ended(out: Out, task: v1::Task) -> anyhow::Result<Exit> {
    let id = task.id.clone();
    let Some(ended) = task.ended() else { bail!("task {id} is not over: waypost watch {id} follows it") };
    let outcome = &ended.outcome;
    let kind = OutcomeKind::parse(&outcome.kind);
    // Refused and failed before anything was known of the domain: there is no guest to call safe.
    let exit = match kind {
        Some(OutcomeKind::RolledBack) if ended.verdict.is_none() && ended.plan.is_none() => Exit::Error,
        Some(kind) => Exit::of_outcome(kind),
        // A service that is newer than this program: its words say what it is.
        None => Exit::Error,
    };
    let tone = match kind {
        Some(OutcomeKind::Completed) => Tone::Good,
        Some(OutcomeKind::Cancelled) => Tone::Warn,
        _ => Tone::Bad,
    };
    // Some summaries begin with the word already.
    match outcome.summary.strip_prefix(&outcome.kind) {
        Some(rest) => out.line(format!("{}{rest}", out.tone(tone, &outcome.kind))),
        None => out.line(format!("{}: {}", out.tone(tone, &outcome.kind), outcome.summary)),
    }
    for cause in outcome.causes.iter().filter(|cause| !outcome.summary.contains(cause.as_str())) {
        out.line(format!("  cause: {cause}"));
    }
    if let Some(remedy) = &outcome.remedy {
        out.line(format!("  remedy: {remedy}"));
    }
    if kind == Some(OutcomeKind::Completed) {
        out.line(format!("  {}", summary(ended.total_ms, ended.figures.as_ref())));
    }
    out.document(Document::Ended(Box::new(ended)));
    Ok(exit)
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

/// From here on an interrupt ends nothing by itself.
pub fn interrupts() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::interrupt())?)
}
