//! How often one caller may ask. Each has a bucket of as many requests as may come at once, which fills again by so many a
//! second: a program that asks without a pause is slowed down, and nobody else notices it.
//!
//! Whose bucket it is says whatever proves the caller, so a session counts with the token that began it, and two connections of one
//! caller are one. Who proves nothing is counted by where it comes from, after its proof was looked at: a good token is never
//! refused because of a neighbour's bad ones. Root and the user that the service runs as are not counted, as their connections
//! are not: they can end the service anyway. The clock is the runtime's, so that tests turn it.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::access::is_own;
use crate::caller::{Caller, Origin, Proof};
use crate::limits::Limits;
use crate::problem::{Code, Failed};

/// Buckets that are kept at once. A full one is as good as none and is forgotten first.
const MOST: usize = 65_536;

/// So few are never looked through.
const FEW: usize = 1024;

/// Whose bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// A caller's, by its proof and what of its name tells it apart.
    Caller(Proof, String),
    /// That of all from there who prove nothing.
    Unproven(Origin),
}

impl Whose {
    /// That of a caller; none: it is not counted.
    pub(crate) fn of(caller: &Caller) -> Option<Self> {
        match caller.proof() {
            Proof::Socket(uid) if is_own(*uid) => None,
            proof => Some(Self::Caller(proof.clone(), caller.own_name().to_owned())),
        }
    }

    /// That of whoever comes from there and proves nothing.
    pub(crate) fn unproven(origin: Origin) -> Option<Self> {
        match origin {
            Origin::User(uid) if is_own(uid) => None,
            origin => Some(Self::Unproven(origin.network())),
        }
    }

    /// All words of [`Whose::word`].
    pub(crate) const WORDS: [&'static str; 6] = ["socket", "token", "certificate", "issuer", "embedding", "unproven"];

    /// What proves it, in a word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Caller(Proof::Socket(_), _) => "socket",
            Self::Caller(Proof::Token(_), _) => "token",
            Self::Caller(Proof::Certificate(_), _) => "certificate",
            Self::Caller(Proof::Issuer { .. }, _) => "issuer",
            Self::Caller(Proof::Embedding, _) => "embedding",
            Self::Unproven(_) => "unproven",
        }
    }
}

/// The buckets of all callers; none where the rate has no limit.
pub(crate) struct Rate<C: Clock<Instant = Nanos> = Runtimes>(Option<Mutex<Buckets<C>>>);

struct Buckets<C: Clock<Instant = Nanos>> {
    per_second: NonZeroU32,
    quota: Quota,
    clock: C,
    limiter: Limiter<C>,
    most: usize,
    /// Once there are so many, those that are full again are forgotten.
    sweep_at: usize,
}

type Limiter<C> = RateLimiter<Whose, HashMapStateStore<Whose>, C, StateInformationMiddleware>;

/// How full a bucket is after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    burst: u32,
    per_second: u32,
    left: u32,
    /// Of a request that was one too many: how long until the next one may come.
    wait: Option<Duration>,
}

impl Rate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::of(limits.requests_per_second, limits.request_burst, MOST, Runtimes(Instant::now()))
    }
}

impl<C: Clock<Instant = Nanos> + Clone> Rate<C> {
    fn of(per_second: u32, burst: u32, most: usize, clock: C) -> Self {
        let quota = NonZeroU32::new(per_second).zip(NonZeroU32::new(burst));
        Self(quota.map(|(per_second, burst)| {
            let quota = Quota::per_second(per_second).allow_burst(burst);
            let limiter = limiter(quota, clock.clone());
            Mutex::new(Buckets { per_second, quota, clock, limiter, most, sweep_at: FEW.min(most) })
        }))
    }

    /// Takes one request out of a bucket; none where nothing is counted.
    pub(crate) fn take(&self, whose: &Whose) -> Option<Fill> {
        let mut buckets = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.make_room();
        let (left, wait) = match buckets.limiter.check_key(whose) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(buckets.clock.now()))),
        };
        let (burst, per_second) = (buckets.quota.burst_size().get(), buckets.per_second.get());
        Some(Fill { burst, per_second, left, wait })
    }
}

impl<C: Clock<Instant = Nanos> + Clone> Buckets<C> {
    /// Forgets buckets that are full again. Where there are too many others, all are forgotten: whoever comes from so many places
    /// has far more requests than a bucket holds, and memory has an end.
    fn make_room(&mut self) {
        if self.limiter.len() < self.sweep_at {
            return;
        }
        self.limiter.retain_recent();
        let mut left = self.limiter.len();
        if left > self.most / 2 {
            tracing::warn!(callers = left, "more callers ask than can be counted; they are counted from here on");
            self.limiter = limiter(self.quota, self.clock.clone());
            left = 0;
        }
        self.sweep_at = (2 * left).clamp(FEW.min(self.most), self.most);
    }
}

