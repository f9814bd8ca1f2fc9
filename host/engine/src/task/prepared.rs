//! From a plan to the commit point. Every step is journalled before it is done, and everything here can be undone.

use waypost_core::facts::DomainState;
use waypost_core::ids::HostName;
use waypost_core::journal::{Record, Step, StepEnd};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::plan::{Autostart, Before, Plan, RunState, SourceFate, TransferMode};
use waypost_core::ports::{Command, Events};
use waypost_core::situation::{Side, Situation, Standing};

use super::performing::begun;
use super::{Stage, Task, notice, tell, volumes};
use crate::error::EngineError;

/// A plan, and nothing done yet.
pub(crate) struct Planned {
    pub(super) task: Task,
    pub(super) plan: Plan,
}

/// Everything is ready; events of the source are flowing, so that none of the transfer is missed.
pub(crate) struct Prepared {
    task: Task,
    plan: Plan,
    events: Option<Box<dyn Events>>,
}

/// It won't go on: what was made ready is taken back.
pub(crate) struct Abandoned {
    task: Task,
    plan: Plan,
    why: String,
    kind: OutcomeKind,
}

impl Planned {
    pub(super) async fn prepare(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan } = self;
        if task.note_cancel()? {
            return Ok(Stage::Abandoned(Abandoned::cancelled(task, plan)));
        }
        task.recorder.note("preparing");
        let hypervisor = task.ports().hypervisor.clone();
        // Final figures of a transient domain come by event only; without events they are read where that is possible.
        let events = match hypervisor.events(&plan.source.host).await {
            Ok(events) => Some(events),
            Err(fault) => {
                tracing::warn!(%fault, "no events of the source");
                None
            }
        };
        if let (TransferMode::Live, Some(ms)) = (plan.mode, plan.max_downtime_ms) {
            let before_ms = match hypervisor.max_downtime(&plan.source.host, plan.domain).await {
                Ok(before) => before,
                Err(fault) => return Ok(Stage::Abandoned(Abandoned::new(task, plan, fault.to_string()))),
            };
            let step = Step::MaxDowntime { host: plan.source.host.clone(), ms, before_ms };
            if let Err(why) = take(&mut task, &plan, step, Command::SetMaxDowntime { ms }).await? {
                return Ok(Stage::Abandoned(Abandoned::new(task, plan, why)));
            }
        }
        if plan.source_fate == SourceFate::KeepWithoutAutostart
            && let Side::Present(seen) = hypervisor.observe(&plan.source.host, plan.domain).await
            && seen.autostart
        {
            let step = Step::SourceAutostart { host: plan.source.host.clone() };
            if let Err(why) = take(&mut task, &plan, step, Command::SetAutostart(Autostart::Off)).await? {
                return Ok(Stage::Abandoned(Abandoned::new(task, plan, why)));
            }
        }
        // Last, because it is the only step that is worth taking back at once.
        if let Err(why) = volumes::make(&mut task, &plan).await? {
            return Ok(Stage::Abandoned(Abandoned::new(task, plan, why)));
        }
        if task.note_cancel()? {
            return Ok(Stage::Abandoned(Abandoned::cancelled(task, plan)));
        }
        task.record(Record::Prepared)?;
        Ok(Stage::Prepared(Prepared { task, plan, events }))
    }
}

/// Takes one step on the source, between its two records. The inner error is the host's.
async fn take(task: &mut Task, plan: &Plan, step: Step, order: Command) -> Result<Result<(), String>, EngineError> {
    task.record(Record::StepIntended { step: step.clone() })?;
    let done = task.ports().hypervisor.command(&plan.source.host, plan.domain, order).await;
    let done = done.map_err(|fault| fault.to_string());
    task.record(Record::StepSettled { step, result: done.clone().map(|()| StepEnd::Done) })?;
    Ok(done)
}

impl Prepared {
    pub(super) async fn perform(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan, events } = self;
        if task.note_cancel()? {
            return Ok(Stage::Abandoned(Abandoned::cancelled(task, plan)));
        }
        // The facts are some time old. What would make the migration dangerous is looked at once more, right now:
        // libvirt answers 0 to an offline migration of a domain that somebody started meanwhile, and copies nothing.
        let now = task.look(&plan).await;
        if let Err(why) = still_fits(&plan, &now) {
            let why = match notice::others(&task, &plan).await {
                Some(who) => format!("{why}; {who}"),
                None => why,
            };
            return Ok(Stage::Abandoned(Abandoned::new(task, plan, why)));
        }
        task.recorder.note("moving");
        task.record(Record::PerformIntended)?;
        notice::put(&task, &plan).await;
        let call = task.ports().hypervisor.clone().start(&plan).await;
        begun(task, plan, call, events).await
    }
}

