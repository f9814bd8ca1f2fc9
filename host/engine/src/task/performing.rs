//! The transfer, with libvirt's call in this process: its return tells the end, readings and events tell the way.

use tokio::time::Instant;
use waypost_core::convergence::Steering;
use waypost_core::journal::Record;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::{Events, Fault, FaultKind, Later, Transfer};
use waypost_core::recovery::FailureClass;
use waypost_core::sample;

use super::aborting::Aborts;
use super::ears::{Ears, Heard};
use super::ending::{Ending, TOO_LATE, too_late};
use super::finishing::Finishing;
use super::helm::{Demand, Helm};
use super::outside::Outside;
use super::recovering::Locating;
use super::{Stage, Task, notice, testimony, ticker};
use crate::error::EngineError;

/// libvirt was asked to migrate.
pub(crate) struct Performing {
    pub(super) task: Task,
    pub(super) plan: Plan,
    pub(super) transfer: Box<dyn Transfer>,
    pub(super) events: Option<Box<dyn Events>>,
}

impl Performing {
    pub(super) async fn watch(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan, mut transfer, events } = self;
        let mut ears = Ears::new(events);
        let mut figures = None;
        let deadline = task.deadline(&plan);
        let (mut ending, mut overdue) = (Ending::No, false);
        let mut helm = Helm::new(&task);
        let (mut handle_lives, live) = (true, plan.mode == TransferMode::Live);
        // From the switch on nothing can be taken back, and libvirt refuses to abort: it is not even asked.
        let mut switched = task.recorder.history.is_resuming();
        // The destination said that its half is cut off: believed once the source was looked at.
        let mut broke = false;
        // Tickers live outside the loop: a timer made anew in each round would never fire beside a faster one.
        let mut tick = ticker(task.ports().settings().sample_every);
        let mut poll = ticker(task.ports().settings().cancel_poll);
        let mut again = ticker(ABORT_AGAIN);
        let hypervisor = task.ports().hypervisor.clone();
        // A reading may take as long as its own deadline: it runs beside the call and never delays the end.
        let mut reading: Option<Later<'_, Result<Option<sample::Sample>, Fault>>> = None;
        // When one is due that an event asks for; however fast they come, readings are at most twice as many.
        let (mut pressing, mut may_press) = (None, Instant::now());
        let result = loop {
            let mut demand = None;
            tokio::select! {
                biased;
                result = transfer.finished() => break result,
                heard = ears.next(&plan) => match heard {
                    Heard::Figures(sample) => figures = Some(sample),
                    Heard::Pass(number) if helm.pass_began(number) => {
                        pressing.get_or_insert(Instant::now() + SWITCHING);
                    }
                    Heard::Stirred => {
                        pressing.get_or_insert(Instant::now() + SWITCHING);
                    }
                    Heard::Broke => (broke, pressing) = (true, Some(Instant::now())),
                    Heard::Pass(_) | Heard::Other => {}
                },
                sample = async { match reading.as_mut() { Some(r) => r.await, None => std::future::pending().await } } => {
                    reading = None;
                    may_press = Instant::now() + task.ports().settings().sample_every / 2;
                    if let Ok(Some(sample)) = sample {
                        switched |= sample.stage == sample::Stage::PostCopy;
                        demand = helm.reading(&task, &plan, &sample).or_else(|| cut_off(&plan, &sample, broke));
                        broke = false;
                        task.recorder.reading(sample);
                    }
                    too_late(&task, &mut ending, switched);
                    if switched {
                        ears.listen_there(&task, &plan);
                    }
                }
                turn = helm.turn() => helm.take(&mut task, turn)?,
                _ = tick.tick(), if reading.is_none() && live => {
                    pressing = None;
                    reading = Some(hypervisor.sample(&plan.source.host, plan.domain));
                }
                () = tokio::time::sleep_until(pressing.map_or(may_press, |due| due.max(may_press))),
                    if pressing.is_some() && reading.is_none() && live =>
                {
                    pressing = None;
                    reading = Some(hypervisor.sample(&plan.source.host, plan.domain));
                }
                changed = task.wanted.changed(), if !ending.is_wanted() && handle_lives => {
                    handle_lives = changed.is_ok();
                    end_if_wanted(&mut task, &plan, &mut ending, &mut helm, switched)?;
                }
                _ = poll.tick(), if !ending.is_wanted() => {
                    end_if_wanted(&mut task, &plan, &mut ending, &mut helm, switched)?;
                    helm.look_around(&task, &plan)?;
                }
                () = tokio::time::sleep_until(deadline), if !ending.is_wanted() && !overdue => {
                    overdue = true;
                    end(&mut task, &plan, &mut ending, &mut helm, Ending::Clock(plan.timeout_s), switched)?;
                }
                // An abort that came before libvirt had a job was refused: it is asked for until the call returns.
                _ = again.tick(), if ending.is_wanted() => helm.abort(&task, &plan),
            }
            let demand = match demand {
                None if !ending.is_wanted() => helm.go_on(&mut task, &plan)?,
                None => helm.pursue(&mut task, &plan)?,
                demand => demand,
            };
            obey(&mut task, &plan, &mut ending, &mut helm, demand, switched)?;
        };
        drop(reading);
        helm.aborts.also(transfer.may_abort_yet());
        match result {
            Ok(()) => {
                task.record(Record::PerformReturned { result: Ok(()) })?;
                Ok(Stage::Finishing(Finishing { task, plan, figures, events: ears.into_source() }))
            }
            // The controller lost sight of the source, not the source of the destination: the transfer may go on.
            Err(fault) if leaves_it_open(&fault) => Ok(out_of_sight(task, plan, helm.aborts, fault)),
            Err(fault) => {
                helm.aborts.settle(&mut task, &plan).await?;
                let words = told(&task, &plan, &fault).await;
                // Who ends a transfer knows why.
                let (class, words) = match ending.is_wanted() {
                    true => (fault.class(), words),
                    false => testimony::weigh(&task, &plan, fault.class(), words, None).await,
                };
                let failure = ending.explain(&task, class, words);
                task.record(Record::PerformReturned { result: Err(failure) })?;
                Ok(Stage::Locating(Locating { task, plan }))
            }
        }
    }
}

