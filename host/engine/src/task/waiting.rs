//! Waiting for a slot: before any fact is read, so that what the plan is made on is fresh when the task's turn comes, and
//! before anything is recorded, so that a task that waits has nothing to undo.

use std::time::Duration;

use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::Course;
use waypost_core::phase::Phase;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::queue::{SlotWish, Turn, turn};
use waypost_core::request::{Mode, Options};
use waypost_core::stream::Transport;

use super::Task;
use crate::engine::Ports;
use crate::error::EngineError;

/// How often the first in line asks. The others ask as often as for a wish to cancel.
const FIRST_ASKS_EVERY: Duration = Duration::from_millis(100);

/// What a task's slot must cover, from what is known before the facts are; none for one that moves no memory.
/// `instead` is the network of a plan that had to be dropped.
pub(super) async fn wish(
    task: &Task,
    source: &HostName,
    instead: Option<Option<String>>,
) -> Result<Option<SlotWish>, EngineError> {
    let request = &task.recorder.course.current;
    let options = &request.options;
    if options.mode == Mode::Offline {
        return Ok(None);
    }
    Ok(Some(SlotWish {
        priority: options.priority,
        source: source.clone(),
        destination: request.destination.clone(),
        network: match instead {
            Some(network) => network.filter(|name| task.ports().settings().slots.networks.contains_key(name)),
            None => expected(task, options, source).await?,
        },
    }))
}

/// The network that will be taken if it is up. Only asked for where a network has a limit: the domain is read for it.
async fn expected(task: &Task, options: &Options, source: &HostName) -> Result<Option<String>, EngineError> {
    let (ports, request) = (task.ports(), &task.recorder.course.current);
    let own_way = options.migrate_uri.is_some() || options.transport == Transport::Tunnelled;
    let settings = ports.settings();
    if own_way || settings.slots.networks.is_empty() {
        return Ok(None);
    }
    let domain = ports.hypervisor.domain_facts(source, &request.domain).await?;
    let metadata = domain.migration_network.as_deref();
    let networks = &settings.networks;
    let wanted = networks.wanted(options.network.as_deref(), metadata, &domain.name, source, &request.destination);
    Ok(wanted.map(|(name, _)| name).filter(|name| settings.slots.networks.contains_key(name)))
}

/// Asks for the slot once.
pub(super) fn claim(task: &Task, wish: &SlotWish) -> Result<Turn, EngineError> {
    let ports = task.ports();
    Ok(ports.store.claim_slot(task.recorder.id, ports.clock.now(), wish, &ports.settings().slots)?)
}

/// The slot of another network, where the plan takes another than was expected. Answers with its place in the queue if
/// that network is full.
pub(super) fn follow(task: &Task, wish: Option<&SlotWish>, plan: &Plan) -> Result<Option<Turn>, EngineError> {
    let limited = |name: &String| task.ports().settings().slots.networks.contains_key(name);
    let network = plan.network.clone().filter(limited);
    match wish {
        Some(wish) if wish.network != network => {
            let turn = claim(task, &SlotWish { network, ..wish.clone() })?;
            Ok((turn != Turn::Granted).then_some(turn))
        }
        _ => Ok(None),
    }
}

/// Waits until it may be the task's turn, or somebody wants to cancel it.
pub(super) async fn until_turn(task: &mut Task, mut said: Turn) -> Result<(), EngineError> {
    let id = task.recorder.id;
    loop {
        task.recorder.note(said.to_string());
        said = loop {
            if task.note_cancel()? {
                return Ok(());
            }
            let ports = std::sync::Arc::clone(task.ports());
            let freed = ports.freed.notified();
            let now = look(&ports, id)?;
            match now {
                Turn::Granted => return Ok(()),
                now if now != said => break now,
                Turn::Waiting { place, .. } => {
                    let first = async {
                        if place > 1 {
                            std::future::pending::<()>().await;
                        }
                        tokio::time::sleep(FIRST_ASKS_EVERY).await;
                    };
                    // Other processes free slots too; the store tells nobody, so it is asked.
                    tokio::select! {
                        () = freed => {}
                        () = first => {}
                        () = task.cancel_changed() => {}
                    }
                }
            }
        };
    }
}

/// Where a task stands in the queue. Only reads.
pub(crate) fn look(ports: &Ports, id: TaskId) -> Result<Turn, EngineError> {
    Ok(turn(id, &ports.store.queue()?, &ports.settings().slots, ports.clock.now()))
}

/// The same of a task that another process drives; none if it isn't waiting.
pub(crate) fn standing(ports: &Ports, id: TaskId) -> Result<Option<Turn>, EngineError> {
    let entries = ports.store.queue()?;
    let waits = entries.iter().any(|entry| entry.task == id && !entry.holds);
    Ok(waits
        .then(|| turn(id, &entries, &ports.settings().slots, ports.clock.now()))
        .filter(|turn| *turn != Turn::Granted))
}

/// Takes the slot of a task whose transfer runs, on the network that carries it now and whatever the limits say: an earlier
/// controller began it, or it was resumed over another network.
pub(crate) fn keep(ports: &Ports, id: TaskId, course: &Course) -> Result<(), EngineError> {
    let running = matches!(course.phase, Phase::Performing | Phase::Finishing | Phase::Locating | Phase::Recovering);
    match &course.plan {
        Some(plan) if running && plan.mode == TransferMode::Live => {
            let wish = SlotWish {
                priority: course.request.options.priority,
                source: plan.source.host.clone(),
                destination: plan.destination.host.clone(),
                network: plan.over(course.way.as_deref()).network,
            };
            Ok(ports.store.hold_slot(id, ports.clock.now(), &wish)?)
        }
        _ => Ok(()),
    }
}
