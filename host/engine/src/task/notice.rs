//! The notice that the domain carries while it is moved, for whoever else is about to move it. It excludes nobody, so nothing
//! depends on it: one that can't be put is no reason not to move the domain, and one that can't be taken away says of a task
//! that is over that it is. That it may be there follows from the record that the transfer was intended.

use waypost_core::ids::HostName;
use waypost_core::journal::Record;
use waypost_core::notice::Notice;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::situation::{Side, Situation};

use super::Task;
use crate::error::EngineError;

/// Puts this task's notice on the domain. Of a definition that travels there is nothing to be put it on.
pub(super) async fn put(task: &Task, plan: &Plan) {
    if plan.mode != TransferMode::Live {
        return;
    }
    // One that is there may be of somebody who begins at this very moment, and is a better name than ours if libvirt then
    // lets that one have the domain. One that is old goes with the next arrival.
    if others(task, plan).await.is_some() {
        return;
    }
    let ports = task.ports();
    let notice = Notice {
        task: task.recorder.id,
        controller: ports.settings().controller.clone(),
        since: ports.clock.now(),
        destination: plan.destination.uuid,
    };
    if let Err(fault) = ports.hypervisor.put_notice(&plan.source.host, plan.domain, Some(&notice)).await {
        tracing::info!(%fault, "no notice on the domain");
    }
}

/// Takes it away from the source, where the domain stays: only if it is this task's.
pub(super) async fn take(task: &Task, plan: &Plan) {
    take_from(task, plan, &plan.source.host, |notice| notice.task == task.recorder.id).await;
}

/// Takes it away from the destination, where this task has moved the domain: whoever else wrote one did not.
pub(super) async fn clear(task: &Task, plan: &Plan) {
    take_from(task, plan, &plan.destination.host, |_| true).await;
}

async fn take_from(task: &Task, plan: &Plan, host: &HostName, ours: impl Fn(&Notice) -> bool) {
    if plan.mode != TransferMode::Live {
        return;
    }
    let hypervisor = &task.ports().hypervisor;
    let taken = match hypervisor.notice(host, plan.domain).await {
        Ok(Some(notice)) if ours(&notice) => hypervisor.put_notice(host, plan.domain, None).await,
        Ok(_) => Ok(()),
        Err(fault) => Err(fault),
    };
    if let Err(fault) = taken {
        tracing::info!(%fault, "the notice stays on the domain");
    }
}

/// Whose notice the domain carries, if it was put there after the transfer of this attempt was intended: another may have it on
/// its way then. An older one is left over, or of somebody whom the hypervisor refused.
///
/// Of two who begin at the same moment, one may so take its own job for the other's, whose notice came between its record and its
/// call and which was refused then. Nobody can prevent that: as long as a job holds the domain the hypervisor changes no
/// metadata, so that the refused one can't take its notice away, nor the other put its own there. Where they go tells them apart:
/// what comes in where this task's goes is not the transfer of one that goes elsewhere. Of two to one host nothing tells, and it is
/// the safe side to err on: what may be another's is neither steered nor ended.
pub(super) async fn newer(task: &Task, plan: &Plan, now: &Situation) -> Result<Option<String>, EngineError> {
    let read = task.ports().hypervisor.notice(&plan.source.host, plan.domain).await;
    let Some(notice) = read.ok().flatten().filter(|notice| notice.task != task.recorder.id) else { return Ok(None) };
    if let (Some(ours), Some(theirs)) = (plan.destination.uuid, notice.destination)
        && ours != theirs
        && matches!(&now.destination, Side::Present(there) if there.job && there.host == Some(ours))
    {
        return Ok(None);
    }
    let journal = task.ports().store.journal(task.recorder.id)?;
    let intended = journal.iter().rev().find(|(_, record)| *record == Record::PerformIntended).map(|(at, _)| *at);
    let newer = intended.is_some_and(|intended| notice.since >= intended);
    Ok(newer.then(|| format!("{} carries the notice of {notice}", plan.name)))
}

/// Whose notice the domain carries, if it is somebody else's: what a refusal leaves out.
pub(super) async fn others(task: &Task, plan: &Plan) -> Option<String> {
    let notice = task.ports().hypervisor.notice(&plan.source.host, plan.domain).await.ok()??;
    (notice.task != task.recorder.id).then(|| format!("{} carries the notice of {notice}", plan.name))
}
