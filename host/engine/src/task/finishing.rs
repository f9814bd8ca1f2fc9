//! libvirt says that it moved. Verified on both sides, then tidied up: one definition, autostart as it was.

use tokio::time::Instant;
use waypost_core::facts::DomainState;
use waypost_core::journal::{FinishStep, Record};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::{Autostart, Before, DestinationFate, End, Plan, SourceFate, TransferMode};
use waypost_core::ports::{Command, Events, HostEvent};
use waypost_core::sample::Sample;
use waypost_core::situation::{Action, Side, Situation, Standing, arrived, permitted};

use super::recovering::Locating;
use super::{Stage, Task, notice, tell, ticker};
use crate::error::EngineError;

/// The call returned without an error.
pub(crate) struct Finishing {
    pub(super) task: Task,
    pub(super) plan: Plan,
    /// What the end of the job said, if that was heard already.
    pub(super) figures: Option<Sample>,
    /// Where it may still be heard.
    pub(super) events: Option<Box<dyn Events>>,
}

impl Finishing {
    pub(super) async fn finish(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan, figures, mut events } = self;
        task.recorder.note("verifying on both hosts");
        let situation = match verify(&mut task, &plan).await? {
            Ok(situation) => situation,
            Err(why) => {
                task.record(Record::Doubted { why })?;
                return Ok(Stage::Locating(Locating { task, plan }));
            }
        };
        let figures = match figures {
            None if plan.mode == TransferMode::Live => final_figures(&task, &plan, &mut events).await,
            figures => figures,
        };
        if let Some(sample) = figures.clone() {
            task.recorder.reading(sample);
        }
        let situation = match tidy_up(&mut task, &plan, situation).await? {
            Ok(situation) => situation,
            Err(why) => {
                task.record(Record::Doubted { why })?;
                return Ok(Stage::Locating(Locating { task, plan }));
            }
        };
        // A wish that came too late to be met is answered all the same.
        task.note_cancel()?;
        let outcome = completed(&task, &plan, &situation, figures.as_ref());
        task.end(outcome)
    }
}

/// Looks until both sides show a finished migration. The source's daemon may need a moment to forget the domain.
async fn verify(task: &mut Task, plan: &Plan) -> Result<Result<Situation, String>, EngineError> {
    let since = Instant::now();
    let mut tick = ticker(task.ports().settings().look_every);
    let mut looks = 0_u32;
    loop {
        let situation = task.look(plan).await;
        if arrived(plan, &situation) || overwritten(plan, &situation) {
            return Ok(Ok(situation));
        }
        looks += 1;
        // A side that answers must show the truth soon; one that doesn't gets the patience of the settings.
        if (!situation.is_dark() && looks >= 10) || since.elapsed() >= task.ports().settings().patience {
            return Ok(Err(format!(
                "libvirt reported success, but {}; {}",
                tell::side(&situation.source, &plan.source.host),
                tell::side(&situation.destination, &plan.destination.host)
            )));
        }
        tick.tick().await;
    }
}

/// Both sides can tell them after a pre-copy; of a transient domain the source knows nothing any more. Where neither
/// answers, the event may be a moment late.
async fn final_figures(task: &Task, plan: &Plan, events: &mut Option<Box<dyn Events>>) -> Option<Sample> {
    let hypervisor = &task.ports().hypervisor;
    for host in [&plan.destination.host, &plan.source.host] {
        if let Ok(Some(sample)) = hypervisor.final_sample(host, plan.domain).await {
            return Some(sample);
        }
    }
    let stream = events.as_mut()?;
    let heard = async {
        while let Some(event) = stream.next().await {
            if let HostEvent::JobCompleted { domain, sample } = event
                && domain == plan.domain
            {
                return Some(sample);
            }
        }
        None
    };
    tokio::time::timeout(LATE_EVENT, heard).await.ok().flatten()
}

const LATE_EVENT: std::time::Duration = std::time::Duration::from_millis(50);

/// A definition that was written over an older one of the same domain, while the source keeps its own: before and after
/// look the same, so the hosts can't prove it. That this phase was reached does: libvirt has said that it did it.
fn overwritten(plan: &Plan, situation: &Situation) -> bool {
    let defined = |side: &Side, end: &End| match side {
        Side::Present(seen) => {
            let planned = end.uuid.is_none() || seen.host.is_none() || end.uuid == seen.host;
            planned && seen.state == DomainState::ShutOff && seen.persistent && !seen.job
        }
        Side::Absent { .. } | Side::Unknown(_) => false,
    };
    plan.mode == TransferMode::Offline
        && plan.source_fate == SourceFate::KeepWithoutAutostart
        && plan.destination_before == Before::Defined
        && defined(&situation.source, &plan.source)
        && defined(&situation.destination, &plan.destination)
}

