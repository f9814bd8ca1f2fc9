//! The transfer, seen from outside: after a restart, or when the controller lost its connection to the source. There is no
//! call whose return would tell the end, so both sides are looked at until no job is left.

use tokio::time::Instant;
use waypost_core::journal::Record;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::Fault;
use waypost_core::recovery::FailureClass;
use waypost_core::sample;
use waypost_core::situation::{Situation, arrived};

use super::aborting::Aborts;
use super::finishing::Finishing;
use super::recovering::Locating;
use super::watching::Watch;
use super::{Stage, Task, notice, tell, testimony, ticker};
use crate::error::EngineError;

/// A transfer that may be running.
pub(crate) struct Outside {
    pub(super) task: Task,
    pub(super) plan: Plan,
    /// The orders to abort it that this process gave before.
    pub(super) aborts: Aborts,
    /// What ended the call of this process, if there was one.
    pub(super) lost: Option<Fault>,
}

/// Between two looks a job may be about to begin, or be handed over from one phase of libvirt's to the next: quiet for
/// less than so many looks, and the time between them, proves nothing. The time counts by itself because a wish to cancel
/// makes for a look of its own, right after the one before.
const QUIET_LOOKS: u32 = 2;

/// Whether nothing has been seen of the transfer for long enough to say that there is none. No host shows a job while a
/// mere definition travels, so that takes as long as for a host that can't be asked.
fn is_quiet(task: &Task, plan: &Plan, looks: u32, since: Instant) -> bool {
    let settings = task.ports().settings();
    let time = match plan.mode {
        TransferMode::Live => settings.look_every * QUIET_LOOKS,
        TransferMode::Offline => settings.patience,
    };
    looks >= QUIET_LOOKS && since.elapsed() >= time
}

impl Outside {
    pub(super) async fn watch(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan, aborts, lost } = self;
        task.record(Record::Adopted)?;
        task.recorder.note("watching from outside");
        let mut watch = Watch::new(&task, &plan);
        watch.helm.aborts = aborts;
        let mut quiet = 0;
        let mut quiet_since = Instant::now();
        let mut dark_since: Option<Instant> = None;
        // Whoever was there before may have ended between its record and its call. A post-copy that is joined again is nobody else's.
        let mut may_be_anothers = lost.is_none() && !watch.switched;
        let mut tick = ticker(task.ports().settings().look_every);
        loop {
            // Before anything is ended: who takes a task over doesn't know yet whether it was switched meanwhile.
            let situation = task.look(&plan).await;
            if may_be_anothers && situation.has_job() {
                may_be_anothers = false;
                if let Some(who) = notice::newer(&task, &plan, &situation).await? {
                    watch.helm.aborts.settle(&mut task, &plan).await?;
                    let message = format!("{who}, and nobody heard whether the call of this attempt was made");
                    task.record(Record::PerformReturned { result: Err((FailureClass::Migrating, message)) })?;
                    return Ok(Stage::Locating(Locating { task, plan }));
                }
            }
            let in_post_copy = situation.in_post_copy();
            watch.switched |= in_post_copy;
            watch.go_on_if_switched(&task);
            if watch.is_timed() && Instant::now() >= watch.deadline {
                watch.time_is_over(&mut task, &plan)?;
            }
            if !watch.ending.is_wanted() {
                watch.end_if_wanted(&mut task, &plan)?;
            }
            if situation.is_interrupted(&plan) {
                // Both halves show their job for ever: nothing will come of it by itself.
                let found = (FailureClass::Network, "the post-copy is interrupted".to_owned());
                return failed(task, plan, watch, lost, found, Some(&situation)).await;
            } else if situation.has_job() && !(situation.is_dark() && in_post_copy) {
                quiet = 0;
                quiet_since = Instant::now();
                dark_since = None;
                let told = task.ports().hypervisor.sample(&plan.source.host, plan.domain).await;
                watch.hear(&task, &plan, &told);
                if let Ok(Some(sample)) = told {
                    watch.switched |= sample.stage == sample::Stage::PostCopy;
                    let demand = watch.helm.reading(&task, &plan, &sample);
                    task.recorder.reading(sample);
                    watch.obey(&mut task, &plan, demand)?;
                }
                let demand = if watch.ending.is_wanted() {
                    watch.helm.abort(&task, &plan);
                    watch.helm.pursue(&mut task, &plan)?
                } else {
                    watch.helm.look_around(&task, &plan)?;
                    watch.helm.go_on(&mut task, &plan)?
                };
                watch.obey(&mut task, &plan, demand)?;
                watch.mind_silence(&task, &plan);
            } else if arrived(&plan, &situation) {
                task.record(Record::PerformReturned { result: Ok(()) })?;
                return Ok(Stage::Finishing(Finishing { task, plan, figures: None, events: None }));
            } else if situation.is_dark() {
                // What happened in the dark is not known, so the quiet begins anew after it.
                quiet = 0;
                quiet_since = Instant::now();
                let since = *dark_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= task.ports().settings().patience {
                    let message = format!(
                        "the transfer can't be watched: {}; {}",
                        tell::side(&situation.source, &plan.source.host),
                        tell::side(&situation.destination, &plan.destination.host)
                    );
                    let found = (FailureClass::Unreachable, message);
                    return failed(task, plan, watch, lost, found, None).await;
                }
            } else {
                dark_since = None;
                quiet += 1;
                if is_quiet(&task, &plan, quiet, quiet_since) {
                    let message = "no migration job is left, and the domain did not arrive".to_owned();
                    let found = (FailureClass::ControllerRestarted, message);
                    return failed(task, plan, watch, lost, found, Some(&situation)).await;
                }
            }
            tokio::select! {
                _ = tick.tick() => {}
                turn = watch.helm.turn() => watch.helm.take(&mut task, turn)?,
                () = task.cancel_changed() => {}
            }
        }
    }
}

/// The situation is that in which it was found to have failed; none where a side could not be asked.
async fn failed(
    mut task: Task,
    plan: Plan,
    mut watch: Watch,
    lost: Option<Fault>,
    (own, message): (FailureClass, String),
    situation: Option<&Situation>,
) -> Result<Stage, EngineError> {
    watch.helm.aborts.settle(&mut task, &plan).await?;
    // What this process was told before it lost sight says more than the restart of a controller that wasn't restarted.
    let (own, message) = match lost {
        Some(fault) => (fault.class(), format!("{fault}; {message}")),
        None => (own, message),
    };
    let (own, message) = match watch.ending.is_wanted() {
        true => (own, message),
        false => testimony::weigh(&task, &plan, own, message, situation).await,
    };
    let failure = watch.ending.explain(&task, own, message);
    task.record(Record::PerformReturned { result: Err(failure) })?;
    Ok(Stage::Locating(Locating { task, plan }))
}
