//! Logins to the ssh daemons that are asked to try ways: how many at once, and none for a while after one was refused.
//!
//! A host may lock an account out, or whoever asks, after some logins that failed (`pam_faillock`, fail2ban,
//! `PerSourcePenalties`). So a daemon that refused one is left alone for [`PAUSE`]; and as long as nothing is known of it, one
//! login goes ahead and the others wait for what comes of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::forwarding::WayProbe;

/// Logins at once: an ssh daemon begins to turn away at ten that are under way (`MaxStartups`).
const AT_ONCE: usize = 4;
/// No login is tried for so long after one was refused.
const PAUSE: Duration = Duration::from_secs(300);

/// What is known of the logins at one place, with one account and key.
#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    /// The last one was let in, or came to another end; or one goes ahead.
    NotRefused,
    Refused {
        since: Instant,
        /// For people.
        at: SystemTime,
        why: String,
    },
}

/// One at a time decides by it; who goes ahead keeps it.
type Door = Arc<tokio::sync::Mutex<Known>>;

/// All logins of those that ask the same [`Libvirt`](crate::Libvirt).
pub(crate) struct Logins {
    turns: Semaphore,
    doors: Mutex<HashMap<WayProbe, Door>>,
}

impl Default for Logins {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), doors: Mutex::default() }
    }
}

/// The right to one login.
#[derive(Debug)]
pub(crate) struct Turn<'l> {
    door: Door,
    /// Of the one that goes ahead.
    ahead: Option<OwnedMutexGuard<Known>>,
    held: SemaphorePermit<'l>,
}

impl Logins {
    /// Waits until somebody may log in there; or says why nobody may for now.
    pub(crate) async fn turn(&self, probe: &WayProbe) -> Result<Turn<'_>, String> {
        self.turn_at(probe, Instant::now()).await
    }

    async fn turn_at(&self, probe: &WayProbe, now: Instant) -> Result<Turn<'_>, String> {
        let door = {
            // A change is one insertion, so they are never half of one.
            let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(doors.entry(probe.clone()).or_default())
        };
        let mut known = Arc::clone(&door).lock_owned().await;
        if let Known::Refused { since, at, why } = &*known
            && now.saturating_duration_since(*since) < PAUSE
        {
            return Err(format!(
                "its ssh daemon could not be asked: the login failed at {} ({why}), and none is tried for {} s",
                clock(*at),
                PAUSE.as_secs()
            ));
        }
        let ahead = if matches!(*known, Known::NotRefused) {
            drop(known);
            None
        } else {
            *known = Known::NotRefused;
            Some(known)
        };
        // Nobody who has a turn waits for a door.
        let held = self.turns.acquire().await.map_err(|_| "nothing is tried any more".to_owned())?;
        Ok(Turn { door, ahead, held })
    }
}

impl Turn<'_> {
    /// It was let in: others need not wait any more.
    pub(crate) fn let_in(&mut self) {
        self.ahead = None;
    }

    /// It was refused.
    pub(crate) async fn refused(self, why: &str) {
        let Self { door, ahead, held } = self;
        drop(held);
        let mut known = match ahead {
            Some(known) => known,
            None => door.lock_owned().await,
        };
        *known = Known::Refused { since: Instant::now(), at: SystemTime::now(), why: why.to_owned() };
    }
}

/// `12:00:00 UTC`, the time of the day.
fn clock(at: SystemTime) -> String {
    let s = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) % 86_400;
    format!("{:02}:{:02}:{:02} UTC", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &str) -> WayProbe {
        WayProbe::new(place).expect("a place of an ssh daemon")
    }

    const DENIED: &str = "root@kvm1: Permission denied (publickey).";

    #[tokio::test]
    async fn after_a_refused_login_none_is_tried_there_for_a_while() {
        let logins = Logins::default();
        let probe = at("ssh://kvm1");
        logins.turn(&probe).await.expect("nothing is known yet").refused(DENIED).await;
        let why = logins.turn(&probe).await.expect_err("the pause has begun");
        assert!(why.starts_with("its ssh daemon could not be asked: the login failed at "), "{why}");
        assert!(why.ends_with(&format!(" UTC ({DENIED}), and none is tried for 300 s")), "{why}");
        // Another host, account or key has not failed.
        for other in [at("ssh://kvm2"), at("ssh://waypost@kvm1"), probe.clone().with_key(Some("other.key".into()))] {
            assert!(logins.turn(&other).await.is_ok(), "{other:?}");
        }
        let later = Instant::now() + PAUSE;
        assert!(logins.turn_at(&probe, later - Duration::from_secs(10)).await.is_err());
        logins.turn_at(&probe, later).await.expect("the pause is over").let_in();
        assert!(logins.turn(&probe).await.is_ok(), "it was let in since");
    }

    #[tokio::test]
    async fn one_login_goes_ahead_and_the_others_learn_from_it() {
        let logins = Logins::default();
        for (place, let_in) in [("ssh://kvm1", true), ("ssh://kvm2", false)] {
            let probe = at(place);
            let mut ahead = logins.turn(&probe).await.expect("nothing is known yet");
            let mut behind = std::pin::pin!(logins.turn(&probe));
            let waited = tokio::time::timeout(Duration::ZERO, behind.as_mut()).await;
            assert!(waited.is_err(), "nothing is known of {place} before the first one's end");
            if let_in {
                ahead.let_in();
                assert!(behind.await.is_ok(), "the first one's connection need not be over");
            } else {
                ahead.refused(DENIED).await;
                assert!(behind.await.is_err());
            }
        }
        // An end that says nothing of the account holds nobody back.
        let probe = at("ssh://kvm3");
        drop(logins.turn(&probe).await);
        let both = (logins.turn(&probe).await, logins.turn(&probe).await);
        assert!(both.0.is_ok() && both.1.is_ok());
    }

    #[test]
    fn the_time_of_a_day_is_told() {
        let told = |s| clock(UNIX_EPOCH + Duration::from_secs(s));
        assert_eq!(told(0), "00:00:00 UTC");
        assert_eq!(told(1_798_761_599), "23:59:59 UTC");
    }
}
