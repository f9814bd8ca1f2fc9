//! Targets of copied disks: made before the transfer, each after its record, and taken back if the domain did not move.
//!
//! A volume is removed only if it can be nothing but what this migration made. That takes more than a name: the planned
//! host must answer, the domain must not be active there, the volume must be of the size and format that were made - and
//! as empty as it was made, where nobody heard whether it was -, no domain of that host may name it, nor one of the source
//! but the one that moves, and it must not be the file that the source runs from. What a moment can change is asked once more
//! at the very end. Whatever can't be shown is left where it is and told to a person.

use waypost_core::copies::{CopiedDisk, fits, is_as_new, may_be_the_source};
use waypost_core::facts::DomainBrief;
use waypost_core::ids::HostName;
use waypost_core::journal::{Record, Step, StepEnd};
use waypost_core::plan::{Before, Plan};
use waypost_core::ports::{Creation, FoundVolume};
use waypost_core::situation::{Action, Side};
use waypost_core::stream::DiskCopy;

use super::Task;
use crate::error::EngineError;

/// Makes the target of every copied disk ready. The inner error says why the migration can't go on.
pub(super) async fn make(task: &mut Task, plan: &Plan) -> Result<Result<(), String>, EngineError> {
    for disk in &plan.copies.0 {
        if task.note_cancel()? {
            return Ok(Ok(()));
        }
        task.recorder.note(format!("making disk {} ready on {}", disk.target, plan.destination.host));
        let ready = match plan.disks.copy {
            DiskCopy::Incremental => prepared_by_hand(task, plan, disk).await,
            DiskCopy::Full | DiskCopy::No => make_one(task, plan, disk).await?,
        };
        if let Err(why) = ready {
            return Ok(Err(why));
        }
    }
    Ok(Ok(()))
}

async fn make_one(task: &mut Task, plan: &Plan, disk: &CopiedDisk) -> Result<Result<(), String>, EngineError> {
    let host = &plan.destination.host;
    let hypervisor = task.ports().hypervisor.clone();
    let taken = format!("there is something at {} on {host} already, and nothing is ever written over", disk.path);
    match hypervisor.volume(host, &disk.pool, &disk.volume).await {
        Ok(None) => {}
        Ok(Some(_)) => return Ok(Err(taken)),
        Err(fault) => return Ok(Err(fault.to_string())),
    }
    if let Err(why) = unused(task, plan, disk).await {
        return Ok(Err(why));
    }
    let step = Step::Volume { host: host.clone(), disk: disk.clone() };
    task.record(Record::StepIntended { step: step.clone() })?;
    let made = match hypervisor.create_volume(host, disk).await {
        Ok(Creation::Made) => match as_made(task, host, disk).await {
            Ok(there) if there == *disk => Ok(()),
            Ok(there) => {
                let why = format!(
                    "volume {} on {host} was made as {} of {} bytes instead of {} of {} bytes",
                    disk.volume, there.format, there.capacity_bytes, disk.format, disk.capacity_bytes
                );
                // Written down as what it is: what isn't of the size on record is never taken back.
                let other = Step::Volume { host: host.clone(), disk: there };
                task.record(Record::StepIntended { step: other.clone() })?;
                task.record(Record::StepSettled { step: other, result: Ok(StepEnd::Done) })?;
                task.record(Record::StepSettled { step, result: Ok(StepEnd::Undone) })?;
                return Ok(Err(why));
            }
            Err(why) => Err(why),
        },
        // Nothing of this migration is there, so there is nothing to take back either.
        Ok(Creation::Taken) => {
            task.record(Record::StepSettled { step, result: Ok(StepEnd::Undone) })?;
            return Ok(Err(taken));
        }
        Err(fault) => Err(fault.to_string()),
    };
    task.record(Record::StepSettled { step, result: made.clone().map(|()| StepEnd::Done) })?;
    Ok(made)
}

/// The disk as it was made. What was ordered and what is there may differ: a driver rounds a size, or doesn't know a format.
async fn as_made(task: &Task, host: &HostName, disk: &CopiedDisk) -> Result<CopiedDisk, String> {
    match task.ports().hypervisor.volume(host, &disk.pool, &disk.volume).await {
        Ok(Some(FoundVolume { volume, .. })) => {
            let format = volume.format.unwrap_or_else(|| disk.format.clone());
            Ok(CopiedDisk { capacity_bytes: volume.capacity_bytes, format, ..disk.clone() })
        }
        Ok(None) => Err(format!("volume {} was made on {host}, and it is not there", disk.volume)),
        Err(fault) => Err(fault.to_string()),
    }
}

/// The target of an incremental copy is a person's: it is looked at, and left alone.
async fn prepared_by_hand(task: &Task, plan: &Plan, disk: &CopiedDisk) -> Result<(), String> {
    let host = &plan.destination.host;
    let found = task.ports().hypervisor.volume(host, &disk.pool, &disk.volume).await.map_err(|f| f.to_string())?;
    let Some(FoundVolume { volume, backing }) = found else {
        return Err(format!("the prepared target {} is not on {host} any more", disk.path));
    };
    if !fits(disk, &volume) {
        return Err(format!("the prepared target {} on {host} is not of the disk's size and format", disk.path));
    }
    if backing != disk.backing {
        let shown = |image: &Option<String>| image.clone().unwrap_or_else(|| "no image".into());
        return Err(format!(
            "behind the prepared target {} on {host} is {}, and behind the disk is {}",
            disk.path,
            shown(&backing),
            shown(&disk.backing)
        ));
    }
    unused(task, plan, disk).await
}

