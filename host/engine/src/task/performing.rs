//! The transfer, with libvirt's call in this process: its return tells the end, readings and events tell the way.

use tokio::time::Instant;
use waypost_core::journal::Record;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::{Events, Fault, FaultKind, Later, Transfer};
use waypost_core::recovery::FailureClass;
use waypost_core::sample;

use super::aborting::Aborts;
use super::ears::{Ears, Heard};
use super::finishing::Finishing;
use super::helm::Demand;
use super::outside::Outside;
use super::recovering::Locating;
use super::watching::Watch;
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
        let mut watch = Watch::new(&task, &plan);
        let (mut handle_lives, live) = (true, plan.mode == TransferMode::Live);
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
        let (mut pressing, mut may_press) = (None::<Instant>, Instant::now());
        let result = loop {
            let mut demand = None;
            tokio::select! {
                biased;
                result = transfer.finished() => break result,
                heard = ears.next(&plan) => match heard {
                    Heard::Figures(sample) => figures = Some(sample),
                    Heard::Pass(number) if !watch.helm.pass_began(number) => {}
                    Heard::Pass(_) | Heard::Stirred => {
                        pressing.get_or_insert(Instant::now() + SWITCHING);
                    }
                    Heard::Broke => (broke, pressing) = (true, Some(Instant::now())),
                    Heard::Other => {}
                },
                sample = async { match reading.as_mut() { Some(r) => r.await, None => std::future::pending().await } } => {
                    reading = None;
                    may_press = Instant::now() + task.ports().settings().sample_every / 2;
                    watch.hear(&task, &plan, &sample);
                    if let Ok(Some(sample)) = sample {
                        watch.switched |= sample.stage == sample::Stage::PostCopy;
                        demand = watch.helm.reading(&task, &plan, &sample).or_else(|| cut_off(&plan, &sample, broke));
                        broke = false;
                        task.recorder.reading(sample);
                    }
                    watch.go_on_if_switched(&task);
                    if watch.switched {
                        ears.listen_there(&task, &plan);
                    }
                }
                turn = watch.helm.turn() => watch.helm.take(&mut task, turn)?,
                _ = tick.tick(), if reading.is_none() && live => {
                    pressing = None;
                    reading = Some(hypervisor.sample(&plan.source.host, plan.domain));
                }
                () = tokio::time::sleep_until(pressing.unwrap_or(may_press).max(may_press)),
                    if pressing.is_some() && reading.is_none() && live =>
                {
                    pressing = None;
                    reading = Some(hypervisor.sample(&plan.source.host, plan.domain));
                }
                changed = task.wanted.changed(), if !watch.ending.is_wanted() && handle_lives => {
                    handle_lives = changed.is_ok();
                    watch.end_if_wanted(&mut task, &plan)?;
                }
                _ = poll.tick(), if !watch.ending.is_wanted() => {
                    watch.end_if_wanted(&mut task, &plan)?;
                    watch.helm.look_around(&task, &plan)?;
                }
                () = tokio::time::sleep_until(watch.deadline), if watch.is_timed() => {
                    watch.time_is_over(&mut task, &plan)?;
                }
                // An abort that came before libvirt had a job was refused: it is asked for until the call returns.
                _ = again.tick(), if watch.ending.is_wanted() => watch.helm.abort(&task, &plan),
            }
            let demand = match demand {
                None if !watch.ending.is_wanted() => watch.helm.go_on(&mut task, &plan)?,
                None => watch.helm.pursue(&mut task, &plan)?,
                demand => demand,
            };
            watch.obey(&mut task, &plan, demand)?;
            watch.mind_silence(&task, &plan);
        };
        drop(reading);
        watch.helm.aborts.also(transfer.may_abort_yet());
        match result {
            Ok(()) => {
                task.record(Record::PerformReturned { result: Ok(()) })?;
                Ok(Stage::Finishing(Finishing { task, plan, figures, events: ears.into_source() }))
            }
            // The controller lost sight of the source, not the source of the destination: the transfer may go on.
            Err(fault) if leaves_it_open(&fault) => Ok(out_of_sight(task, plan, watch.helm.aborts, fault)),
            Err(fault) => {
                watch.helm.aborts.settle(&mut task, &plan).await?;
                let words = told(&task, &plan, &fault).await;
                // Who ends a transfer knows why.
                let (class, words) = match watch.ending.is_wanted() {
                    true => (fault.class(), words),
                    false => testimony::weigh(&task, &plan, fault.class(), words, None).await,
                };
                let failure = watch.ending.explain(&task, class, words);
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

/// In the journal, who does what no person and no policy ordered: the clock and the watchdog are Waypost's own, and what it
/// puts right that it did itself.
pub(super) const OURSELVES: &str = "waypost";

const ABORT_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// From an event to the reading that it asks for. The last pass begins, and the guest is stopped, at the start of the switch
/// itself: a reading at that very moment would keep libvirt's own orders to the hypervisor waiting, and the guest with them
/// (its downtime was 3 ms longer in `make bench`). A switch is mostly over by then.
const SWITCHING: std::time::Duration = std::time::Duration::from_millis(100);
