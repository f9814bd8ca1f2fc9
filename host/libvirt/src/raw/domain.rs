//! Calls on a domain, and on all domains at once.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use uuid::Uuid;
use virt::domain::Domain;
use virt_sys as sys;

use super::params::ParamList;
use super::{Connection, Param, Params, c_string, checked, text};
use crate::error::Failure;

/// A domain's line in a list, read for all domains in one round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainOverview {
    pub(crate) name: String,
    pub(crate) uuid: Uuid,
    pub(crate) state: u32,
    pub(crate) reason: u32,
}

/// State and reason of every domain. Needs no monitor: a guest with a hung hypervisor process holds nothing up.
pub(crate) fn domain_overviews(connection: &Connection) -> Result<Vec<DomainOverview>, Failure> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is borrowed; libvirt puts a list of its own into `records`.
    let count = checked(unsafe {
        sys::virConnectGetAllDomainStats(connection.as_ptr(), sys::VIR_DOMAIN_STATS_STATE, &raw mut records, 0)
    })?;
    let count = usize::try_from(count).unwrap_or(0);
    let overview = |index: usize| {
        // SAFETY: libvirt said how many records there are; each is valid until the list is freed below.
        let record = unsafe { &**records.add(index) };
        let mut uuid = [0; 16];
        // SAFETY: the domain belongs to the record, and 16 bytes are what libvirt writes.
        unsafe { sys::virDomainGetUUID(record.dom, uuid.as_mut_ptr()) };
        // SAFETY: a string that belongs to the domain; copied.
        let name = unsafe { text(sys::virDomainGetName(record.dom)) }.unwrap_or_default();
        // SAFETY: the parameters belong to the record; copied.
        let params = unsafe { Params::copy(record.params, record.nparams) };
        let number = |name| params.number(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        DomainOverview {
            name,
            uuid: Uuid::from_bytes(uuid),
            state: number(c"state.state"),
            reason: number(c"state.reason"),
        }
    };
    let overviews = (0..count).map(overview).collect();
    // SAFETY: the list came from the call above; freed once, with everything in it.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(overviews)
}

/// State and reason of one domain.
pub(crate) fn state(domain: &Domain) -> Result<(u32, u32), Failure> {
    let (mut state, mut reason) = (0, 0);
    // SAFETY: the domain is borrowed; libvirt fills the two places.
    checked(unsafe { sys::virDomainGetState(domain.as_ptr(), &raw mut state, &raw mut reason, 0) })?;
    Ok((u32::try_from(state).unwrap_or(0), u32::try_from(reason).unwrap_or(0)))
}

/// What kind of job runs, or ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobKind {
    None,
    /// Running; libvirt may or may not be able to tell how far it is.
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// Figures of the running job, or with the flags for it of the last completed one.
pub(crate) fn job_stats(domain: &Domain, flags: u32) -> Result<(JobKind, Params), Failure> {
    let (mut kind, mut params, mut count) = (0, ptr::null_mut(), 0);
    // SAFETY: the domain is borrowed; libvirt fills the three places.
    checked(unsafe {
        sys::virDomainGetJobStats(domain.as_ptr(), &raw mut kind, &raw mut params, &raw mut count, flags)
    })?;
    // SAFETY: libvirt allocated `count` parameters (or none); they are copied, then freed once by libvirt's own function.
    let copy = unsafe { Params::copy(params, count) };
    // SAFETY: as above.
    unsafe { sys::virTypedParamsFree(params, count) };
    let kind = match u32::try_from(kind).unwrap_or(sys::VIR_DOMAIN_JOB_NONE) {
        sys::VIR_DOMAIN_JOB_NONE => JobKind::None,
        sys::VIR_DOMAIN_JOB_COMPLETED => JobKind::Completed,
        sys::VIR_DOMAIN_JOB_FAILED => JobKind::Failed,
        sys::VIR_DOMAIN_JOB_CANCELLED => JobKind::Cancelled,
        _ => JobKind::Running,
    };
    Ok((kind, copy))
}

/// What libvirt has on record of the domain, in its own words: taints, what is deprecated, and where it knows them I/O errors.
pub(crate) fn messages(domain: &Domain) -> Result<Vec<String>, Failure> {
    let mut list: *mut *mut c_char = ptr::null_mut();
    // SAFETY: the domain is borrowed; libvirt puts a list of its own into `list`. No flag stands for all kinds.
    let count = checked(unsafe { sys::virDomainGetMessages(domain.as_ptr(), &raw mut list, 0) })?;
    let message = |index: usize| {
        // SAFETY: libvirt said how many there are.
        let message = unsafe { *list.add(index) };
        // SAFETY: NULL or a string of libvirt's; it is copied before it is freed.
        let copy = unsafe { text(message) };
        // SAFETY: libvirt allocated it with malloc; freed once.
        unsafe { libc::free(message.cast::<c_void>()) };
        copy
    };
    let messages = (0..usize::try_from(count).unwrap_or(0)).filter_map(message).collect();
    // SAFETY: the array itself was allocated by libvirt with malloc.
    unsafe { libc::free(list.cast::<c_void>()) };
    Ok(messages)
}

