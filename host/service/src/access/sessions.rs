//! Sessions of browsers: whoever has shown a token once goes on with a cookie that only this origin is sent and no script can
//! read. They live in memory: a restart ends them. The token behind one is looked at for each request, so a session ends with it.
//! None begins another: who has only a cookie has it for as long as it lasts, and no longer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waypost_core::ids::Moment;

use crate::caller::Caller;

/// Its name: a browser takes one that begins so only with `Secure`, for the whole origin and no other.
pub(crate) const COOKIE: &str = "__Host-waypost";

/// How long a session lives at most.
pub(crate) const LASTS: Duration = Duration::from_secs(12 * 3600);

/// Sessions at once, of all and of one caller; the oldest goes first, of one caller that caller's own.
const MOST: usize = 4096;
const MOST_OF_ONE: usize = 16;

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

/// What sets the cookie for so long; without a secret and for no time it takes it away. None where the secret can't stand in it.
pub(crate) fn set_cookie(secret: &str, lasts: Duration) -> Option<HeaderValue> {
    let seconds = lasts.as_secs();
    let cookie = format!("{COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict");
    HeaderValue::from_str(&cookie).ok()
}

impl Sessions {
    pub(super) fn begin(&self, digest: [u8; 32], caller: Caller, now: Moment) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over(now));
        let own = |session: &Session| {
            session.caller.own_name() == caller.own_name() && session.caller.proof() == caller.proof()
        };
        if sessions.values().filter(|session| own(session)).count() >= MOST_OF_ONE {
            end_oldest(&mut sessions, own);
        }
        if sessions.len() >= MOST {
            end_oldest(&mut sessions, |_| true);
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

/// Ends the oldest of those.
fn end_oldest(sessions: &mut HashMap<[u8; 32], Session>, among: impl Fn(&Session) -> bool) {
    let among = sessions.iter().filter(|(_, session)| among(session));
    let oldest = among.min_by_key(|(_, session)| session.begun).map(|(digest, _)| *digest);
    if let Some(oldest) = oldest {
        sessions.remove(&oldest);
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
    use waypost_core::access::{Role, Scope};

    use super::*;
    use crate::caller::Proof;

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

    #[test]
    fn who_begins_too_many_ends_their_own_oldest() {
        let sessions = Sessions::default();
        sessions.begin([255; 32], Caller::named("bert"), Moment(0));
        for n in 0..=MOST_OF_ONE as u8 {
            sessions.begin([n; 32], Caller::named("anna"), Moment(1 + u64::from(n)));
        }
        let lasts = |n: u8| sessions.caller(&[n; 32], Moment(100)).is_some();
        assert!(!lasts(0) && (1..=MOST_OF_ONE as u8).all(lasts));
        assert!(lasts(255), "it is older, and somebody else's");
    }

    #[test]
    fn two_subjects_of_an_issuer_with_one_name_end_no_sessions_of_each_other() {
        let sessions = Sessions::default();
        let of = |subject: &str, name: &str| {
            let proof = Proof::Issuer { issuer: "corp".into(), subject: subject.into() };
            Caller::proven(name.into(), Role::Viewer, Scope::default(), proof)
        };
        sessions.begin([255; 32], of("2", "corp:anna"), Moment(0));
        for n in 0..=MOST_OF_ONE as u8 {
            let name = if n % 2 == 0 { "corp:anna" } else { "corp:anne" };
            sessions.begin([n; 32], of("1", name), Moment(1 + u64::from(n)));
        }
        let lasts = |n: u8| sessions.caller(&[n; 32], Moment(100)).is_some();
        assert!(!lasts(0), "one subject has so many, under whatever names");
        assert!((1..=MOST_OF_ONE as u8).all(lasts) && lasts(255));
    }

    #[test]
    fn the_cookie_is_for_this_origin_alone_and_is_taken_away_by_one_of_no_time() {
        let set = set_cookie("x", LASTS).unwrap();
        assert_eq!(set, "__Host-waypost=x; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict");
        let cleared = set_cookie("", Duration::ZERO).unwrap();
        assert_eq!(cleared, "__Host-waypost=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
        assert!(set_cookie("\r\n", LASTS).is_none());
    }
}
