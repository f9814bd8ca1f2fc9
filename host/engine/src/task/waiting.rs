//! Waiting for a slot: before any fact is read, so that what the plan is made on is fresh when the task's turn comes, and
//! before anything is recorded, so that a task that waits has nothing to undo.

use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::Course;
use waypost_core::network::MANAGEMENT;
use waypost_core::phase::Phase;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::queue::{SlotWish, Turn};
use waypost_core::request::{Mode, Options};
use waypost_core::stream::Transport;

use super::{Task, ticker};
use crate::engine::Ports;
use crate::error::EngineError;
use crate::line::{SERVES_FOR, Standings};

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
            Some(network) => network,
            None => expected(task, options, source).await?,
        },
    }))
}

/// The network that will be taken if it is up. Only asked for where some network has a limit: the domain is read for it.
/// Elsewhere it is noted once the plan says it.
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
    // The management network is none of those with a limit.
    Ok(wanted.map(|(name, _)| name).filter(|name| name != MANAGEMENT))
}

/// Asks for the slot once.
pub(super) fn claim(task: &Task, wish: &SlotWish) -> Result<Turn, EngineError> {
    let ports = task.ports();
    let turn = ports.store.claim_slot(task.recorder.id, ports.clock.now(), wish, &ports.settings().slots)?;
    // Also where it must wait: what the others know is older than that.
    ports.line.changed();
    Ok(turn)
}

/// The slot of another network, where the plan takes another than was expected. Answers with its place in the queue if
/// that network is full. One without a limit is noted as well: another program over the same store may know one, and counts
/// what is there, and so does this one once its configuration has one.
pub(super) fn follow(task: &Task, wish: Option<&SlotWish>, plan: &Plan) -> Result<Option<Turn>, EngineError> {
    let (ports, network) = (task.ports(), plan.network.clone());
    let Some(wish) = wish.filter(|wish| wish.network != network) else { return Ok(None) };
    let limited = network.as_ref().is_some_and(|name| ports.settings().slots.networks.contains_key(name));
    let wish = SlotWish { network, ..wish.clone() };
    if !limited {
        ports.store.hold_slot(task.recorder.id, ports.clock.now(), &wish)?;
        ports.line.changed();
        return Ok(None);
    }
    let turn = claim(task, &wish)?;
    Ok((turn != Turn::Granted).then_some(turn))
}

/// Waits until it may be the task's turn, or somebody wants to cancel it.
pub(super) async fn until_turn(task: &mut Task, mut said: Turn) -> Result<(), EngineError> {
    let (id, ports) = (task.recorder.id, std::sync::Arc::clone(task.ports()));
    // Apart from the waking: slots may be freed more often than a wish of another process is looked for.
    let mut poll = ticker(ports.settings().cancel_poll);
    let mut handle_lives = true;
    if task.note_cancel()? {
        return Ok(());
    }
    loop {
        task.recorder.note(said.to_string());
        said = loop {
            let freed = ports.line.next_freed();
            let standings = standings(&ports)?;
            let place = match standings.get(&id) {
                // One that isn't among those that wait has to ask again.
                None | Some(Turn::Granted) => return Ok(()),
                Some(now) if *now != said => break now.clone(),
                Some(Turn::Waiting { place, .. }) => *place,
            };
            let first = async {
                if place > 1 {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(SERVES_FOR).await;
            };
            // Other processes free slots too; the store tells nobody, so it is asked.
            let ask = tokio::select! {
                () = freed => false,
                () = first => false,
                changed = task.wanted.changed(), if handle_lives => {
                    handle_lives = changed.is_ok();
                    true
                }
                _ = poll.tick() => true,
            };
            if ask && task.note_cancel()? {
                return Ok(());
            }
        };
    }
}

/// Where everybody stands in the queue. Only reads.
pub(crate) fn standings(ports: &Ports) -> Result<Standings, EngineError> {
    Ok(ports.line.standings(ports.store.as_ref(), &ports.settings().slots, ports.clock.as_ref())?)
}

/// Where a task stands, which another process may drive; none if it isn't waiting.
pub(crate) fn standing(ports: &Ports, id: TaskId) -> Result<Option<Turn>, EngineError> {
    Ok(standings(ports)?.get(&id).filter(|turn| **turn != Turn::Granted).cloned())
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
            ports.store.hold_slot(id, ports.clock.now(), &wish)?;
            ports.line.changed();
            Ok(())
        }
        _ => Ok(()),
    }
}