fn limiter<C: Clock<Instant = Nanos>>(quota: Quota, clock: C) -> Limiter<C> {
    RateLimiter::hashmap_with_clock(quota, clock).with_middleware()
}

/// The runtime's clock, since then.
#[derive(Clone)]
pub(crate) struct Runtimes(Instant);

impl Clock for Runtimes {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

impl Fill {
    /// Whether the request may go on; the error says when to come again.
    pub(crate) fn permits(self) -> Result<(), Failed> {
        let Some(wait) = self.wait else { return Ok(()) };
        let Self { burst, per_second, .. } = self;
        let detail = format!("a caller may make {per_second} requests a second, {burst} of them at once");
        let remedy = "wait as long as Retry-After says; to follow a task, listen to its events or poll with `wait`";
        Err(Failed::new(Code::TooOften, detail).remedy(remedy).retry_after(seconds(wait).max(1)))
    }

    /// Says it in the headers of an answer: the limit as requests in the time that an empty bucket needs, what is left of it, and
    /// the seconds until it is full.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Self { burst, per_second, left, .. } = self;
        let until = |missing: u32| missing.div_ceil(per_second.max(1));
        let said = [
            ("ratelimit-policy", format!("\"caller\";q={burst};w={}", until(burst))),
            ("ratelimit", format!("\"caller\";r={left};t={}", until(burst.saturating_sub(left)))),
        ];
        for (name, value) in said {
            // Digits and signs that any header may hold.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Whole seconds, the last one too.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use governor::clock::FakeRelativeClock;
    use waypost_core::access::{Role, Scope};

    use super::*;

    fn address(n: u32) -> Whose {
        Whose::unproven(Origin::Address(IpAddr::from(n.to_be_bytes()))).unwrap()
    }

    #[test]
    fn a_bucket_is_emptied_by_its_owner_alone_and_fills_again() {
        let clock = FakeRelativeClock::default();
        let rate = Rate::of(2, 3, MOST, clock.clone());
        let take = |whose: &Whose| rate.take(whose).map(|fill| (fill.left, fill.wait));
        let anna = Whose::of(&Caller::named("anna")).unwrap();
        assert_eq!([take(&anna), take(&anna), take(&anna)], [Some((2, None)), Some((1, None)), Some((0, None))]);
        assert_eq!(take(&anna), Some((0, Some(Duration::from_millis(500)))));
        for other in [Whose::of(&Caller::named("bert")).unwrap(), address(1)] {
            assert_eq!(take(&other), Some((2, None)), "{other:?}");
        }
        clock.advance(Duration::from_millis(499));
        assert_eq!(take(&anna), Some((0, Some(Duration::from_millis(1)))), "what is refused costs nothing");
        clock.advance(Duration::from_millis(1));
        assert_eq!(take(&anna), Some((0, None)));
        let refused = rate.take(&anna).unwrap();
        assert_eq!(refused.permits().unwrap_err().code(), Code::TooOften);
        let mut headers = HeaderMap::new();
        refused.tell(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"caller\";q=3;w=2");
        assert_eq!(headers["ratelimit"], "\"caller\";r=0;t=2");
        clock.advance(Duration::from_secs(60));
        assert_eq!(take(&anna), Some((2, None)), "no fuller than full");
    }

    #[test]
    fn a_bucket_is_a_subjects_of_an_issuer_and_not_a_names() {
        let whose = |subject: &str, name: &str| {
            let proof = Proof::Issuer { issuer: "corp".into(), subject: subject.into() };
            Whose::of(&Caller::proven(name.into(), Role::Viewer, Scope::default(), proof)).unwrap()
        };
        assert_ne!(whose("1", "corp:anna"), whose("2", "corp:anna"));
        assert_eq!(whose("1", "corp:anna"), whose("1", "corp:anne"), "who takes another name has no other bucket");
    }

    #[test]
    fn there_is_no_limit_where_none_is_wanted_and_none_for_root() {
        assert!(Rate::of(0, 10, MOST, FakeRelativeClock::default()).take(&address(1)).is_none());
        let root = Caller::proven("root".into(), Role::Admin, Scope::default(), Proof::Socket(0));
        assert_eq!((Whose::of(&root), Whose::unproven(Origin::User(0))), (None, None));
    }

    #[test]
    fn however_many_come_so_many_are_remembered_at_most() {
        let clock = FakeRelativeClock::default();
        let rate = Rate::of(1, 1, 64, clock.clone());
        let kept = || rate.0.as_ref().unwrap().lock().unwrap().limiter.len();
        for n in 0..1000 {
            rate.take(&address(n));
            assert!(kept() <= 64);
        }
        // Those that are full again go first, and whoever is refused stays so.
        clock.advance(Duration::from_secs(60));
        rate.take(&address(5000));
        for n in 0..200 {
            clock.advance(Duration::from_secs(4));
            rate.take(&address(5000));
            rate.take(&address(n));
        }
        assert!(kept() <= 64);
        assert!(rate.take(&address(5000)).unwrap().wait.is_some());
    }
}
