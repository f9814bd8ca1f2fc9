//! Readings of a running transfer, and progress that never lies.

/// One reading. What libvirt doesn't report is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Since the job began.
    pub elapsed_ms: u64,
    /// Bytes in all (memory and disks), moved, and still to move.
    pub total_bytes: u64,
    /// Moved so far; grows beyond the total when pages are sent again.
    pub processed_bytes: u64,
    /// Still to move.
    pub remaining_bytes: u64,
    /// Throughput of memory.
    pub bytes_per_s: Option<u64>,
    /// Pages that the guest dirties per second.
    pub dirty_pages_per_s: Option<u64>,
    /// Page size.
    pub page_bytes: Option<u64>,
    /// Pass over the memory, from 1.
    pub iteration: Option<u64>,
    /// Downtime that the hypervisor expects if it switched over now; in a final reading the real one.
    pub downtime_ms: Option<u64>,
    /// Of the real downtime, what wasn't network.
    pub downtime_net_ms: Option<u64>,
    /// Set-up time.
    pub setup_ms: Option<u64>,
    /// libvirt's own estimate of what is left.
    pub remaining_ms: Option<u64>,
    /// CPU throttling by auto-converge, percent.
    pub throttle_percent: Option<u32>,
    /// Where the transfer is.
    pub stage: Stage,
}

/// Where a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Disks are copied, and nothing of the memory yet. Figures are of the disks alone, and those of memory are none.
    Disks,
    /// The guest runs on the source, memory is being copied.
    #[default]
    PreCopy,
    /// The guest runs on the destination, memory follows.
    PostCopy,
    /// The figures are final.
    Final,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Disks, Self::PreCopy, Self::PostCopy, Self::Final];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disks => "disks",
            Self::PreCopy => "pre-copy",
            Self::PostCopy => "post-copy",
            Self::Final => "final",
        }
    }
}

/// Progress as shown: it never runs backwards, and says 100 only when the move is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    permille: u16,
}

impl Progress {
    /// Takes a reading into account and answers the progress in permille. While disks are copied the reading says nothing of the
    /// memory that is still to come.
    pub fn advance(&mut self, sample: &Sample, memory_bytes: Option<u64>) -> u16 {
        if sample.total_bytes > 0 {
            let to_come = memory_bytes.filter(|_| sample.stage == Stage::Disks).unwrap_or(0);
            let moved = sample.total_bytes - sample.remaining_bytes.min(sample.total_bytes);
            let done = 1000 * u128::from(moved) / (u128::from(sample.total_bytes) + u128::from(to_come));
            // 999 at most: the last step is the verification on the destination, not the last byte.
            let done = u16::try_from(done).unwrap_or(999).min(999);
            self.permille = self.permille.max(done);
        }
        self.permille
    }
    /// Verified on the destination.
    pub fn complete(&mut self) -> u16 {
        self.permille = 1000;
        1000
    }
    /// In permille.
    pub fn permille(self) -> u16 {
        self.permille
    }
}

impl Sample {
    /// What the guest writes, bytes a second; none where that is not reported. A page has 4096 bytes where nothing else is said.
    pub fn dirty_bytes_per_s(&self) -> Option<u64> {
        self.dirty_pages_per_s.map(|pages| pages.saturating_mul(self.page_bytes.unwrap_or(4096)))
    }

    /// Remaining time from the bytes left and the rate, corrected for what the guest dirties meanwhile; none where the
    /// guest dirties as fast as the link carries, because then there is no such time.
    pub fn estimated_remaining_ms(&self) -> Option<u64> {
        let rate = self.bytes_per_s?;
        let net = rate.checked_sub(self.dirty_bytes_per_s().unwrap_or(0)).filter(|net| *net > 0)?;
        Some(self.remaining_bytes.saturating_mul(1000) / net)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn progress_never_runs_backwards_and_never_claims_the_end(
            memory in prop::option::of(0u64..1 << 50),
            readings in prop::collection::vec(
                (0u64..1 << 50, 0u64..1 << 50, prop::sample::select(Stage::ALL.to_vec())), 1..50)
        ) {
            let mut progress = Progress::default();
            let mut last = 0;
            for (total_bytes, remaining_bytes, stage) in readings {
                let now = progress.advance(&Sample { total_bytes, remaining_bytes, stage, ..Sample::default() }, memory);
                prop_assert!(now >= last && now < 1000);
                last = now;
            }
            prop_assert_eq!(progress.complete(), 1000);
        }
    }

    #[test]
    fn disks_that_are_copied_leave_room_for_the_memory() {
        let mut progress = Progress::default();
        let disks = Sample { total_bytes: 3 << 30, stage: Stage::Disks, ..Sample::default() };
        assert_eq!(progress.advance(&disks, Some(1 << 30)), 750);
        let memory = Sample { total_bytes: 4 << 30, remaining_bytes: 1 << 29, ..Sample::default() };
        assert_eq!(progress.advance(&memory, Some(1 << 30)), 875);
    }

    #[test]
    fn a_guest_that_dirties_faster_than_the_link_has_no_remaining_time() {
        let sample = Sample {
            remaining_bytes: 1 << 30,
            bytes_per_s: Some(1 << 20),
            dirty_pages_per_s: Some(1000),
            page_bytes: Some(4096),
            ..Sample::default()
        };
        assert_eq!(sample.estimated_remaining_ms(), None);
        assert_eq!(Sample { dirty_pages_per_s: Some(128), ..sample }.estimated_remaining_ms(), Some(2_048_000));
    }
}
