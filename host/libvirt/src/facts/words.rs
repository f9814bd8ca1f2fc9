//! libvirt's numbers as words: its own spelling, lower case, with hyphens.

use virt_sys as sys;
use waypost_core::facts::DomainState;

/// A domain's state.
pub(crate) fn domain_state(state: u32) -> DomainState {
    match state {
        sys::VIR_DOMAIN_RUNNING => DomainState::Running,
        sys::VIR_DOMAIN_BLOCKED => DomainState::Blocked,
        sys::VIR_DOMAIN_PAUSED => DomainState::Paused,
        sys::VIR_DOMAIN_SHUTDOWN => DomainState::Shutdown,
        sys::VIR_DOMAIN_SHUTOFF => DomainState::ShutOff,
        sys::VIR_DOMAIN_CRASHED => DomainState::Crashed,
        sys::VIR_DOMAIN_PMSUSPENDED => DomainState::PmSuspended,
        _ => DomainState::NoState,
    }
}

/// The reason for a state. What a newer libvirt adds is its number.
pub(crate) fn state_reason(state: u32, reason: u32) -> String {
    let words: &[&str] = match state {
        sys::VIR_DOMAIN_RUNNING => &[
            "unknown",
            "booted",
            "migrated",
            "restored",
            "from-snapshot",
            "unpaused",
            "migration-canceled",
            "save-canceled",
            "wakeup",
            "crashed",
            "post-copy",
            "post-copy-failed",
        ],
        sys::VIR_DOMAIN_PAUSED => &[
            "unknown",
            "user",
            "migration",
            "save",
            "dump",
            "io-error",
            "watchdog",
            "from-snapshot",
            "shutting-down",
            "snapshot",
            "crashed",
            "starting-up",
            "post-copy",
            "post-copy-failed",
        ],
        sys::VIR_DOMAIN_SHUTDOWN => &["unknown", "user"],
        sys::VIR_DOMAIN_SHUTOFF => {
            &["unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot", "daemon"]
        }
        sys::VIR_DOMAIN_CRASHED => &["unknown", "panicked"],
        _ => &["unknown"],
    };
    word(words, reason)
}

/// What is wrong with a disk.
pub(crate) fn disk_error(error: u32) -> String {
    word(&["nothing", "an error without a name", "no space"], error)
}

/// A lifecycle event and its detail.
pub(crate) fn lifecycle(event: u32, detail: u32) -> (String, String) {
    let events =
        ["defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pm-suspended", "crashed"];
    let details: &[&str] = match event {
        sys::VIR_DOMAIN_EVENT_DEFINED => &["added", "updated", "renamed", "from-snapshot"],
        sys::VIR_DOMAIN_EVENT_UNDEFINED => &["removed", "renamed"],
        sys::VIR_DOMAIN_EVENT_STARTED => &["booted", "migrated", "restored", "from-snapshot", "wakeup", "recreated"],
        sys::VIR_DOMAIN_EVENT_SUSPENDED => &[
            "paused",
            "migrated",
            "io-error",
            "watchdog",
            "restored",
            "from-snapshot",
            "api-error",
            "post-copy",
            "post-copy-failed",
        ],
        sys::VIR_DOMAIN_EVENT_RESUMED => &["unpaused", "migrated", "from-snapshot", "post-copy", "post-copy-failed"],
        sys::VIR_DOMAIN_EVENT_STOPPED => {
            &["shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot", "recreated"]
        }
        sys::VIR_DOMAIN_EVENT_SHUTDOWN => &["finished", "guest", "host"],
        sys::VIR_DOMAIN_EVENT_PMSUSPENDED => &["memory", "disk"],
        sys::VIR_DOMAIN_EVENT_CRASHED => &["panicked", "crash-loaded"],
        _ => &[],
    };
    (word(&events, event), word(details, detail))
}

/// What a job does.
pub(super) fn job_operation(operation: u64) -> String {
    let words = [
        "unknown",
        "start",
        "save",
        "restore",
        "migration-in",
        "migration-out",
        "snapshot",
        "snapshot-revert",
        "dump",
        "backup",
        "snapshot-delete",
    ];
    word(&words, u32::try_from(operation).unwrap_or(0))
}

/// What a block job does.
pub(crate) fn block_job_kind(kind: u32) -> String {
    word(&["unknown", "pull", "copy", "commit", "active-commit", "backup"], kind)
}

fn word(words: &[&str], number: u32) -> String {
    usize::try_from(number)
        .ok()
        .and_then(|index| words.get(index))
        .map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables above count on libvirt's numbers; these are the ones that decide about a guest's life.
    #[test]
    fn the_words_that_recovery_decides_on_stand_for_libvirts_numbers() {
        let reasons = [
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_MIGRATION, "migration"),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_STARTING_UP, "starting-up"),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_IOERROR, "io-error"),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_POSTCOPY, "post-copy"),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, "post-copy-failed"),
            (sys::VIR_DOMAIN_RUNNING, sys::VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, "migration-canceled"),
            (sys::VIR_DOMAIN_RUNNING, sys::VIR_DOMAIN_RUNNING_POSTCOPY, "post-copy"),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_MIGRATED, "migrated"),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_CRASHED, "crashed"),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_FAILED, "failed"),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_DAEMON, "daemon"),
        ];
        for (state, reason, word) in reasons {
            assert_eq!(state_reason(state, reason), word);
        }
        let moved = lifecycle(sys::VIR_DOMAIN_EVENT_STOPPED, sys::VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
        assert_eq!(moved, ("stopped".to_owned(), "migrated".to_owned()));
        let failed = lifecycle(sys::VIR_DOMAIN_EVENT_SUSPENDED, sys::VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED);
        assert_eq!(failed, ("suspended".to_owned(), "post-copy-failed".to_owned()));
        assert_eq!(job_operation(u64::from(sys::VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)), "migration-out");
        assert_eq!(job_operation(u64::from(sys::VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE)), "snapshot-delete");
        assert_eq!(block_job_kind(sys::VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP), "backup");
        assert_eq!(domain_state(sys::VIR_DOMAIN_CRASHED), DomainState::Crashed);
    }

    #[test]
    fn a_number_that_libvirt_may_add_one_day_is_kept() {
        assert_eq!(state_reason(sys::VIR_DOMAIN_RUNNING, 99), "99");
        assert_eq!(lifecycle(42, 7), ("42".to_owned(), "7".to_owned()));
    }
}
