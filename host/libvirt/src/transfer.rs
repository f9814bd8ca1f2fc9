//! The migration itself: one call on a connection of its own. Peer to peer, the source's daemon goes on with it even if
//! this program ends. A direct migration is driven from here over a connection to either side, and ends with the program.

mod order;
mod sent;

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use uuid::Uuid;
use virt::domain::Domain;
use waypost_core::facts::DomainState;
use waypost_core::ids::{DomainId, DomainKey, HostName};
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::{Command, Fault, FaultKind, Later, Transfer};
use waypost_core::stream::Transport;

use crate::control::Control;
use crate::error::{Cause, Error, Failure};
use crate::link::Session;
use crate::read::domain;
use crate::{orders, raw};
use order::Order;

/// Whether a migration begins, or a post-copy that broke goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Begin,
    Resume,
}

/// Starts what the plan says, or goes on with it. An error from here means that nothing was begun.
pub(crate) async fn start(
    source: &Arc<Control>,
    destination: &Control,
    plan: &Plan,
    how: Start,
) -> Result<Running, Error> {
    let (attempted, order) = match how {
        Start::Begin => (format!("migrate domain {} to {}", plan.name, plan.destination.host), Order::of(plan)),
        Start::Resume => (
            format!("resume the post-copy of domain {} to {}", plan.name, plan.destination.host),
            Order::of(plan).resuming(),
        ),
    };
    let here = |failure: Failure| Error {
        host: source.host().name.clone(),
        attempted: attempted.clone(),
        cause: Cause::Libvirt(failure),
    };
    order.possible_with(raw::client_version().map_err(here)?).map_err(here)?;
    let link = source.own_link().await?;
    let planned = plan.clone();
    let limit = source.host().limits.read;
    let domain = link.call(&attempted, limit, move |session| match how {
        Start::Begin => {
            let domain = ready(session, &planned)?;
            let sent = sent::definitions(&domain, &planned)?;
            Ok((domain, sent))
        }
        // What arrived is there already.
        Start::Resume => Ok((half(session, &planned)?, None)),
    });
    let (domain, sent) = domain.await?;
    let order = match sent {
        Some(sent) => order.with(sent),
        None => order,
    };
    let mut running = Running {
        source: Arc::clone(source),
        domain: plan.domain,
        attempted,
        answer: oneshot::channel().1,
        logs: logs(&source.host().uri, plan),
        destination: None,
        aborting: None,
        unheard: false,
        result: None,
    };
    // The call keeps its connections for itself: nothing else may take up a lane of them, and they end with the call.
    running.answer = match plan.transport {
        Transport::PeerToPeer | Transport::Tunnelled => {
            let peer_uri = plan.peer_uri.clone();
            link.submit_for_good(move |_| {
                let result = raw::migrate_to_uri(&domain, &peer_uri, &order.params, order.flags);
                result.map_err(|failure| in_whose_way(&domain, how, failure))
            })
        }
        Transport::Direct => {
            let there = destination.own_link().await?;
            let planned = plan.destination.uuid;
            let limit = destination.host().limits.read;
            let connection = there.call(&running.attempted, limit, move |session| {
                same_host(session, planned)?;
                Ok(session.connection.share())
            });
            let connection = connection.await?;
            running.destination = Some(there.watch());
            link.submit_for_good(move |_| {
                let result = raw::migrate(&domain, &connection, &order.params, order.flags)
                    .map_err(|failure| in_whose_way(&domain, how, failure));
                // The last reference closes the connection, and that may wait for the daemon: not on somebody else's thread.
                there.drop_there(connection, None);
                result
            })
        }
    };
    Ok(running)
}

/// Whether the plan's edits can be made right now.
pub(crate) async fn rehearse(source: &Control, plan: &Plan) -> Result<(), Error> {
    let attempted = format!("edit the definition of domain {}", plan.name);
    let planned = plan.clone();
    source.read(attempted, move |session| sent::definitions(&ready(session, &planned)?, &planned).map(drop)).await
}

/// Of two who begin at once libvirt refuses one, with a number that it has for much else and words in the language of its daemon.
/// Whoever takes that for an end of its own would take the other's transfer for its own, and end it. A call of ours that returned has
/// no job any more, but for a post-copy that broke: another migration that runs then is another's.
fn in_whose_way(domain: &Domain, how: Start, failure: Failure) -> Failure {
    let unclear = failure.is_invalid_operation() && failure.kind() != FaultKind::Migrating;
    if how == Start::Begin && unclear && domain::is_migrating(domain) {
        return failure.behind_another_migration();
    }
    failure
}

/// The half that the source holds of a guest whose post-copy broke.
fn half(session: &Session, plan: &Plan) -> Result<Domain, Failure> {
    same_host(session, plan.source.uuid)?;
    let domain = domain::find(session, &DomainKey::Id(plan.domain))?;
    let (state, reason) = domain::state(&domain)?;
    if state != DomainState::Paused || reason != "post-copy-failed" {
        return Err(Failure::refused(format!("the domain is {state} ({reason}) now: there is no post-copy to resume")));
    }
    Ok(domain)
}