/// Whether no domain of the destination names the volume.
async fn unused(task: &Task, plan: &Plan, disk: &CopiedDisk) -> Result<(), String> {
    let host = &plan.destination.host;
    let users = task.ports().hypervisor.users_of(host, disk).await.map_err(|fault| fault.to_string())?;
    // The definition that was there before the migration, and that the domain comes back to, names its disk.
    let own = |user: &DomainBrief| {
        user.id == plan.domain && plan.destination_before == Before::Defined && !user.state.is_active()
    };
    match users.iter().find(|user| !own(user)) {
        Some(user) => Err(format!("domain {} on {host} names {}", user.name, disk.path)),
        None => Ok(()),
    }
}

/// Whether no domain of the source but the one that moves names the path, which may be one place on a store that both hosts
/// have. Whether the source shows a volume there makes no difference: its guests may name plain files of that store, for
/// which it has no pool. Where the stores are two the answer costs a volume that is left and told at worst.
///
/// The one that moves names the path in any case, because a copy goes to the path of its disk. That its disk is another file
/// is known without asking: the target was made where nothing was, and doesn't look like what the source has there.
async fn unused_by_source(task: &Task, plan: &Plan, disk: &CopiedDisk) -> Result<(), String> {
    let host = &plan.source.host;
    let users = task.ports().hypervisor.users_of(host, disk).await.map_err(|fault| fault.to_string())?;
    match users.iter().find(|user| user.id != plan.domain) {
        Some(user) => Err(format!("domain {} on {host} names {}", user.name, disk.path)),
        None => Ok(()),
    }
}

/// Takes one target back. The error says why it is still there.
pub(super) async fn take_back(task: &mut Task, plan: &Plan, host: &HostName, disk: &CopiedDisk) -> Result<(), String> {
    let words = |fault: waypost_core::ports::Fault| fault.to_string();
    let hypervisor = task.ports().hypervisor.clone();
    let step = Step::Volume { host: host.clone(), disk: disk.clone() };
    let known = task.recorder.course.done_steps.contains(&step);
    may_be_taken_back(task, plan).await?;
    let Some(found) = hypervisor.volume(host, &disk.pool, &disk.volume).await.map_err(words)? else { return Ok(()) };
    if !fits(disk, &found.volume) {
        return Err("it is not of the size and format that were made".into());
    }
    if !known && !is_as_new(disk, &found.volume) {
        return Err("nobody heard whether this migration made it, and it is not empty".into());
    }
    unused(task, plan, disk).await?;
    let source = &plan.source.host;
    let before = hypervisor.volume_at(source, &disk.path).await.map_err(words)?;
    let Some(now) = hypervisor.volume(host, &disk.pool, &disk.volume).await.map_err(words)? else { return Ok(()) };
    let after = hypervisor.volume_at(source, &disk.path).await.map_err(words)?;
    if may_be_the_source(before.as_ref(), &now.volume, after.as_ref()) {
        return Err(format!("it may be the file that {source} has there"));
    }
    // All of this took time, and somebody may have come meanwhile.
    unused_by_source(task, plan, disk).await?;
    unused(task, plan, disk).await?;
    may_be_taken_back(task, plan).await?;
    hypervisor.remove_volume(host, &disk.pool, &disk.volume).await.map_err(words)?;
    match hypervisor.volume(host, &disk.pool, &disk.volume).await.map_err(words)? {
        None => Ok(()),
        Some(_) => Err("it was removed, and is still there".into()),
    }
}

/// Both sides, right now: the domain must be known not to need anything that is on the destination.
async fn may_be_taken_back(task: &mut Task, plan: &Plan) -> Result<(), String> {
    let now = task.look(plan).await;
    let answers = match &now.destination {
        Side::Unknown(why) => return Err(why.clone()),
        Side::Absent { host } => *host,
        Side::Present(seen) if seen.state.is_active() || seen.job => {
            return Err(format!("the domain is {} there", seen.state));
        }
        Side::Present(seen) => seen.host,
    };
    if let (Some(planned), Some(answers)) = (plan.destination.uuid, answers)
        && planned != answers
    {
        return Err(format!("host {answers} answers, and the plan was made for host {planned}"));
    }
    if let Side::Unknown(why) = &now.source {
        return Err(format!("the source doesn't tell where the domain is: {why}"));
    }
    let committed = task.recorder.performing.is_some();
    if committed && !task.permitted(plan, &now).contains(&Action::AcceptSource) {
        return Err("the domain is not known to be safe on the source any more".into());
    }
    Ok(())
}

/// How a volume that is still there is told to a person.
pub(super) fn left_over(host: &HostName, disk: &CopiedDisk, why: &str) -> String {
    format!(
        "{} on {host}, made for disk {} ({why}): virsh vol-delete {} {}",
        disk.path, disk.target, disk.volume, disk.pool
    )
}

/// The volumes that this migration made, for a person who takes over from here.
pub(super) fn still_there(task: &Task) -> Vec<String> {
    let of = |step: &Step| match step {
        Step::Volume { host, disk } => Some(format!("{} on {host}", disk.path)),
        Step::MaxDowntime { .. } | Step::SourceAutostart { .. } | Step::Throttle { .. } => None,
    };
    task.recorder.course.open_steps.iter().filter_map(of).collect()
}