/// What follows a call that was on record as intended before it was made.
pub(super) async fn begun(
    mut task: Task,
    plan: Plan,
    call: Result<Box<dyn Transfer>, Fault>,
    events: Option<Box<dyn Events>>,
) -> Result<Stage, EngineError> {
    match call {
        Ok(transfer) => Ok(Stage::Performing(Performing { task, plan, transfer, events })),
        // An intent without its result, as after a restart: it may have begun.
        Err(fault) if leaves_it_open(&fault) => Ok(out_of_sight(task, plan, Aborts::default(), fault)),
        Err(fault) => {
            let words = told(&task, &plan, &fault).await;
            let failure = testimony::weigh(&task, &plan, fault.class(), words, None).await;
            task.record(Record::PerformReturned { result: Err(failure) })?;
            Ok(Stage::Locating(Locating { task, plan }))
        }
    }
}

/// A host's words, with what they leave out: who edited the definition on its way, and who was faster.
async fn told(task: &Task, plan: &Plan, fault: &Fault) -> String {
    let refused = matches!(fault.class(), FailureClass::Migrating | FailureClass::Refused);
    let words = with_edits(plan, fault);
    match if refused { notice::others(task, plan).await } else { None } {
        Some(who) => format!("{words}; {who}"),
        None => words,
    }
}

/// Of a definition that was edited on its way and refused, also who edited what.
fn with_edits(plan: &Plan, fault: &Fault) -> String {
    let elsewhere =
        matches!(fault.class(), FailureClass::Cancelled | FailureClass::Unreachable | FailureClass::Network);
    if plan.edits.is_empty() || elsewhere {
        return fault.to_string();
    }
    let edits: Vec<_> = plan.edits.0.iter().map(|edit| format!("{} by {}", edit.place(), edit.plugin)).collect();
    format!(
        "{fault}; the definition was edited on its way ({}): if that is what is refused, correct the policy or its settings",
        edits.join(", ")
    )
}