/// The disks that have an error, by their targets, each with libvirt's number for it. Asks the hypervisor's process.
pub(crate) fn disk_errors(domain: &Domain) -> Result<Vec<(String, u32)>, Failure> {
    // SAFETY: the domain is borrowed; without a place for errors libvirt says how many there may be.
    let most = checked(unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), ptr::null_mut(), 0, 0) })?;
    let none = sys::virDomainDiskError { disk: ptr::null_mut(), error: 0 };
    let mut errors = vec![none; usize::try_from(most).unwrap_or(0)];
    if errors.is_empty() {
        return Ok(Vec::new());
    }
    let room = c_uint::try_from(errors.len()).unwrap_or(0);
    // SAFETY: the domain is borrowed; libvirt fills at most as many entries as it is told that there are.
    let count = checked(unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), errors.as_mut_ptr(), room, 0) })?;
    let error = |error: &sys::virDomainDiskError| {
        // SAFETY: NULL or a string that libvirt allocated for the caller; it is copied before it is freed.
        let disk = unsafe { text(error.disk) }.unwrap_or_default();
        // SAFETY: allocated by libvirt with malloc; freed once.
        unsafe { libc::free(error.disk.cast::<c_void>()) };
        (disk, u32::try_from(error.error).unwrap_or(sys::VIR_DOMAIN_DISK_ERROR_UNSPEC))
    };
    Ok(errors.iter().take(usize::try_from(count).unwrap_or(0)).map(error).collect())
}

/// Aborts the job. Answers when libvirt has taken the order, not when the job has ended.
pub(crate) fn abort_job(domain: &Domain) -> Result<(), Failure> {
    // SAFETY: the domain is borrowed.
    checked(unsafe { sys::virDomainAbortJob(domain.as_ptr()) }).map(drop)
}

/// Interrupts a post-copy: both copies stay, and it can be resumed.
pub(crate) fn interrupt_post_copy(domain: &Domain) -> Result<(), Failure> {
    // SAFETY: the domain is borrowed.
    checked(unsafe { sys::virDomainAbortJobFlags(domain.as_ptr(), sys::VIR_DOMAIN_ABORT_JOB_POSTCOPY) }).map(drop)
}

/// Switches the running migration to post-copy.
pub(crate) fn start_post_copy(domain: &Domain) -> Result<(), Failure> {
    // SAFETY: the domain is borrowed.
    checked(unsafe { sys::virDomainMigrateStartPostCopy(domain.as_ptr(), 0) }).map(drop)
}

/// Begins to measure what the guest dirties, for so many seconds.
pub(crate) fn start_dirty_rate_calc(domain: &Domain, seconds: u32) -> Result<(), Failure> {
    let seconds = c_int::try_from(seconds).unwrap_or(c_int::MAX);
    // SAFETY: the domain is borrowed.
    checked(unsafe { sys::virDomainStartDirtyRateCalc(domain.as_ptr(), seconds, 0) }).map(drop)
}

/// What the guest dirties, as it was measured last, MiB/s; none while it is still being measured.
pub(crate) fn dirty_rate(domain: &Domain) -> Result<Option<u64>, Failure> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    let mut domains = [domain.as_ptr(), ptr::null_mut()];
    // SAFETY: the list of domains ends with NULL; libvirt puts a list of its own into `records`.
    let count = checked(unsafe {
        sys::virDomainListGetStats(domains.as_mut_ptr(), sys::VIR_DOMAIN_STATS_DIRTYRATE, &raw mut records, 0)
    })?;
    let params = if count > 0 {
        // SAFETY: libvirt said that there is a first record; its parameters are copied.
        unsafe { Params::copy((**records).params, (**records).nparams) }
    } else {
        Params::default()
    };
    // SAFETY: the list came from the call above; freed once, with everything in it.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    let measured = params.number(sys::VIR_DOMAIN_STATS_DIRTYRATE_CALC_STATUS)
        == Some(u64::from(sys::VIR_DOMAIN_DIRTYRATE_MEASURED));
    Ok(measured.then(|| params.number(sys::VIR_DOMAIN_STATS_DIRTYRATE_MEGABYTES_PER_SECOND)).flatten())
}

/// Memory that the domain's process holds, KiB; none where the driver doesn't tell.
pub(crate) fn resident_kib(domain: &Domain) -> Result<Option<u64>, Failure> {
    let mut stats = [MaybeUninit::<sys::virDomainMemoryStatStruct>::zeroed(); sys::VIR_DOMAIN_MEMORY_STAT_NR as usize];
    // SAFETY: the domain is borrowed; libvirt fills at most as many entries as it is told that there are.
    let count = checked(unsafe {
        sys::virDomainMemoryStats(domain.as_ptr(), stats.as_mut_ptr().cast(), sys::VIR_DOMAIN_MEMORY_STAT_NR, 0)
    })?;
    let filled = stats.iter().take(usize::try_from(count).unwrap_or(0));
    // SAFETY: plain numbers, for which zeroes are a value, and filled up to the count.
    let mut filled = filled.map(|stat| unsafe { stat.assume_init_ref() });
    let rss = i32::try_from(sys::VIR_DOMAIN_MEMORY_STAT_RSS).unwrap_or(-1);
    Ok(filled.find(|stat| stat.tag == rss).map(|stat| stat.val))
}