impl Abandoned {
    pub(super) fn new(task: Task, plan: Plan, why: impl Into<String>) -> Self {
        Self { task, plan, why: why.into(), kind: OutcomeKind::RolledBack }
    }

    fn cancelled(task: Task, plan: Plan) -> Self {
        Self { task, plan, why: "cancelled before the transfer began".into(), kind: OutcomeKind::Cancelled }
    }

    /// Takes back what was made ready, newest first. What can't be taken back is told, and where the domain is once that is done.
    pub(super) async fn roll_back(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan, why, kind } = self;
        let Undone { left, .. } = undo(&mut task, &plan).await?;
        let source = task.ports().hypervisor.observe(&plan.source.host, plan.domain).await;
        let course = &task.recorder.course;
        let summary = format!("{why}; {}", tell::never_moved(&plan, &source, &left, course));
        let remedy = tell::both_of(remedy_for(&left), tell::state_left_before(course));
        task.end_untouched(kind, summary, remedy)
    }
}

/// What became of undoing.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// What could not be undone, for a person.
    pub(super) left: Vec<String>,
    /// A host didn't take an order: it may not be what it was a moment ago.
    pub(super) refused: bool,
}

/// Undoes the open steps, newest first. What else was done to the running transfer ended with it: libvirt puts back the domain's
/// own limits.
pub(super) async fn undo(task: &mut Task, plan: &Plan) -> Result<Undone, EngineError> {
    let steps: Vec<_> = task.recorder.course.open_steps.iter().rev().cloned().collect();
    let Undone { mut left, mut refused } = Undone::default();
    for step in steps {
        let undone = match &step {
            Step::MaxDowntime { host, ms, before_ms: Some(before_ms) } => {
                limit_back(task, plan, host, *ms, *before_ms, &mut refused).await
            }
            Step::MaxDowntime { before_ms: None, .. } => Ok(()),
            Step::SourceAutostart { host } => autostart_back(task, plan, host, &mut refused).await,
            Step::Volume { host, disk } => volumes::take_back(task, plan, host, disk).await,
            Step::Throttle { host } => throttle_back(task, plan, host, &mut refused).await,
        };
        if let Err(why) = &undone {
            left.push(match &step {
                Step::MaxDowntime { host, ms, .. } => format!("the downtime limit of {ms} ms on {host} ({why})"),
                Step::SourceAutostart { host } => format!("the autostart of {} on {host}, now off ({why})", plan.name),
                Step::Volume { host, disk } => volumes::left_over(host, disk, why),
                Step::Throttle { host } => format!("how far {} may be slowed down on {host} ({why})", plan.name),
            });
        }
        task.record(Record::StepSettled { step, result: undone.map(|()| StepEnd::Undone) })?;
    }
    refused |= !left.is_empty();
    Ok(Undone { left, refused })
}

/// Puts the downtime limit back that was in force. It ends with the domain's process, and then there is nothing to put back. It
/// is one for all who would move the domain, and holds for a transfer that runs: of one that another began, it is another's.
async fn limit_back(
    task: &Task,
    plan: &Plan,
    host: &HostName,
    ms: u64,
    before_ms: u64,
    refused: &mut bool,
) -> Result<(), String> {
    let hypervisor = &task.ports().hypervisor;
    let course = &task.recorder.course;
    // Of this attempt's own transfer the limit may be what a policy made of it. Without one, what differs from what was set here
    // was set by somebody since, and is theirs.
    let moved = course.phase == Phase::Recovering && !course.is_not_begun();
    if !moved && matches!(hypervisor.max_downtime(host, plan.domain).await, Ok(Some(now)) if now != ms) {
        return Ok(());
    }
    // Last, because a job may begin at any moment.
    if matches!(hypervisor.observe(host, plan.domain).await, Side::Present(seen) if seen.job) {
        return Err(format!(
            "a job that isn't this task's runs there; once it is over, and where {0} is there still: virsh migrate-setmaxdowntime {0} {before_ms}",
            plan.name
        ));
    }
    ordered_back(task, plan, host, Command::SetMaxDowntime { ms: before_ms }, refused).await
}

/// Takes the maximum of auto-converge away that a running transfer was ordered to keep to. It would hold for every later one of the
/// same process, whoever begins it, and one with a first step above it would be refused.
async fn throttle_back(task: &Task, plan: &Plan, host: &HostName, refused: &mut bool) -> Result<(), String> {
    if matches!(task.ports().hypervisor.observe(host, plan.domain).await, Side::Present(seen) if seen.job) {
        return Err(format!(
            "a job that isn't this task's runs there; once it is over, and where {} is there still: {}",
            plan.name,
            task.ports().hypervisor.free_throttle_by_hand(&plan.name)
        ));
    }
    ordered_back(task, plan, host, Command::FreeThrottle, refused).await
}

