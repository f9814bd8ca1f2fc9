//! What both hosts tell unasked while a transfer runs. Readings come at a pace; what happens between two of them - a pass over
//! the memory that is shorter than that pace, the half on the destination that breaks - is told when it happens.
//!
//! An event is a wake-up and no proof: one may get lost with its connection, and then the readings have to do. So nothing is
//! decided by an event alone; it makes somebody look before the pace would. Who watches from outside looks at both hosts all the
//! time, and needs none.

use std::time::Duration;

use tokio::time::Instant;
use waypost_core::plan::Plan;
use waypost_core::ports::{Events, HostEvent, Later};
use waypost_core::sample::Sample;

use super::Task;

/// A subscription that failed, or broke, is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// What was told of the domain that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The final figures, which can't be read a second time.
    Figures(Sample),
    /// A pass over the memory began, by its number.
    Pass(u64),
    /// The destination says that its half of the guest is cut off from the other.
    Broke,
    /// Something else became of it: it was stopped for the switch, or runs on the other side.
    Stirred,
    /// Nothing that matters here.
    Other,
}

/// The events of one transfer.
pub(super) struct Ears {
    source: Option<Box<dyn Events>>,
    destination: Option<Box<dyn Events>>,
    /// The subscription on the destination, which may take as long as that host's deadline.
    asked: Option<Later<'static, Option<Box<dyn Events>>>>,
    asked_at: Option<Instant>,
}

impl Ears {
    /// With the events of the source, if there are any.
    pub(super) fn new(source: Option<Box<dyn Events>>) -> Self {
        Self { source, destination: None, asked: None, asked_at: None }
    }

    /// Listens to the destination, too, from now on. May be called as often as anybody likes.
    pub(super) fn listen_there(&mut self, task: &Task, plan: &Plan) {
        let lately = self.asked_at.is_some_and(|at| at.elapsed() < AGAIN);
        if self.destination.is_some() || self.asked.is_some() || lately {
            return;
        }
        let (hypervisor, host) = (task.ports().hypervisor.clone(), plan.destination.host.clone());
        self.asked_at = Some(Instant::now());
        self.asked = Some(Box::pin(async move {
            match hypervisor.events(&host).await {
                Ok(events) => Some(events),
                Err(fault) => {
                    tracing::debug!(%fault, "no events of the destination");
                    None
                }
            }
        }));
    }

    /// What is told next; pending while nobody tells anything. May be dropped and called again.
    pub(super) async fn next(&mut self, plan: &Plan) -> Heard {
        let Self { source, destination, asked, .. } = self;
        tokio::select! {
            biased;
            event = told(source) => heard(plan, event, Side::Source),
            event = told(destination) => heard(plan, event, Side::Destination),
            events = async { match asked.as_mut() { Some(a) => a.await, None => std::future::pending().await } } => {
                self.asked = None;
                self.destination = events;
                // What happened before there was anybody to listen is seen by a look.
                Heard::Stirred
            }
        }
    }

    /// The events of the source, for whoever goes on after the transfer.
    pub(super) fn into_source(self) -> Option<Box<dyn Events>> {
        self.source
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

fn heard(plan: &Plan, event: HostEvent, side: Side) -> Heard {
    match (event, side) {
        (HostEvent::JobCompleted { domain, sample }, Side::Source) if domain == plan.domain => Heard::Figures(sample),
        (HostEvent::Iteration { domain, iteration }, Side::Source) if domain == plan.domain => Heard::Pass(iteration),
        (HostEvent::Lifecycle { domain, detail, .. }, side) if domain == plan.domain => {
            // Of its own half the source tells by ending the call.
            let broke = side == Side::Destination && detail == "post-copy-failed";
            if broke { Heard::Broke } else { Heard::Stirred }
        }
        _ => Heard::Other,
    }
}

/// The next event of a stream; pending once there will be no more, so that somebody may ask for another one.
async fn told(events: &mut Option<Box<dyn Events>>) -> HostEvent {
    if let Some(stream) = events {
        if let Some(event) = stream.next().await {
            return event;
        }
        *events = None;
    }
    std::future::pending().await
}
