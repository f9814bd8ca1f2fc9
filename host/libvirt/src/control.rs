//! The control connection of one host: opened when it is first needed, opened again when it broke or stopped answering.
//!
//! Where the configured way is closed for want of a login, one that somebody gives opens it once. That connection takes the
//! place of the control connection, and of a transfer's own, for as long as somebody holds the host; it is not opened again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use waypost_core::ids::HostName;
use waypost_core::load::CpuTime;
use waypost_core::login::{Admitted, Login};
use waypost_core::ports::Connection;

use crate::config::HostConfig;
use crate::error::{Cause, Error, Failure};
use crate::link::{Link, Opening, Session};
use crate::login::{Forgetting, Once, Stay};
use crate::read::load::Meter;
use crate::uri;

/// Wait after the first failed open; doubled by each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An open that has hung for so long is left to itself and another one is tried beside it: TCP's own retries get ever
/// rarer, a fresh one finds a host that came back.
const OPEN_HANGS: Duration = Duration::from_secs(30);
/// How many hanging opens are left to themselves, each holding a thread.
const LEFT_BEHIND: u32 = 3;

/// One host and the connection to it.
pub(crate) struct Control {
    name: HostName,
    /// What is said of it now. The way by which it is reached never changes: another way is another one of these.
    host: RwLock<Arc<HostConfig>>,
    state: Mutex<State>,
    /// Whether anybody needed a connection yet: a host that nobody asked is not down.
    tried: AtomicBool,
    /// What a login opened, kept by whoever holds this host.
    stay: Mutex<Weak<Stay>>,
    /// What its CPUs did, between two looks.
    meter: Mutex<Meter>,
}

enum State {
    Down { failures: u32, not_before: Option<Instant> },
    Opening { opening: Opening, since: Instant, failures: u32, left_behind: u32 },
    Up(Link),
}

enum Step {
    Use(Link),
    Await(Opening),
    Pause(Instant),
}

impl Control {
    pub(crate) fn new(host: HostConfig) -> Self {
        let state = Mutex::new(State::Down { failures: 0, not_before: None });
        Self {
            name: host.name.clone(),
            host: RwLock::new(Arc::new(host)),
            state,
            tried: AtomicBool::new(false),
            stay: Mutex::default(),
            meter: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &HostName {
        &self.name
    }

    /// What is said of it now. Who needs several things of it that belong together keeps the answer.
    pub(crate) fn host(&self) -> Arc<HostConfig> {
        Arc::clone(&self.host.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes something else that is said of a host that is [reached as](HostConfig::is_reached_as) this one: the connection
    /// stays, with the keepalive that it was opened with, and calls that come have the new time limits.
    pub(crate) fn adjust(&self, host: HostConfig) {
        *self.host.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(host);
    }

    /// The share of the time that its CPUs worked lately, permille, by this reading of their counters and the one before.
    pub(crate) fn metered(&self, now: CpuTime) -> Option<u16> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).read(Instant::now(), now)
    }

    /// How it stands, without asking.
    pub(crate) fn connection(&self) -> Connection {
        if self.lent().is_some() {
            return Connection::Lent(uri::peer_way(&self.host()));
        }
        match &*self.state() {
            State::Up(link) if link.closed().is_none() => Connection::Up,
            _ if !self.tried.load(Ordering::Relaxed) => Connection::Unknown,
            State::Up(_) | State::Down { .. } | State::Opening { .. } => Connection::Down,
        }
    }

    /// A call that changes nothing: if the connection turns out to be broken it is made once more on a new one.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        attempted: impl AsRef<str>,
        work: impl Fn(&Session) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let work = Arc::new(work);
        let limit = self.host().limits.read;
        let mut link = self.link().await?;
        let first = work.clone();
        let mut result = link.call(attempted.as_ref(), limit, move |session| first(session)).await;
        self.note(&link, &result);
        if matches!(&result, Err(Error { cause: Cause::Libvirt(_), .. })) && link.closed().is_some() {
            link = self.link().await?;
            result = link.call(attempted.as_ref(), limit, move |session| work(session)).await;
            self.note(&link, &result);
        }
        result
    }

    /// A call that changes something: made once, whatever happens.
    pub(crate) async fn order<T: Send + 'static>(
        &self,
        attempted: impl AsRef<str>,
        work: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let link = self.link().await?;
        let result = link.call(attempted.as_ref(), self.host().limits.order, work).await;
        self.note(&link, &result);
        result
    }

