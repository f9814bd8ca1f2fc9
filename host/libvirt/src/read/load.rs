//! How busy a host is: what its domains are promised, and what its CPUs do, which takes two readings of their counters.

use std::time::Duration;

use tokio::time::Instant;
use virt_sys as sys;
use waypost_core::load::CpuTime;

use crate::error::{Failure, existing};
use crate::link::Session;

/// A share over less says nothing: the kernel counts in hundredths of a second.
const LEAST: Duration = Duration::from_millis(500);
/// A share over more is not what it does now.
const MOST: Duration = Duration::from_secs(120);

/// The vCPUs of its active domains, and the counters of its CPUs where it tells them.
pub(crate) fn load(session: &Session) -> Result<(u32, Option<CpuTime>), Failure> {
    let mut vcpus = 0_u32;
    for domain in session.connection.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE)? {
        // One that went meanwhile holds none.
        if let Some(info) = existing(domain.get_info())? {
            vcpus = vcpus.saturating_add(info.nr_virt_cpu);
        }
    }
    Ok((vcpus, session.connection.cpu_time()?))
}

/// Makes a share of two readings. However many look, each sees the last share that was worked out.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    base: Option<(Instant, CpuTime)>,
    share: Option<u16>,
}

impl Meter {
    /// Takes a reading; answers the share of the time that was worked lately, permille. None at the first, and after a long time.
    pub(crate) fn read(&mut self, at: Instant, now: CpuTime) -> Option<u16> {
        let past = self.base.map(|(since, before)| (at.saturating_duration_since(since), before));
        if past.is_none_or(|(time, _)| time >= LEAST) {
            self.share = past.filter(|(time, _)| *time <= MOST).and_then(|(_, before)| now.busy_since(before));
            self.base = Some((at, now));
        }
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_time_since_the_reading_before() {
        let begin = Instant::now();
        let mut meter = Meter::default();
        let mut read =
            |ms, busy_ns, total_ns| meter.read(begin + Duration::from_millis(ms), CpuTime { busy_ns, total_ns });
        assert_eq!(read(0, 0, 1000), None, "one reading is none");
        assert_eq!(read(100, 90, 1100), None, "too early");
        assert_eq!(read(1000, 250, 2000), Some(250));
        assert_eq!(read(1100, 350, 2100), Some(250), "somebody else looks: the last one still holds");
        assert_eq!(read(2000, 1250, 3000), Some(1000));
        assert_eq!(read(200_000, 1250, 9000), None, "nobody looked for minutes");
        assert_eq!(read(201_000, 1350, 10_000), Some(100));
        assert_eq!(read(202_000, 5, 10), None, "it was started anew");
    }
}
