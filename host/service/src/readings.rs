//! How hosts are, for many who look at once: a page that is open asks every few seconds, and each answer costs every host a handful of
//! calls. So a host is read by one at a time, and all who ask while it is read share the next reading. Nobody is told what was read
//! before they asked, and nothing is kept once nobody waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use waypost_api::v1;
use waypost_core::ids::HostName;

use crate::each::Each;

/// The readings that are waited for.
#[derive(Default)]
pub(crate) struct Readings(Each<HostName, Reading>);

/// Those of one host.
#[derive(Default)]
struct Reading {
    /// How many were begun.
    begun: AtomicU64,
    /// The last one that came to its end, with its number. Held by whoever reads.
    last: Mutex<Option<(u64, v1::Host)>>,
}

impl Readings {
    /// A host as it is: read with `read`, or as somebody else has read it who began to after this was asked.
    pub(crate) async fn of(&self, host: &HostName, read: impl Future<Output = v1::Host>) -> v1::Host {
        let of = self.0.of(host.clone());
        let asked_after = of.begun.load(Ordering::Relaxed);
        let mut last = of.last.lock().await;
        if let Some((number, host)) = &*last
            && *number > asked_after
        {
            return host.clone();
        }
        let number = of.begun.fetch_add(1, Ordering::Relaxed) + 1;
        // One that is given up leaves the place to the next in line.
        let host = read.await;
        *last = Some((number, host.clone()));
        host
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    /// A host that takes a second to be read, and tells by its name how often that was begun before.
    async fn read(begun: &Cell<u32>) -> v1::Host {
        let name = begun.get().to_string();
        begun.set(begun.get() + 1);
        sleep(Duration::from_secs(1)).await;
        v1::Host { name, ..v1::Host::default() }
    }

    async fn ask(readings: &Readings, host: &str, begun: &Cell<u32>) -> String {
        readings.of(&HostName::new(host), read(begun)).await.name
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_while_a_host_is_read_shares_the_next_reading_with_all_who_do() {
        let (readings, begun, other) = (Readings::default(), Cell::new(0), Cell::new(0));
        let late = async {
            sleep(Duration::from_millis(1500)).await;
            ask(&readings, "a", &begun).await
        };
        let (one, two, three, elsewhere, late) = tokio::join!(
            ask(&readings, "a", &begun),
            ask(&readings, "a", &begun),
            ask(&readings, "a", &begun),
            ask(&readings, "b", &other),
            late,
        );
        assert_eq!([one, two, three], ["0", "1", "1"], "the first one was under way already");
        assert_eq!(late, "2", "the second one was, too");
        assert_eq!((elsewhere.as_str(), other.get()), ("0", 1), "another host is read meanwhile");
        // Nothing is kept.
        assert_eq!((ask(&readings, "a", &begun).await.as_str(), begun.get()), ("3", 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_is_given_up_is_nobodys() {
        let (readings, begun) = (Readings::default(), Cell::new(0));
        let given_up = timeout(Duration::from_millis(500), ask(&readings, "a", &begun));
        let (given_up, one, two) = tokio::join!(given_up, ask(&readings, "a", &begun), ask(&readings, "a", &begun));
        assert!(given_up.is_err());
        assert_eq!((one.as_str(), two.as_str(), begun.get()), ("1", "1", 2));
    }
}
