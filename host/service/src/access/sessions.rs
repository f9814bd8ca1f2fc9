//! Sessions of browsers: whoever has shown a token once goes on with a cookie that only this origin is sent and no script can
//! read. They live in memory: a restart ends them. The token behind one is looked at for each request, so a session ends with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waypost_core::ids::Moment;

use crate::caller::Caller;

/// Its name: a browser takes one that begins so only with `Secure`, for the whole origin and no other.
pub(crate) const COOKIE: &str = "__Host-waypost";

/// How long a session lives at most.
pub(crate) const LASTS: Duration = Duration::from_secs(12 * 3600);

/// Sessions at once; the oldest goes first.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    caller: Caller,
    begun: Moment,
}

/// A new secret for a cookie; none where the system gives no random numbers.
pub(super) fn secret() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

impl Sessions {
    pub(super) fn begin(&self, digest: [u8; 32], caller: Caller, now: Moment) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over(now));
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.begun).map(|(digest, _)| *digest);
            if let Some(oldest) = oldest {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(digest, Session { caller, begun: now });
    }

    pub(super) fn caller(&self, digest: &[u8; 32], now: Moment) -> Option<Caller> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(digest).filter(|session| !session.is_over(now));
        session.map(|session| session.caller.clone())
    }

    pub(super) fn end(&self, digest: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }
}

impl Session {
    fn is_over(&self, now: Moment) -> bool {
        let lasts = u64::try_from(LASTS.as_millis()).unwrap_or(u64::MAX);
        self.caller.is_over(now) || now.0 >= self.begun.0.saturating_add(lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_a_working_day_or_as_long_as_its_proof() {
        let sessions = Sessions::default();
        let hours = |n: u64| Moment(n * 3_600_000);
        sessions.begin([1; 32], Caller::named("anna"), hours(0));
        sessions.begin([2; 32], Caller::named("bert").until(Some(hours(1))), hours(0));
        assert_eq!(sessions.caller(&[1; 32], hours(11)).unwrap().name(), "anna");
        assert!(sessions.caller(&[1; 32], hours(12)).is_none());
        assert!(sessions.caller(&[2; 32], hours(0)).is_some() && sessions.caller(&[2; 32], hours(1)).is_none());
        sessions.end(&[1; 32]);
        assert!(sessions.caller(&[1; 32], hours(0)).is_none());
        assert_ne!(secret(), secret());
    }
}