    /// Keeps what a login opened, or will open, for as long as the answer lives.
    pub(crate) fn hold(&self) -> Arc<Stay> {
        let mut stay = self.stay.lock().unwrap_or_else(PoisonError::into_inner);
        stay.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Stay::default());
            *stay = Arc::downgrade(&fresh);
            fresh
        })
    }

    /// Sees to it that the host can be asked: with this login, where that is what is missing.
    pub(crate) async fn admit(&self, login: Login) -> Result<Admitted, Error> {
        let stay = self.hold();
        match self.link().await {
            Ok(_) => return Ok(Admitted::Unneeded),
            Err(error) if !uri::wants_login(&error.cause) => return Err(error),
            Err(_) => {}
        }
        let once = Once::new(login);
        // Also where nobody waits for this any more, and the host never answers.
        let _forgetting = Forgetting(Arc::clone(&once));
        let link = self.opened(Link::open(self.host(), Some(once))).await?;
        tracing::info!(host = %self.name, "a login that somebody gave opened the connection; it is not kept");
        stay.lend(link);
        Ok(Admitted::Opened)
    }

    fn held(&self) -> Option<Arc<Stay>> {
        self.stay.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// What a login opened, if it stands.
    fn lent(&self) -> Option<Link> {
        self.held()?.link()
    }

    /// The connection, opened if need be.
    pub(crate) async fn link(&self) -> Result<Link, Error> {
        if let Some(link) = self.lent() {
            return Ok(link);
        }
        let opened = self.configured().await;
        opened.map_err(|error| match self.held().is_some_and(|stay| stay.is_broken()) {
            true => Error { cause: uri::explained_after_login(error.cause), ..error },
            false => error,
        })
    }

    /// The connection as it is configured, opened if need be.
    async fn configured(&self) -> Result<Link, Error> {
        let limit = self.host().limits.open;
        let deadline = Instant::now() + limit;
        let late = || self.error(Cause::Deadline(limit));
        loop {
            match self.step() {
                Step::Use(link) => return Ok(link),
                Step::Pause(until) if until >= deadline => {
                    sleep_until(deadline).await;
                    return Err(late());
                }
                Step::Pause(until) => sleep_until(until).await,
                Step::Await(mut opening) => {
                    let opened = match timeout_at(deadline, opening.wait_for(Option::is_some)).await {
                        Err(_) => return Err(late()),
                        Ok(Ok(opened)) => opened.clone(),
                        // The thread ended without a word.
                        Ok(Err(_)) => Some(Err(self.error(Cause::Defect))),
                    };
                    if let Some(result) = opened {
                        self.settle(&opening, &result);
                        return result;
                    }
                }
            }
        }
    }

    /// A connection of its own for something that takes long; it is never shared and never opened again. Who was let in by a
    /// login has one connection, and this is it.
    pub(crate) async fn own_link(&self) -> Result<Link, Error> {
        match self.lent() {
            Some(link) => Ok(link),
            None => self.opened(Link::open_alone(self.host())).await,
        }
    }

    /// What comes of an open that nobody else waits for.
    async fn opened(&self, mut opening: Opening) -> Result<Link, Error> {
        let limit = self.host().limits.open;
        match tokio::time::timeout(limit, opening.wait_for(Option::is_some)).await {
            Err(_) => Err(self.error(Cause::Deadline(limit))),
            Ok(Ok(opened)) => opened.clone().unwrap_or_else(|| Err(self.error(Cause::Defect))),
            Ok(Err(_)) => Err(self.error(Cause::Defect)),
        }
    }

    fn error(&self, cause: Cause) -> Error {
        Error { host: self.name.clone(), attempted: self.host().opening(), cause }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Each change is one assignment, so a state is never half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> Step {
        self.tried.store(true, Ordering::Relaxed);
        let now = Instant::now();
        let mut state = self.state();
        let (failures, left_behind) = match &*state {
            State::Up(link) if link.closed().is_none() => return Step::Use(link.clone()),
            State::Up(link) => {
                tracing::info!(host = %self.name, why = link.closed(), "the connection is gone");
                (0, 0)
            }
            State::Down { not_before: Some(until), .. } if *until > now => return Step::Pause(*until),
            State::Down { failures, .. } => (*failures, 0),
            State::Opening { opening, since, failures, left_behind } => {
                let hangs = opening.borrow().is_none() && now.duration_since(*since) > OPEN_HANGS;
                if !hangs || *left_behind >= LEFT_BEHIND {
                    return Step::Await(opening.clone());
                }
                (*failures, left_behind + 1)
            }
        };
        let opening = Link::open(self.host(), None);
        *state = State::Opening { opening: opening.clone(), since: now, failures, left_behind };
        Step::Await(opening)
    }

    /// Takes in what came of an open, unless somebody else did already.
    fn settle(&self, settled: &Opening, result: &Result<Link, Error>) {
        let mut state = self.state();
        let failures = match &*state {
            State::Opening { opening, failures, .. } if opening.same_channel(settled) => *failures,
            _ => return,
        };
        *state = match result {
            Ok(link) => State::Up(link.clone()),
            Err(_) => State::Down { failures: failures + 1, not_before: Some(Instant::now() + pause(failures)) },
        };
    }

    /// Gives a connection up that is broken, or on which a call got no answer: whatever else waits on it may go on, new
    /// calls take a new one.
    fn note<T>(&self, link: &Link, result: &Result<T, Error>) {
        let silent = matches!(result, Err(Error { cause: Cause::Deadline(_), .. }));
        if !silent && link.closed().is_none() {
            return;
        }
        let mut state = self.state();
        if matches!(&*state, State::Up(current) if current.is(link)) {
            *state = State::Down { failures: 0, not_before: None };
        }
    }
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_and_stays_bounded() {
        let pauses: Vec<u64> = [0, 1, 2, 5, 6, 40].into_iter().map(|n| pause(n).as_millis() as u64).collect();
        assert_eq!(pauses, [100, 200, 400, 3200, 5000, 5000]);
    }
}