/// What is left to do after a verified arrival; the same when it was recovery that found the domain arrived. Answers what
/// both sides show afterwards, or that it isn't there any more: what is reported is what was seen last.
pub(super) async fn tidy_up(
    task: &mut Task,
    plan: &Plan,
    situation: Situation,
) -> Result<Result<Situation, String>, EngineError> {
    if matches!(&situation.destination, Side::Present(there) if there.state.is_active()) {
        notice::clear(task, plan).await;
    }
    let steps = steps(plan, &situation);
    if steps.is_empty() {
        return Ok(Ok(situation));
    }
    for step in steps {
        task.record(Record::FinishIntended { step })?;
        let result = apply(task, plan, step).await;
        task.record(Record::FinishSettled { step, result })?;
    }
    let now = task.look(plan).await;
    let there = arrived(plan, &now) || overwritten(plan, &now);
    if there || permitted(plan, &now).contains(&Action::AcceptDestination) {
        return Ok(Ok(now));
    }
    // A side that can't be asked any more takes nothing from what was verified.
    if now.is_dark() {
        return Ok(Ok(situation));
    }
    Ok(Err(format!(
        "it had arrived, but now: {}; {}",
        tell::side(&now.source, &plan.source.host),
        tell::side(&now.destination, &plan.destination.host)
    )))
}

fn steps(plan: &Plan, situation: &Situation) -> Vec<FinishStep> {
    let mut steps = Vec::new();
    if let Side::Present(there) = &situation.destination
        && there.persistent
        && plan.destination_fate == DestinationFate::Define
        && there.autostart != (plan.autostart == Autostart::On)
    {
        steps.push(FinishStep::SetAutostart);
    }
    if let Side::Present(here) = &situation.source
        && here.persistent
    {
        // Where the domain is off over there, the definition here will stay; it must not start with its host.
        let stays = !matches!(&situation.destination, Side::Present(there) if there.state.is_active());
        if stays && here.autostart && plan.mode == TransferMode::Live && plan.source_fate == SourceFate::Undefine {
            steps.push(FinishStep::ClearSourceAutostart);
        }
        match plan.source_fate {
            SourceFate::Undefine => steps.push(FinishStep::UndefineSource),
            SourceFate::KeepWithoutAutostart if here.autostart => steps.push(FinishStep::ClearSourceAutostart),
            SourceFate::KeepWithoutAutostart | SourceFate::None => {}
        }
    }
    steps
}

async fn apply(task: &mut Task, plan: &Plan, step: FinishStep) -> Result<(), String> {
    let mut expected = None;
    let (host, command) = match step {
        FinishStep::SetAutostart => (&plan.destination.host, Command::SetAutostart(plan.autostart)),
        FinishStep::ClearSourceAutostart => (&plan.source.host, Command::SetAutostart(Autostart::Off)),
        FinishStep::UndefineSource => {
            // Destructive: both sides once more, right before. A definition must be left on the destination.
            let now = task.look(plan).await;
            let defined = matches!(&now.destination, Side::Present(there) if there.persistent);
            if !defined {
                return Err("undefine-source: the destination no longer shows a defined domain".into());
            }
            if !arrived(plan, &now) {
                return Err(
                    "undefine-source: it stays, because the domain is not seen to run on the destination".into()
                );
            }
            expected = Standing::of(&now.source, &plan.source);
            if expected.is_none() {
                return Err("undefine-source: the source no longer shows a domain".into());
            }
            (&plan.source.host, Command::Undefine)
        }
    };
    let ordered = task.ports().hypervisor.command_if(host, plan.domain, command, expected.as_ref());
    ordered.await.map_err(|fault| fault.to_string())
}

/// The outcome of a verified arrival.
pub(super) fn completed(task: &Task, plan: &Plan, situation: &Situation, figures: Option<&Sample>) -> Outcome {
    let course = &task.recorder.course;
    let mut summary = tell::arrived(plan, situation);
    if let Some(ms) = figures.and_then(|f| f.downtime_ms) {
        summary.push_str(&format!(" (downtime {ms} ms)"));
    }
    if course.attempt > 1 {
        summary.push_str(&format!(", on attempt {}", course.attempt));
    }
    if task.recorder.history.done().iter().any(|deed| deed.action == Action::ResumePostCopy) {
        summary.push_str("; its post-copy broke and was resumed");
    }
    summary.extend(tell::kept_images(plan));
    summary.extend(tell::kept_variables(plan));
    let others: Vec<_> = course.tried.iter().filter(|host| **host != plan.destination.host).cloned().collect();
    summary.extend(tell::state_left(plan, &others).map(|state| format!("; {state}")));
    if course.cancel_requested {
        summary.push_str("; the request to cancel came too late");
    }
    let remedy =
        (!course.causes.is_empty()).then(|| "look at the causes: the domain moved, but not all was tidied up".into());
    Outcome { kind: OutcomeKind::Completed, summary, causes: course.causes.clone(), remedy }
}
