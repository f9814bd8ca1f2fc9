//! Events of one host as the core names them.

use tokio::sync::{mpsc, watch};
use waypost_core::ids::DomainId;
use waypost_core::ports::{Events, HostEvent, Later};
use waypost_core::sample::Stage;

use crate::control::Control;
use crate::error::Error;
use crate::facts;
use crate::link::{Link, Turn};
use crate::raw::{Event, Subscription};

/// Events of one connection. A new connection has none of them: after [`HostEvent::Disconnected`] somebody must ask anew,
/// and look at what happened in between.
pub(crate) struct Stream {
    events: mpsc::UnboundedReceiver<Event>,
    closed: watch::Receiver<Option<String>>,
    /// With the turn on its connection.
    subscription: Option<(Subscription, Turn)>,
    link: Link,
    over: bool,
}

pub(crate) async fn subscribe(control: &Control) -> Result<Stream, Error> {
    let link = control.link().await?;
    let (sender, events) = mpsc::unbounded_channel();
    let limit = control.host().limits.read;
    let subscription = link
        .call("subscribe to events", limit, move |session| {
            Ok((Subscription::new(&session.connection, sender)?, session.turn()))
        })
        .await?;
    Ok(Stream { events, closed: link.watch(), subscription: Some(subscription), link, over: false })
}

impl Events for Stream {
    fn next(&mut self) -> Later<'_, Option<HostEvent>> {
        Box::pin(async move {
            if self.over {
                return None;
            }
            let why = tokio::select! {
                // What was told before the end is told first.
                biased;
                Some(event) = self.events.recv() => return Some(told(event)),
                closed = self.closed.wait_for(Option::is_some) => closed.ok().and_then(|why| why.clone()),
            };
            self.over = true;
            Some(HostEvent::Disconnected { why: why.unwrap_or_else(|| "the connection is gone".to_owned()) })
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Deregistering asks the daemon, which may take long.
        if let Some((subscription, turn)) = self.subscription.take() {
            self.link.drop_there(subscription, Some(turn));
        }
    }
}

fn told(event: Event) -> HostEvent {
    match event {
        Event::Lifecycle { domain, event, detail } => {
            let (event, detail) = facts::lifecycle(event, detail);
            HostEvent::Lifecycle { domain: DomainId(domain), event, detail }
        }
        Event::Iteration { domain, iteration } => HostEvent::Iteration { domain: DomainId(domain), iteration },
        Event::JobCompleted { domain, params } => {
            HostEvent::JobCompleted { domain: DomainId(domain), sample: facts::sample(&params, Stage::Final) }
        }
    }
}
