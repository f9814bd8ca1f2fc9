//! Jobs and readings of transfers.

use virt_sys as sys;
use waypost_core::facts::ActiveJob;
use waypost_core::sample::{Sample, Stage};

use super::words;
use crate::raw::Params;

/// The job as a fact.
pub(crate) fn active_job(params: &Params) -> ActiveJob {
    ActiveJob {
        operation: words::job_operation(params.number(sys::VIR_DOMAIN_JOB_OPERATION).unwrap_or(0)),
        elapsed_ms: params.number(sys::VIR_DOMAIN_JOB_TIME_ELAPSED),
    }
}

/// Whether the figures are a migration's, going out or coming in.
pub(crate) fn is_migration(params: &Params) -> bool {
    let operation = params.number(sys::VIR_DOMAIN_JOB_OPERATION).and_then(|n| u32::try_from(n).ok());
    matches!(operation, Some(sys::VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT | sys::VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN))
}

/// What a job is that is told to be no migration: a save, a dump, a backup.
pub(crate) fn other_job(params: &Params) -> Option<String> {
    let told = params.number(sys::VIR_DOMAIN_JOB_OPERATION).is_some_and(|operation| operation > 0);
    (told && !is_migration(params)).then(|| active_job(params).operation)
}

/// Where a transfer is that goes on. Before the hypervisor's migration begins, which carries the memory, libvirt counts the disks
/// that it has copied.
pub(crate) fn stage(params: &Params, post_copy: bool) -> Stage {
    let nothing = |name| params.number(name) == Some(0);
    match post_copy {
        true => Stage::PostCopy,
        false if nothing(sys::VIR_DOMAIN_JOB_MEMORY_TOTAL) && !nothing(sys::VIR_DOMAIN_JOB_DATA_TOTAL) => Stage::Disks,
        false => Stage::PreCopy,
    }
}

/// A reading. `data_*` counts memory and copied disks together; what is the memory's alone says nothing before it is on its way.
pub(crate) fn sample(params: &Params, stage: Stage) -> Sample {
    let number = |name| params.number(name);
    let of_memory = |name| number(name).filter(|_| stage != Stage::Disks);
    Sample {
        elapsed_ms: number(sys::VIR_DOMAIN_JOB_TIME_ELAPSED).unwrap_or(0),
        total_bytes: number(sys::VIR_DOMAIN_JOB_DATA_TOTAL).unwrap_or(0),
        processed_bytes: number(sys::VIR_DOMAIN_JOB_DATA_PROCESSED).unwrap_or(0),
        remaining_bytes: number(sys::VIR_DOMAIN_JOB_DATA_REMAINING).unwrap_or(0),
        bytes_per_s: of_memory(sys::VIR_DOMAIN_JOB_MEMORY_BPS),
        dirty_pages_per_s: of_memory(sys::VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE),
        page_bytes: number(sys::VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE),
        iteration: of_memory(sys::VIR_DOMAIN_JOB_MEMORY_ITERATION),
        downtime_ms: of_memory(sys::VIR_DOMAIN_JOB_DOWNTIME),
        downtime_net_ms: number(sys::VIR_DOMAIN_JOB_DOWNTIME_NET),
        setup_ms: number(sys::VIR_DOMAIN_JOB_SETUP_TIME),
        // Zero is what libvirt says where it has no estimate.
        remaining_ms: number(sys::VIR_DOMAIN_JOB_TIME_REMAINING).filter(|ms| *ms > 0),
        throttle_percent: number(sys::VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE).and_then(|n| u32::try_from(n).ok()),
        stage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_disks_alone_are_copied_no_memory_is_counted() {
        let stage_of = |data, memory, post_copy| {
            stage(&Params::of(&[(c"data_total", data), (c"memory_total", memory)]), post_copy)
        };
        assert_eq!(stage_of(4096, 0, false), Stage::Disks);
        assert_eq!(stage_of(0, 0, false), Stage::PreCopy, "nothing has begun");
        assert_eq!(stage_of(8192, 4096, false), Stage::PreCopy);
        assert_eq!(stage_of(8192, 4096, true), Stage::PostCopy);
        assert_eq!(stage(&Params::of(&[]), false), Stage::PreCopy, "nothing is said of it");
    }

    #[test]
    fn a_reading_takes_what_libvirt_tells_and_nothing_more() {
        let params = Params::of(&[
            (c"operation", 5),
            (c"time_elapsed", 1200),
            (c"data_total", 4096),
            (c"data_processed", 1024),
            (c"data_remaining", 3072),
            (c"memory_bps", 512),
            (c"downtime", 300),
        ]);
        assert!(is_migration(&params));
        let sample = sample(&params, Stage::PreCopy);
        assert_eq!((sample.total_bytes, sample.processed_bytes, sample.remaining_bytes), (4096, 1024, 3072));
        assert_eq!((sample.downtime_ms, sample.throttle_percent, sample.iteration), (Some(300), None, None));
        assert_eq!(active_job(&params).operation, "migration-out");
        assert!(!is_migration(&Params::of(&[(c"operation", 8)])));
        assert_eq!(other_job(&params), None);
        assert_eq!(other_job(&Params::of(&[(c"operation", 9)])).as_deref(), Some("backup"));
        for untold in [&[][..], &[(c"operation", 0)]] {
            assert_eq!(other_job(&Params::of(untold)), None, "nobody says that it is none");
        }
    }

    #[test]
    fn while_disks_alone_are_copied_nothing_is_said_of_the_memory() {
        let params = Params::of(&[
            (c"data_total", 4096),
            (c"data_remaining", 1024),
            (c"memory_total", 0),
            (c"memory_bps", 0),
            (c"memory_dirty_rate", 0),
            (c"memory_iteration", 0),
            (c"downtime", 300),
        ]);
        let of_memory = |stage| {
            let Sample { bytes_per_s, dirty_pages_per_s, iteration, downtime_ms, .. } = sample(&params, stage);
            [bytes_per_s, dirty_pages_per_s, iteration, downtime_ms]
        };
        assert_eq!(of_memory(Stage::Disks), [None; 4]);
        assert_eq!(of_memory(Stage::PreCopy), [Some(0), Some(0), Some(0), Some(300)]);
        let disks = sample(&params, Stage::Disks);
        assert_eq!((disks.total_bytes, disks.remaining_bytes, disks.stage), (4096, 1024, Stage::Disks));
    }
}