/// Looks at the source right before the call. What is checked here would not fail but do something else: libvirt moves
/// only the definition of a running domain when told to migrate offline.
fn ready(session: &Session, plan: &Plan) -> Result<Domain, Failure> {
    same_host(session, plan.source.uuid)?;
    let domain = domain::find(session, &DomainKey::Id(plan.domain))?;
    let (state, _) = domain::state(&domain)?;
    let fits = match plan.mode {
        TransferMode::Live => state.is_active(),
        TransferMode::Offline => state == DomainState::ShutOff,
    };
    if !fits {
        return Err(Failure::refused(format!(
            "the domain is {state} now, and the plan is to migrate it {}",
            plan.mode
        )));
    }
    Ok(domain)
}

/// Whether the host that was planned is the one that answers.
fn same_host(session: &Session, planned: Option<Uuid>) -> Result<(), Failure> {
    match (planned, session.host_uuid()?) {
        (Some(planned), Some(answers)) if planned != answers => {
            Err(Failure::refused(format!("host {answers} answers, and the plan was made for host {planned}")))
        }
        _ => Ok(()),
    }
}

/// The call that is under way.
pub(crate) struct Running {
    source: Arc<Control>,
    domain: DomainId,
    attempted: String,
    answer: oneshot::Receiver<Result<(), Failure>>,
    /// Where the hypervisor of either side says what happened to it.
    logs: Option<String>,
    /// Why the connection to the destination closed, of a direct migration whose call still relies on it.
    destination: Option<watch::Receiver<Option<String>>>,
    /// The order to abort that this gave because of it. It answers whether nobody heard what became of it.
    aborting: Option<JoinHandle<bool>>,
    /// Nobody did.
    unheard: bool,
    result: Option<Result<(), Fault>>,
}

impl Transfer for Running {
    fn finished(&mut self) -> Later<'_, Result<(), Fault>> {
        Box::pin(async move {
            let result = match &self.result {
                Some(result) => result.clone(),
                None => {
                    let result = self.returned().await;
                    self.result.insert(result).clone()
                }
            };
            // It may not outlive the call: by then it would hit another job of the domain. Its deadline bounds it.
            if let Some(order) = &mut self.aborting {
                // An error: it ended by a defect, and may have been given.
                self.unheard = order.await.unwrap_or(true);
                self.aborting = None;
            }
            result
        })
    }
    fn may_abort_yet(&self) -> bool {
        self.unheard
    }
}

/// The hypervisor's logs of either side, which no call of libvirt hands out: a person has to read them there.
fn logs(uri: &str, plan: &Plan) -> Option<String> {
    let path = uri.split_once("://").filter(|(scheme, _)| scheme.starts_with("qemu"))?.1;
    let path = path.split_once('/')?.1;
    (path.split('?').next() == Some("system")).then(|| {
        let log = |name: &str, host: &HostName| format!("/var/log/libvirt/qemu/{name}.log on {host}");
        let (here, there) = (log(&plan.name, &plan.source.host), log(&plan.destination_name, &plan.destination.host));
        format!("libvirt doesn't hand out the hypervisor's own log: {here}, {there}")
    })
}

impl Running {
    /// Waits for the call's own answer. May be dropped and called again until it has one.
    async fn returned(&mut self) -> Result<(), Fault> {
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut self.answer => break answer,
                () = closed(&mut self.destination) => {
                    self.destination = None;
                    self.aborting = Some(self.abort());
                }
            }
        };
        let cause = match answer {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => Cause::Libvirt(self.with_logs(failure)),
            Err(_) => Cause::Defect,
        };
        let host: HostName = self.source.host().name.clone();
        Err(Error { host, attempted: self.attempted.clone(), cause }.into())
    }

    /// A failure whose words may not be the cause, with where the cause would be.
    fn with_logs(&self, failure: Failure) -> Failure {
        match (&self.logs, failure.kind()) {
            (Some(logs), FaultKind::HypervisorDied | FaultKind::Other) => {
                Failure { message: format!("{}; {logs}", failure.message), ..failure }
            }
            _ => failure,
        }
    }

    /// The source doesn't know that nobody can complete what it sends: it would go on for ever, and the call with it.
    fn abort(&self) -> JoinHandle<bool> {
        let (source, id) = (Arc::clone(&self.source), self.domain);
        let ordered = async move {
            let attempted = orders::attempted(Command::AbortJob, id);
            let order =
                source.order(&attempted, move |session| orders::carry_out(session, id, Command::AbortJob, None));
            let Err(error) = order.await else { return false };
            tracing::warn!(%error, "the connection to the destination broke, and the migration can't be ended");
            matches!(Fault::from(error).kind, FaultKind::Unreachable | FaultKind::Deadline)
        };
        tokio::spawn(ordered.in_current_span())
    }
}

/// Returns when the connection has closed; without one, never.
async fn closed(connection: &mut Option<watch::Receiver<Option<String>>>) {
    if let Some(connection) = connection {
        // An error: the connection's last thread is gone, so it is closed.
        let _ = connection.wait_for(Option::is_some).await;
        return;
    }
    std::future::pending().await
}
