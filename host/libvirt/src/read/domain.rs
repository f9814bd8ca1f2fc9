//! A domain: its facts, and what one host says of it right now.

use virt::domain::Domain;
use virt_sys as sys;
use waypost_core::evidence::Evidence;
use waypost_core::facts::{ActiveJob, BlockJob, Document, DomainFacts, DomainState};
use waypost_core::ids::{DomainId, DomainKey};
use waypost_core::sample::{Sample, Stage};
use waypost_core::situation::{DiskErrors, Observed, Side};

use crate::error::{Failure, existing, supported};
use crate::facts::{self, DiskSource, Numbers};
use crate::link::Session;
use crate::raw::{self, JobKind};
use crate::read::{Glimpse, storage};

pub(crate) fn find(session: &Session, key: &DomainKey) -> Result<Domain, Failure> {
    Ok(match key {
        DomainKey::Id(id) => Domain::lookup_by_uuid(&session.connection, id.0)?,
        DomainKey::Name(name) => Domain::lookup_by_name(&session.connection, storage::plain(name)?)?,
    })
}

/// State and reason.
pub(crate) fn state(domain: &Domain) -> Result<(DomainState, String), Failure> {
    let (state, reason) = raw::state(domain)?;
    Ok((facts::domain_state(state), facts::state_reason(state, reason)))
}

pub(crate) fn facts(session: &Session, key: &DomainKey) -> Result<DomainFacts, Failure> {
    let domain = find(session, key)?;
    let (state, reason) = state(&domain)?;
    let persistent = domain.is_persistent()?;
    let current = domain.get_xml_desc(0)?;
    let numbers = Numbers {
        state,
        reason,
        persistent,
        autostart: persistent && domain.get_autostart()?,
        managed_save: persistent && supported(domain.has_managed_save(0))?.unwrap_or(false),
        snapshots: snapshots(&domain)?,
        checkpoints: supported(raw::checkpoints(&domain))?.unwrap_or_default(),
        job: job(&domain)?,
        block_jobs: Vec::new(),
        documents: documents(&domain, state, persistent, &current)?,
    };
    let mut facts = facts::domain(&current, numbers)?;
    for disk in &mut facts.disks {
        let Some(source) = DiskSource::of(disk) else { continue };
        let place = storage::place(session, &source)?;
        disk.backing = match std::mem::take(&mut disk.backing) {
            named if named.is_empty() => storage::chain(session, &place)?,
            named => storage::weighed(session, named)?,
        };
        if disk.kind != "volume" {
            disk.volume = place.volume.as_ref().map(|volume| volume.name.clone());
            disk.pool = place.pool;
        }
        // A file that isn't there, or a driver without the call: then there is no size to tell.
        match raw::block_size(&domain, &disk.target) {
            Ok(size) => (disk.capacity_bytes, disk.allocation_bytes) = (Some(size.capacity), Some(size.allocation)),
            Err(failure) if session.connection.is_open() => {
                tracing::debug!(%failure, disk = disk.target, "no size of a disk");
            }
            Err(failure) => return Err(failure),
        }
        if state.is_active() && !disk.read_only {
            let job = supported(raw::block_job(&domain, &disk.target))?.flatten();
            facts
                .block_jobs
                .extend(job.map(|job| BlockJob { disk: disk.target.clone(), kind: facts::block_job_kind(job.kind) }));
        }
    }
    Ok(facts)
}

fn snapshots(domain: &Domain) -> Result<Vec<String>, Failure> {
    let snapshots = supported(domain.list_all_snapshots(0))?.unwrap_or_default();
    Ok(snapshots.iter().map(|snapshot| snapshot.get_name()).collect::<Result<_, _>>()?)
}

/// The documents without secrets. None is asked for with libvirt's SECURE flag; the migratable one has them all the same, and
/// some are in every one (`facts/secrets.rs`). What is sent to a destination is read anew, with them (`transfer/sent.rs`).
fn documents(domain: &Domain, state: DomainState, persistent: bool, current: &str) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    let mut add = |kind: &str, xml: String| -> Result<(), Failure> {
        documents.push(Document { kind: kind.to_owned(), xml: facts::without_secrets(xml)? });
        Ok(())
    };
    if state.is_active() {
        add("live", current.to_owned())?;
    }
    if persistent {
        add("inactive", domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)?)?;
    }
    if let Some(xml) = supported(domain.get_xml_desc(sys::VIR_DOMAIN_XML_MIGRATABLE))? {
        add("migratable", xml)?;
    }
    Ok(documents)
}

/// The job that runs on the domain. A driver that knows no jobs has none; any other refusal to tell counts as a job, unless
/// the domain isn't even active: to take a migration that comes in for nothing would be the worst mistake of all.
fn job(domain: &Domain) -> Result<Option<ActiveJob>, Failure> {
    match raw::job_stats(domain, 0) {
        Ok((JobKind::Running, params)) => Ok(Some(facts::active_job(&params))),
        Ok(_) => Ok(None),
        Err(failure) if failure.is_no_support() => Ok(None),
        Err(failure) if failure.is_unsupported() || failure.is_invalid_operation() => {
            // Of a migration that comes in libvirt says that its figures are to be had on the source.
            let incoming = || ActiveJob { operation: "migration-in".to_owned(), elapsed_ms: None };
            Ok(domain.is_active()?.then(incoming))
        }
        Err(failure) => Err(failure),
    }
}

