//! The transfer, seen from outside: after a restart, or when the controller lost its connection to the source. There is no
//! call whose return would tell the end, so both sides are looked at until no job is left.

use tokio::time::Instant;
use waypost_core::journal::Record;
use waypost_core::plan::Plan;
use waypost_core::recovery::FailureClass;
use waypost_core::situation::{Side, Situation, arrived};

use super::finishing::Finishing;
use super::performing::abort;
use super::prepared::{TimedOut, class};
use super::recovering::Locating;
use super::{Stage, Task, tell, ticker};
use crate::error::EngineError;

/// A transfer that may be running.
pub(crate) struct Outside {
    pub(super) task: Task,
    pub(super) plan: Plan,
}

/// Between two looks a job may just be handed over from one phase of libvirt's to the next; one quiet look proves nothing.
const QUIET_LOOKS: u32 = 2;

impl Outside {
    pub(super) async fn watch(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan } = self;
        task.record(Record::Adopted)?;
        task.recorder.note("watching from outside");
        let deadline = task.deadline(&plan);
        let mut timed_out = TimedOut::No;
        let mut quiet = 0;
        let mut dark_since: Option<Instant> = None;
        let mut tick = ticker(task.ports().settings.look_every);
        loop {
            if timed_out == TimedOut::No && Instant::now() >= deadline {
                timed_out = TimedOut::Yes;
                task.recorder.note(format!("the time limit of {} s is over; aborting", plan.timeout_s));
            }
            let ending = task.note_cancel()? || timed_out == TimedOut::Yes;
            let situation = task.look(&plan).await;
            if has_job(&situation) {
                quiet = 0;
                dark_since = None;
                if ending {
                    abort(&task, &plan);
                }
                if let Ok(Some(sample)) = task.ports().hypervisor.sample(&plan.source.host, plan.domain).await {
                    task.recorder.reading(sample);
                }
            } else if arrived(&plan, &situation) {
                task.record(Record::PerformReturned { result: Ok(()) })?;
                return Ok(Stage::Finishing(Finishing { task, plan, figures: None, events: None }));
            } else if is_dark(&situation) {
                let since = *dark_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= task.ports().settings.patience {
                    let message = format!(
                        "the transfer can't be watched: {}; {}",
                        tell::side(&situation.source, &plan.source.host),
                        tell::side(&situation.destination, &plan.destination.host)
                    );
                    return failed(task, plan, timed_out, FailureClass::Unreachable, message);
                }
            } else {
                dark_since = None;
                quiet += 1;
                if quiet >= QUIET_LOOKS {
                    let message = "no migration job is left, and the domain did not arrive".to_owned();
                    return failed(task, plan, timed_out, FailureClass::ControllerRestarted, message);
                }
            }
            tokio::select! {
                _ = tick.tick() => {}
                () = task.cancel_changed() => {}
            }
        }
    }
}

fn failed(
    mut task: Task,
    plan: Plan,
    timed_out: TimedOut,
    own: FailureClass,
    message: String,
) -> Result<Stage, EngineError> {
    let class = class(&task, timed_out, own);
    task.record(Record::PerformReturned { result: Err((class, message)) })?;
    Ok(Stage::Locating(Locating { task, plan }))
}

fn has_job(situation: &Situation) -> bool {
    [&situation.source, &situation.destination].iter().any(|side| matches!(side, Side::Present(seen) if seen.job))
}

fn is_dark(situation: &Situation) -> bool {
    [&situation.source, &situation.destination].iter().any(|side| matches!(side, Side::Unknown(_)))
}
