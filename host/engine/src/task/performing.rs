//! The transfer, with libvirt's call in this process: its return tells the end, readings and events tell the way.

use waypost_core::journal::Record;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::{Command, Events, Fault, FaultKind, HostEvent, Transfer};

use super::finishing::Finishing;
use super::outside::Outside;
use super::prepared::{TimedOut, class};
use super::recovering::Locating;
use super::{Stage, Task, ticker};
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
        let Self { mut task, plan, mut transfer, mut events } = self;
        let mut figures = None;
        let mut timed_out = TimedOut::No;
        let deadline = task.deadline(&plan);
        let mut ending = Ending::No;
        let mut handle_lives = true;
        // Tickers live outside the loop: a timer made anew in each round would never fire beside a faster one.
        let mut tick = ticker(task.ports().settings.sample_every);
        let mut poll = ticker(task.ports().settings.cancel_poll);
        let mut again = ticker(ABORT_AGAIN);
        let hypervisor = task.ports().hypervisor.clone();
        // A reading may take as long as its own deadline: it runs beside the call and never delays the end.
        let mut reading = None;
        let result = loop {
            tokio::select! {
                biased;
                result = transfer.finished() => break result,
                event = next_event(&mut events) => {
                    if let HostEvent::JobCompleted { domain, sample } = event && domain == plan.domain {
                        figures = Some(sample);
                    }
                }
                sample = async { match reading.as_mut() { Some(r) => r.await, None => std::future::pending().await } } => {
                    reading = None;
                    if let Ok(Some(sample)) = sample {
                        task.recorder.reading(sample);
                    }
                }
                _ = tick.tick(), if reading.is_none() && plan.mode == TransferMode::Live => {
                    reading = Some(hypervisor.sample(&plan.source.host, plan.domain));
                }
                changed = task.wanted.changed(), if ending == Ending::No && handle_lives => {
                    handle_lives = changed.is_ok();
                    ending = end_if_wanted(&mut task, &plan)?;
                }
                _ = poll.tick(), if ending == Ending::No => ending = end_if_wanted(&mut task, &plan)?,
                () = tokio::time::sleep_until(deadline), if timed_out == TimedOut::No => {
                    timed_out = TimedOut::Yes;
                    ending = Ending::Yes;
                    task.recorder.note(format!("the time limit of {} s is over; aborting", plan.timeout_s));
                    abort(&task, &plan);
                }
                // An abort that came before libvirt had a job was refused: it is asked for until the call returns.
                _ = again.tick(), if ending == Ending::Yes => abort(&task, &plan),
            }
        };
        drop(reading);
        match result {
            Ok(()) => {
                task.record(Record::PerformReturned { result: Ok(()) })?;
                Ok(Stage::Finishing(Finishing { task, plan, figures, events }))
            }
            // The controller lost sight of the source, not the source of the destination: the transfer may go on.
            Err(fault) if leaves_it_open(&fault) => {
                task.recorder.note(format!("{fault}; watching from outside"));
                Ok(Stage::Outside(Outside { task, plan, lost: Some(fault) }))
            }
            Err(fault) => {
                let class = class(&task, timed_out, fault.class());
                task.record(Record::PerformReturned { result: Err((class, fault.to_string())) })?;
                Ok(Stage::Locating(Locating { task, plan }))
            }
        }
    }
}

/// Whether the migration may go on, whatever its caller was told: the answer got lost, not the order.
pub(super) fn leaves_it_open(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Unreachable | FaultKind::Deadline)
}

/// Whether the transfer is being ended, by wish or by the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    Yes,
}

fn end_if_wanted(task: &mut Task, plan: &Plan) -> Result<Ending, EngineError> {
    if !task.note_cancel()? {
        return Ok(Ending::No);
    }
    task.recorder.note("cancelling");
    abort(task, plan);
    Ok(Ending::Yes)
}

const ABORT_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Sends the order without waiting for its answer: what counts is that the migration call returns.
pub(super) fn abort(task: &Task, plan: &Plan) {
    let (hypervisor, host, domain) = (task.ports().hypervisor.clone(), plan.source.host.clone(), plan.domain);
    tokio::spawn(async move {
        if let Err(fault) = hypervisor.command(&host, domain, Command::AbortJob).await {
            tracing::debug!(%fault, "abort");
        }
    });
}

async fn next_event(events: &mut Option<Box<dyn Events>>) -> HostEvent {
    if let Some(stream) = events {
        if let Some(event) = stream.next().await {
            return event;
        }
        *events = None;
    }
    std::future::pending().await
}