/// The downtime limit, ms.
pub(crate) fn max_downtime(domain: &Domain) -> Result<u64, Failure> {
    let mut downtime = 0;
    // SAFETY: the domain is borrowed; libvirt fills the place.
    checked(unsafe { sys::virDomainMigrateGetMaxDowntime(domain.as_ptr(), &raw mut downtime, 0) })?;
    Ok(downtime)
}

/// Migrates; with the peer-to-peer flag the daemon behind `domain` drives it, and this call only waits.
pub(crate) fn migrate_to_uri(
    domain: &Domain,
    peer_uri: &str,
    params: &[(&CStr, Param)],
    flags: u32,
) -> Result<(), Failure> {
    let peer_uri = c_string(peer_uri)?;
    let params = ParamList::new(params)?;
    // SAFETY: the domain is borrowed; URI and parameters outlive the call, which changes neither.
    checked(unsafe {
        sys::virDomainMigrateToURI3(domain.as_ptr(), peer_uri.as_ptr(), params.as_ptr(), params.len(), flags)
    })
    .map(drop)
}

/// Migrates between two connections of this process, which drives both daemons and waits for the end.
pub(crate) fn migrate(
    domain: &Domain,
    destination: &Connection,
    params: &[(&CStr, Param)],
    flags: u32,
) -> Result<(), Failure> {
    let params = ParamList::new(params)?;
    // SAFETY: domain and connection are borrowed; the parameters outlive the call, which doesn't change them.
    let there =
        unsafe { sys::virDomainMigrate3(domain.as_ptr(), destination.as_ptr(), params.as_ptr(), params.len(), flags) };
    if there.is_null() {
        return Err(Failure::last());
    }
    // SAFETY: the reference is ours, given back once, while its connection is borrowed. A failure to free changes nothing.
    unsafe { sys::virDomainFree(there) };
    Ok(())
}

/// Sizes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockSize {
    pub(crate) capacity: u64,
    pub(crate) allocation: u64,
}

/// Sizes of a disk, by its target or path.
pub(crate) fn block_size(domain: &Domain, disk: &str) -> Result<BlockSize, Failure> {
    let disk = c_string(disk)?;
    let mut info = MaybeUninit::<sys::virDomainBlockInfo>::zeroed();
    // SAFETY: the domain is borrowed, the name outlives the call, libvirt fills the structure.
    checked(unsafe { sys::virDomainGetBlockInfo(domain.as_ptr(), disk.as_ptr(), info.as_mut_ptr(), 0) })?;
    // SAFETY: plain numbers, for which zeroes are a value, and filled after a success.
    let info = unsafe { info.assume_init() };
    Ok(BlockSize { capacity: info.capacity, allocation: info.allocation })
}

/// A block job on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockJobInfo {
    /// libvirt's number for what it does.
    pub(crate) kind: u32,
}

/// The block job on a disk; none where none runs.
pub(crate) fn block_job(domain: &Domain, disk: &str) -> Result<Option<BlockJobInfo>, Failure> {
    let disk = c_string(disk)?;
    let mut info = MaybeUninit::<sys::virDomainBlockJobInfo>::zeroed();
    // SAFETY: the domain is borrowed, the name outlives the call, libvirt fills the structure where a job runs.
    let found =
        checked(unsafe { sys::virDomainGetBlockJobInfo(domain.as_ptr(), disk.as_ptr(), info.as_mut_ptr(), 0) })?;
    // SAFETY: plain numbers, for which zeroes are a value.
    let info = unsafe { info.assume_init() };
    Ok((found > 0).then(|| BlockJobInfo { kind: u32::try_from(info.type_).unwrap_or(0) }))
}

/// Names of the domain's checkpoints.
pub(crate) fn checkpoints(domain: &Domain) -> Result<Vec<String>, Failure> {
    let mut list: *mut sys::virDomainCheckpointPtr = ptr::null_mut();
    // SAFETY: the domain is borrowed; libvirt puts a list of its own into `list`.
    let count: c_int =
        checked(unsafe { sys::virDomainListAllCheckpoints(domain.as_ptr(), &raw mut list, 0 as c_uint) })?;
    let name = |index: usize| {
        // SAFETY: libvirt said how many there are.
        let checkpoint = unsafe { *list.add(index) };
        // SAFETY: the name belongs to the checkpoint; it is copied before the checkpoint is freed.
        let name = unsafe { text(sys::virDomainCheckpointGetName(checkpoint)) };
        // SAFETY: the reference is ours, given back once.
        unsafe { sys::virDomainCheckpointFree(checkpoint) };
        name.unwrap_or_default()
    };
    let names = (0..usize::try_from(count).unwrap_or(0)).map(name).collect();
    // SAFETY: the array itself was allocated by libvirt with malloc.
    unsafe { libc::free(list.cast::<c_void>()) };
    Ok(names)
}