fn out_of_sight(task: Task, plan: Plan, aborts: Aborts, fault: Fault) -> Stage {
    task.recorder.note(format!("{fault}; watching from outside"));
    Stage::Outside(Outside { task, plan, aborts, lost: Some(fault) })
}

/// Whether the migration may go on, whatever its caller was told: the answer got lost, not the order.
fn leaves_it_open(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Unreachable | FaultKind::Deadline)
}

/// What is to be done about a post-copy whose destination says that its half is cut off, once the source, looked at since,
/// still has its half of the transfer: nothing will flow any more, so there is no need to wait until that was seen for long.
fn cut_off(plan: &Plan, sample: &sample::Sample, broke: bool) -> Option<Demand> {
    let flows = sample.stage == sample::Stage::PostCopy;
    (broke && flows).then(|| {
        Demand::Interrupt(format!("{} says that the stream from {} broke.", plan.destination.host, plan.source.host))
    })
}

/// Notes a wish to cancel, and begins to end the transfer because of it.
pub(super) fn end_if_wanted(
    task: &mut Task,
    plan: &Plan,
    ending: &mut Ending,
    helm: &mut Helm,
    switched: bool,
) -> Result<(), EngineError> {
    let known = task.recorder.course.cancel_requested;
    // What came too late is said once.
    if task.note_cancel()? && !(known && switched) {
        end(task, plan, ending, helm, Ending::Wish, switched)?;
    }
    Ok(())
}

/// Does what the helm demands.
pub(super) fn obey(
    task: &mut Task,
    plan: &Plan,
    ending: &mut Ending,
    helm: &mut Helm,
    demand: Option<Demand>,
    switched: bool,
) -> Result<(), EngineError> {
    match demand {
        None => {}
        Some(Demand::GiveUp(_) | Demand::Stalled(_)) if ending.is_wanted() => {}
        Some(Demand::GiveUp(why)) => end(task, plan, ending, helm, Ending::GivenUp(why), switched)?,
        Some(Demand::Stalled(why)) => end(task, plan, ending, helm, Ending::Stalled(why), switched)?,
        // The guest is on both hosts: nothing may be ended, and the call returns once both know of it.
        Some(Demand::Interrupt(why)) => helm.interrupt(task, plan, &why)?,
    }
    Ok(())
}

/// Begins to end the transfer. One that was switched to post-copy goes on, and is steered and watched as before: it is only
/// said what can't be had any more.
pub(super) fn end(
    task: &mut Task,
    plan: &Plan,
    ending: &mut Ending,
    helm: &mut Helm,
    why: Ending,
    switched: bool,
) -> Result<(), EngineError> {
    if switched {
        task.recorder.note(TOO_LATE);
        return Ok(());
    }
    task.recorder.note(match &why {
        Ending::Clock(s) => format!("the time limit of {s} s is over; aborting"),
        Ending::Stalled(why) | Ending::GivenUp(why) => format!("{why} Aborting"),
        Ending::Wish | Ending::No => "cancelling".to_owned(),
    });
    // A wish and a policy's order are on record already.
    let reason = match &why {
        Ending::Clock(s) => Some(format!("the time limit of {s} s is over")),
        Ending::Stalled(why) => Some(why.clone()),
        Ending::Wish | Ending::GivenUp(_) | Ending::No => None,
    };
    if let Some(reason) = reason {
        let (action, by) = (Steering::Abort, OURSELVES.to_owned());
        task.record(Record::SteerIntended { action, value: None, by, reason })?;
        task.record(Record::SteerSettled { action, result: Ok(()) })?;
    }
    helm.abort(task, plan);
    *ending = why;
    Ok(())
}

/// In the journal, who does what no person and no policy ordered: the clock and the watchdog are Waypost's own, and what it
/// puts right that it did itself.
pub(super) const OURSELVES: &str = "waypost";

const ABORT_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// From an event to the reading that it asks for. The last pass begins, and the guest is stopped, at the start of the switch
/// itself: a reading at that very moment would keep libvirt's own orders to the hypervisor waiting, and the guest with them
/// (its downtime was 3 ms longer in `make bench`). A switch is mostly over by then.
const SWITCHING: std::time::Duration = std::time::Duration::from_millis(100);
