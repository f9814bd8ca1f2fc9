//! How busy a host is. No fact, because facts are what decisions are made on and digested, and this is another one each time that it
//! is read: it is for whoever looks.

/// A host's load at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLoad {
    /// vCPUs of its active domains together: what is promised of its CPUs.
    pub vcpus: u32,
    /// Share of its CPUs' time that was not idle lately, permille; none where the driver doesn't tell, and at the first reading.
    pub cpu_busy_permille: Option<u16>,
}

/// What all CPUs of a host have done since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    /// Time that was worked, ns.
    pub busy_ns: u64,
    /// Time in all, ns: so many seconds a second as there are CPUs.
    pub total_ns: u64,
}

impl CpuTime {
    /// The share that was worked since then, permille; none where no time has passed, or where the host was started anew.
    pub fn busy_since(self, before: Self) -> Option<u16> {
        let total = self.total_ns.checked_sub(before.total_ns).filter(|total| *total > 0)?;
        let busy = self.busy_ns.checked_sub(before.busy_ns)?.min(total);
        u16::try_from(u128::from(busy) * 1000 / u128::from(total)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_what_has_passed_between_two_readings() {
        let at = |busy_ns, total_ns| CpuTime { busy_ns, total_ns };
        assert_eq!(at(300, 1000).busy_since(at(100, 600)), Some(500));
        assert_eq!(at(100, 1000).busy_since(at(100, 600)), Some(0));
        assert_eq!(at(1000, 1000).busy_since(at(0, 0)), Some(1000));
        assert_eq!(at(u64::MAX, u64::MAX).busy_since(at(0, 0)), Some(1000));
        // Counters that are read one after the other may be a tick apart.
        assert_eq!(at(501, 1000).busy_since(at(0, 500)), Some(1000));
        assert_eq!(at(100, 600).busy_since(at(100, 600)), None);
        assert_eq!(at(10, 60).busy_since(at(100, 600)), None, "it was started anew");
        assert_eq!(at(10, 700).busy_since(at(100, 600)), None);
    }
}
