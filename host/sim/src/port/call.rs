//! The call that waits for a migration, on its connection to the source. A peer-to-peer migration needs neither; of a direct
//! one the call is the client, with a connection to the destination as well: when it goes, so does the migration.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use waypost_core::ids::{DomainId, HostName};
use waypost_core::plan::Plan;
use waypost_core::ports::{Fault, FaultKind, Later, Transfer};
use waypost_core::stream::Transport;

use crate::state::{Outage, Silence, State};
use crate::transfer::{self, Bond, Job, KEEPALIVE};
use crate::words;
use crate::world::World;

struct Call {
    world: World,
    domain: DomainId,
    source: HostName,
    outcome: watch::Receiver<Option<Result<(), Fault>>>,
    reach: Option<watch::Receiver<u64>>,
    /// Of a direct migration, as long as it drives it.
    client: Option<Client>,
}

/// What makes a call the client of a direct migration.
struct Client {
    /// As long as this is held, the migration has its client.
    _alive: Arc<transfer::Client>,
    destination: HostName,
    reach: Option<watch::Receiver<u64>>,
}

/// A connection of the call.
enum Line {
    Works,
    /// Nothing comes through; when that may change.
    Still(Instant),
    /// The keepalive gave it up.
    Lost,
}

impl World {
    /// A call that the hosts go on with whoever waits for it, unless it is direct.
    pub(super) fn calling<W>(
        &self,
        state: &State,
        plan: &Plan,
        work: impl FnOnce(Option<Bond>) -> W,
    ) -> Box<dyn Transfer>
    where
        W: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let (done, outcome) = watch::channel(None);
        let world = self.clone();
        let reach = |host: &HostName| state.host(host).map(|there| there.reach.subscribe());
        let (source, destination) = (&plan.source.host, &plan.destination.host);
        let (client, bond) = match plan.transport {
            Transport::Direct => {
                let (alive, bond) = transfer::bound();
                let client = Client { _alive: alive, destination: destination.clone(), reach: reach(destination) };
                (Some(client), Some(bond))
            }
            Transport::PeerToPeer | Transport::Tunnelled => (None, None),
        };
        let (work, reach) = (work(bond), reach(source));
        tokio::spawn(async move {
            let result = work.await;
            world.job_ended().notify_waiters();
            // Nobody may be left who wants to know.
            let _ = done.send(Some(result));
        });
        Box::new(Call { world: self.clone(), domain: plan.domain, source: source.clone(), outcome, reach, client })
    }
}

/// How a connection is over which nothing has come since then.
fn line(outage: Outage) -> Line {
    let notice = outage.since + KEEPALIVE;
    if Instant::now() >= notice {
        return Line::Lost;
    }
    Line::Still(outage.until.map_or(notice, |until| until.min(notice)))
}

impl Call {
    /// The client's connection to the destination.
    fn to_destination(&self) -> Line {
        let Some(client) = &self.client else { return Line::Works };
        let silence = self.world.state().silence(&client.destination);
        match silence {
            None => Line::Works,
            Some(Silence::Daemon) => Line::Lost,
            Some(Silence::Network(outage)) => line(outage),
        }
    }

    /// The guest runs on the destination already, and its memory follows.
    fn is_post_copy(&self) -> bool {
        self.world.state().jobs.get(&self.domain).is_some_and(Job::switched)
    }
}

impl Transfer for Call {
    fn finished(&mut self) -> Later<'_, Result<(), Fault>> {
        Box::pin(async move {
            loop {
                let look_there = match self.to_destination() {
                    Line::Works => None,
                    Line::Still(until) => Some(until),
                    Line::Lost => {
                        // Nobody completes it any more. Before the switch it ends, and that is this call's answer.
                        self.client = None;
                        if self.is_post_copy() {
                            let why = words::scripted(FaultKind::Network);
                            return Err(words::fault(FaultKind::Network, &self.source, "migrate", why));
                        }
                        None
                    }
                };
                let silence = self.world.state().silence(&self.source);
                let broken = |why: &str| Err(words::fault(FaultKind::Unreachable, &self.source, "migrate", why));
                let look_here = match silence {
                    // A daemon that ends closes the connection; a cut is only noticed by the keepalive.
                    Some(Silence::Daemon) => return broken("End of file while reading data: Input/output error"),
                    Some(Silence::Network(outage)) => match line(outage) {
                        Line::Still(until) => Some(until),
                        _ => return broken("internal error: connection closed due to keepalive timeout"),
                    },
                    None => {
                        if let Some(result) = self.outcome.borrow().clone() {
                            return result;
                        }
                        None
                    }
                };
                let here = changed(&mut self.reach);
                let there = async {
                    match &mut self.client {
                        Some(client) => changed(&mut client.reach).await,
                        None => std::future::pending().await,
                    }
                };
                let later = async {
                    match [look_here, look_there].into_iter().flatten().min() {
                        Some(look) => sleep_until(look).await,
                        None => std::future::pending().await,
                    }
                };
                let ended = async {
                    // While the host is silent its answer can't arrive.
                    let known = silence.is_some();
                    if known || self.outcome.changed().await.is_err() {
                        std::future::pending().await
                    }
                };
                tokio::select! { () = here => {} () = there => {} () = later => {} () = ended => {} }
            }
        })
    }
}

/// Returns when it may be another matter whether a host can be reached.
async fn changed(reach: &mut Option<watch::Receiver<u64>>) {
    let changed = match reach {
        Some(reach) => reach.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}