/// Gives an order that puts something back which ends with the domain's process: where that is gone, so is what was to be put back.
async fn ordered_back(
    task: &Task,
    plan: &Plan,
    host: &HostName,
    order: Command,
    refused: &mut bool,
) -> Result<(), String> {
    let hypervisor = &task.ports().hypervisor;
    let Err(fault) = hypervisor.command(host, plan.domain, order).await else { return Ok(()) };
    *refused = true;
    match hypervisor.observe(host, plan.domain).await {
        Side::Present(seen) if !seen.state.is_active() => Ok(()),
        Side::Absent { .. } => Ok(()),
        _ => Err(fault.to_string()),
    }
}

/// Gives the source's definition its autostart back, if that still is where the domain lives: what somebody else's move left
/// behind would start as a second copy with its host.
async fn autostart_back(task: &Task, plan: &Plan, host: &HostName, refused: &mut bool) -> Result<(), String> {
    let hypervisor = &task.ports().hypervisor;
    let source = hypervisor.observe(host, plan.domain).await;
    // With the definition its autostart is gone.
    if let Side::Absent { host: answers } = &source
        && (answers.is_none() || plan.source.uuid.is_none() || *answers == plan.source.uuid)
    {
        return Ok(());
    }
    let standing = Standing::of(&source, &plan.source).filter(|_| source.is_at_home(plan));
    let Some(standing) = standing else {
        let is = match &source {
            Side::Present(seen) if seen.job => "a job that isn't this task's runs there".to_owned(),
            side => format!("{} is {}", plan.name, tell::side(side, host)),
        };
        return Err(format!("{is}; only where it is to start with that host: virsh autostart {}", plan.name));
    };
    let order = Command::SetAutostart(Autostart::On);
    let ordered = hypervisor.command_if(host, plan.domain, order, Some(&standing)).await;
    ordered.map_err(|fault| {
        *refused = true;
        fault.to_string()
    })
}

/// What was taken from the source and not given back, for a person who takes over from here. A limit ends with the process, and an
/// autostart with the definition.
pub(super) fn not_given_back(task: &Task, plan: &Plan, source: &Side) -> Option<String> {
    // Of a host that can't be asked both may be there.
    let (active, defined) = match source {
        Side::Present(seen) => (seen.state.is_active(), seen.persistent),
        Side::Absent { .. } => (false, false),
        Side::Unknown(_) => (true, true),
    };
    let of = |step: &Step| match step {
        Step::SourceAutostart { .. } if defined => {
            Some(format!("its autostart, now off (virsh autostart {})", plan.name))
        }
        Step::MaxDowntime { ms, before_ms: Some(before_ms), .. } if active => {
            Some(format!("its downtime limit, set to {ms} ms (virsh migrate-setmaxdowntime {} {before_ms})", plan.name))
        }
        Step::Throttle { .. } if active => {
            let by_hand = task.ports().hypervisor.free_throttle_by_hand(&plan.name);
            Some(format!("how far it may be slowed down by auto-converge ({by_hand})"))
        }
        Step::MaxDowntime { .. } | Step::SourceAutostart { .. } | Step::Volume { .. } | Step::Throttle { .. } => None,
    };
    let taken: Vec<_> = task.recorder.course.open_steps.iter().filter_map(of).collect();
    (!taken.is_empty())
        .then(|| format!("where {} is to stay on {}, give back {}", plan.name, plan.source.host, taken.join(" and ")))
}

/// The remedy for what could not be undone.
pub(super) fn remedy_for(left: &[String]) -> Option<String> {
    (!left.is_empty()).then(|| format!("take back by hand: {}", left.join("; ")))
}

/// Whether both sides still look as the plan assumes.
fn still_fits(plan: &Plan, now: &Situation) -> Result<(), String> {
    let source = match &now.source {
        Side::Present(seen) => seen,
        side => return Err(format!("{} is {} just before the start", plan.name, tell::side(side, &plan.source.host))),
    };
    if source.job {
        return Err(format!("another job began on {} just before the start", plan.name));
    }
    let fits = match plan.initially {
        RunState::Running => matches!(source.state, DomainState::Running | DomainState::Blocked),
        RunState::Paused => source.state == DomainState::Paused,
        RunState::ShutOff => source.state == DomainState::ShutOff,
    };
    if !fits {
        return Err(format!("{} was {} when it was checked and is {} now", plan.name, plan.initially, source.state));
    }
    match &now.destination {
        Side::Absent { .. } => Ok(()),
        // What is there now and was not when it was planned is somebody else's: it must not be taken for a leftover.
        Side::Present(_) if plan.destination_before == Before::Absent => {
            Err(format!("a definition of {} appeared on {} just before the start", plan.name, plan.destination.host))
        }
        Side::Present(seen) if !seen.state.is_active() && !seen.job => Ok(()),
        side => Err(format!("{} is {} just before the start", plan.name, tell::side(side, &plan.destination.host))),
    }
}