/// What this host says of the domain. The job is asked for before what decides: if none runs then, what is read after it is what
/// the job left; the other way round a migration could end in between and leave "running, no job" behind on its source. What is
/// read before it is for the words of a look that waits for the hypervisor in vain.
pub(crate) fn observe(session: &Session, id: DomainId, glimpse: &Glimpse) -> Result<Side, Failure> {
    // Of an earlier try on a connection that broke.
    glimpse.forget();
    let host = session.host_uuid()?;
    let observed: Result<Observed, Failure> = (|| {
        let domain = find(session, &DomainKey::Id(id))?;
        let (before, why) = state(&domain)?;
        // Of a domain without a process no hypervisor is asked.
        if before.is_active() {
            glimpse.note(before, &why, domain.is_persistent()?);
        }
        let job = job(&domain)?.is_some();
        let persistent = domain.is_persistent()?;
        let autostart = persistent && domain.get_autostart()?;
        let (state, reason) = state(&domain)?;
        let disk_errors = disk_errors(&domain, &reason);
        Ok(Observed { host, name: domain.get_name()?, state, reason, persistent, autostart, job, disk_errors })
    })();
    // libvirt itself gave up waiting: then that is what there is to tell.
    if !matches!(&observed, Err(failure) if failure.is_behind_a_job()) {
        glimpse.forget();
    }
    Ok(existing(observed)?.map_or(Side::Absent { host }, Side::Present))
}

/// The disks that stopped the guest. Only of one that libvirt says was stopped by them: no other has any, and it is the
/// hypervisor's process that is asked, which must never hold up a look. Evidence: a look that gets none is a look.
fn disk_errors(domain: &Domain, reason: &str) -> DiskErrors {
    if reason != "io-error" {
        return DiskErrors::default();
    }
    let errors = raw::disk_errors(domain).unwrap_or_else(|failure| {
        tracing::debug!(%failure, "the disks that stopped a guest can't be told");
        Vec::new()
    });
    DiskErrors(errors.into_iter().map(|(disk, error)| format!("{disk}: {}", facts::disk_error(error))).collect())
}

/// What libvirt still tells of a migration that failed. 9.0 keeps figures of completed ones alone, and no error of any; what
/// it has on record of the domain it tells while that is active.
pub(crate) fn evidence(session: &Session, id: DomainId) -> Result<Evidence, Failure> {
    let Some(domain) = existing::<_, Failure>(find(session, &DomainKey::Id(id)))? else {
        return Ok(Evidence::default());
    };
    let flags = sys::VIR_DOMAIN_JOB_STATS_COMPLETED | sys::VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED;
    let job = match raw::job_stats(&domain, flags) {
        Ok((_, params)) if facts::is_migration(&params) => {
            let error = params.text(sys::VIR_DOMAIN_JOB_ERRMSG).filter(|error| !error.is_empty());
            error.map(|error| (Failure::of_words(error).kind(), error.to_owned()))
        }
        Ok(_) => None,
        Err(failure) if failure.is_no_domain() || failure.is_unsupported() || failure.is_invalid_operation() => None,
        Err(failure) => return Err(failure),
    };
    let messages = existing::<_, Failure>(supported(raw::messages(&domain)))?.flatten().unwrap_or_default();
    Ok(Evidence { job, messages })
}

/// A reading of the migration that runs.
pub(crate) fn sample(session: &Session, id: DomainId) -> Result<Option<Sample>, Failure> {
    let domain = session.watched(id, || find(session, &DomainKey::Id(id)))?;
    let sample = running_job(&domain);
    if sample.is_err() {
        session.forget_watched();
    }
    sample
}

/// Whether a migration of it runs whose memory has not switched to post-copy. No, where that can't be told.
pub(crate) fn is_migrating(domain: &Domain) -> bool {
    matches!(running_job(domain), Ok(Some(sample)) if sample.stage != Stage::PostCopy)
}

fn running_job(domain: &Domain) -> Result<Option<Sample>, Failure> {
    let (kind, params) = raw::job_stats(domain, 0)?;
    if kind != JobKind::Running || !facts::is_migration(&params) {
        return Ok(None);
    }
    let (state, reason) = raw::state(domain)?;
    let post_copy = state == sys::VIR_DOMAIN_PAUSED
        && [sys::VIR_DOMAIN_PAUSED_POSTCOPY, sys::VIR_DOMAIN_PAUSED_POSTCOPY_FAILED].contains(&reason);
    Ok(Some(facts::sample(&params, facts::stage(&params, post_copy))))
}

/// The figures of the last completed migration. libvirt forgets them on the first reading unless asked to keep them.
pub(crate) fn final_sample(session: &Session, id: DomainId) -> Result<Option<Sample>, Failure> {
    let flags = sys::VIR_DOMAIN_JOB_STATS_COMPLETED | sys::VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED;
    let read = find(session, &DomainKey::Id(id)).and_then(|domain| raw::job_stats(&domain, flags));
    match read {
        Ok((JobKind::Completed, params)) if facts::is_migration(&params) => {
            Ok(Some(facts::sample(&params, Stage::Final)))
        }
        Ok(_) => Ok(None),
        Err(failure) if failure.is_no_domain() || failure.is_unsupported() || failure.is_invalid_operation() => {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
