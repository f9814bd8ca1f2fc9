//! The way to a host: connections, and the threads that wait on them.
//!
//! libvirt's calls block, and a daemon that hangs blocks them for good, so they run on threads of their own which whoever
//! waits can turn away from. They are not the runtime's blocking threads: ending a runtime waits for those, and a process
//! must be able to end while a daemon hangs or a transfer goes on.
//!
//! Each thread has a connection of its own. libvirt's client is made for many threads on one, but before version 10.4 it then
//! ends the whole program now and then: a thread that is woken by another one's call leaves a pointer to its stack behind, which
//! the next one uses (CVE-2024-4418; seen with 9.0 as a segmentation fault in `g_main_loop_quit`, when a host came back). A
//! further connection is opened when a call finds all lanes busy, so that a host that is asked one thing at a time has one.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;
use virt::domain::Domain;
use waypost_core::ids::DomainId;

use crate::config::HostConfig;
use crate::error::{Cause, Error, Failure};
use crate::login::Once;
use crate::raw::{CloseWatch, Connection};
use crate::{event_loop, facts, raw, uri};

/// How many calls are under way at a host at most, each on a connection of its own.
const LANES: usize = 4;
/// The same on the one connection that a login opened. Calls take turns there, but for a transfer, which lasts: one away from that
/// host has a lane to itself, a direct one to it makes its own calls beside the lanes. libvirtd serves five per client
/// (`max_client_requests`), and with five under way a keepalive finds no free place: the client then takes its own connection
/// for dead.
const LENT_LANES: usize = 3;

/// What a call works on.
pub(crate) struct Session {
    /// Goes first: it holds a reference to the connection, and asks the daemon while it goes.
    close_watch: Option<CloseWatch>,
    /// Another reference: the domain whose job is read again and again.
    watched: Mutex<Option<(DomainId, Domain)>>,
    pub(crate) connection: Connection,
    closed: watch::Sender<Option<String>>,
    host_uuid: OnceLock<Option<Uuid>>,
    /// Held by whoever makes a call on it.
    turn: Turn,
}

/// Whose turn it is on a connection.
pub(crate) type Turn = Arc<Mutex<()>>;

fn taken(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Session {
    fn drop(&mut self) {
        // A subscription may be on its way out on another thread.
        let turn = self.turn();
        let _turn = taken(&turn);
        drop(self.close_watch.take());
    }
}

impl Session {
    /// A domain whose job is read several times a second: looked up once, as each look-up is another call to the host.
    pub(crate) fn watched(
        &self,
        id: DomainId,
        find: impl FnOnce() -> Result<Domain, Failure>,
    ) -> Result<Domain, Failure> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, domain)) = watched.as_ref().filter(|(known, _)| *known == id) {
            return Ok(domain.clone());
        }
        let domain = find()?;
        *watched = Some((id, domain.clone()));
        Ok(domain)
    }

    /// What has to be held by a thread that isn't this connection's own.
    pub(crate) fn turn(&self) -> Turn {
        Arc::clone(&self.turn)
    }

    /// Looks it up anew the next time.
    pub(crate) fn forget_watched(&self) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Host UUID of whoever answers on this connection, read once per connection: another connection may reach another
    /// host under the same name.
    pub(crate) fn host_uuid(&self) -> Result<Option<Uuid>, Failure> {
        if let Some(uuid) = self.host_uuid.get() {
            return Ok(*uuid);
        }
        let uuid = facts::host_uuid(&self.connection.get_capabilities()?)?;
        Ok(self.remember_host_uuid(uuid))
    }

    /// Notes the host UUID for whoever asks next.
    pub(crate) fn remember_host_uuid(&self, uuid: Option<Uuid>) -> Option<Uuid> {
        *self.host_uuid.get_or_init(|| uuid)
    }
}

/// A call. What it answers with is done once its lane is free again: who asks one thing after the other finds it so.
type Job = Box<dyn FnOnce(&Session) -> Report + Send>;
type Report = Box<dyn FnOnce() + Send>;

/// A way to a host, of one connection or a few. They close when the last clone is gone and the last call on them has returned;
/// with the first that breaks the whole is closed.
#[derive(Clone)]
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    host: Arc<HostConfig>,
    pool: Arc<Pool>,
    origin: Origin,
    closed: watch::Receiver<Option<String>>,
}

/// What a further lane works on.
#[derive(Clone)]
enum Origin {
    /// A connection of its own, which tells here when it closes.
    Configured(watch::Sender<Option<String>>),
    /// The one that a login opened.
    Lent(Arc<Session>),
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.lanes().over = true;
        self.pool.news.notify_all();
    }
}

/// The calls that wait, and the threads that make them.
struct Pool {
    lanes: Mutex<Lanes>,
    news: Condvar,
    most: usize,
}

#[derive(Default)]
struct Lanes {
    queue: VecDeque<Job>,
    /// Lanes that make no call, also those that are still opening their connection.
    free: usize,
    /// All lanes.
    open: usize,
    /// Nobody can queue any more.
    over: bool,
}

impl Pool {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a call; answers whether it takes another lane, which is then reckoned with.
    fn put(&self, job: Job) -> bool {
        let mut lanes = self.lanes();
        lanes.queue.push_back(job);
        self.news.notify_one();
        let more = lanes.queue.len() > lanes.free && lanes.open < self.most;
        if more {
            (lanes.open, lanes.free) = (lanes.open + 1, lanes.free + 1);
        }
        more
    }

    /// The next call; none when there will be no more.
    fn next(&self) -> Option<Job> {
        let mut lanes = self.lanes();
        loop {
            if let Some(job) = lanes.queue.pop_front() {
                lanes.free -= 1;
                return Some(job);
            }
            if lanes.over {
                return None;
            }
            lanes = self.news.wait(lanes).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A lane that was reckoned with doesn't come.
    fn give_up_lane(&self) {
        let mut lanes = self.lanes();
        (lanes.open, lanes.free) = (lanes.open - 1, lanes.free - 1);
    }
}

/// What comes of opening, once it has come.
pub(crate) type Opening = watch::Receiver<Option<Result<Link, Error>>>;

impl Link {
    /// Begins to open a connection, on a thread of its own: against a daemon that hangs, opening blocks for as long as it
    /// does. With a login it is opened in the configured way, but for who is let in.
    pub(crate) fn open(host: Arc<HostConfig>, login: Option<Arc<Once>>) -> Opening {
        let lanes = if login.is_some() { LENT_LANES } else { LANES };
        Self::begin(host, login, lanes)
    }

    fn begin(host: Arc<HostConfig>, login: Option<Arc<Once>>, lanes: usize) -> Opening {
        let (ready, opening) = watch::channel(None);
        let failed = ready.clone();
        let (name, attempted) = (host.name.clone(), host.opening());
        let thread = thread::Builder::new().name(format!("libvirt-{name}"));
        if let Err(error) = thread.spawn(move || serve(&host, login, lanes, ready)) {
            let cause = Failure::refused(format!("can't start a thread: {error}")).into();
            failed.send_replace(Some(Err(Error { host: name, attempted, cause })));
        }
        opening
    }

    /// The same with one lane, for something that takes long and that nothing else shares.
    pub(crate) fn open_alone(host: Arc<HostConfig>) -> Opening {
        Self::begin(host, None, 1)
    }

    /// Runs a call and waits for it until the limit. A call that outlives it goes on, and nobody learns what came of it; a
    /// call that hasn't begun by then never does.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        attempted: &str,
        limit: Duration,
        work: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let answer = self.submit(work);
        let cause = match tokio::time::timeout(limit, answer).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(failure))) => Cause::Libvirt(failure),
            Ok(Err(_)) => Cause::Defect,
            Err(_) => Cause::Deadline(limit),
        };
        Err(Error { host: self.0.host.name.clone(), attempted: attempted.to_owned(), cause })
    }

    /// Queues a call; it is skipped if the answer isn't waited for any more when its turn comes.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Failure>> {
        let (answer, waiting) = oneshot::channel();
        self.queue(Box::new(move |session| {
            if answer.is_closed() {
                return Box::new(|| ());
            }
            let turn = taken(&session.turn);
            let result = work(session);
            drop(turn);
            if result.is_err() && !session.connection.is_open() {
                session.closed.send_if_modified(|closed| {
                    let first = closed.is_none();
                    closed.get_or_insert_with(|| "the connection broke".to_owned());
                    first
                });
            }
            Box::new(move || drop(answer.send(result)))
        }));
        waiting
    }

    /// Queues a call that is made whether or not anybody waits for it any more, and for as long as it takes: it takes no turn.
    pub(crate) fn submit_for_good<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Failure>> {
        let (answer, waiting) = oneshot::channel();
        self.queue(Box::new(move |session| {
            let result = work(session);
            Box::new(move || drop(answer.send(result)))
        }));
        waiting
    }

    /// Gives something that talks to the daemon while it is dropped to the threads that may wait, and has them wait for its turn
    /// on the connection that it belongs to.
    pub(crate) fn drop_there<T: Send + 'static>(&self, value: T, turn: Option<Turn>) {
        self.queue(Box::new(move |_| {
            let turn = turn.as_deref().map(taken);
            drop(value);
            drop(turn);
            Box::new(|| ())
        }));
    }

    fn queue(&self, job: Job) {
        // What the thread logs is about the task that asks, if one does.
        let span = tracing::Span::current();
        let more = self.0.pool.put(Box::new(move |session| span.in_scope(|| job(session))));
        // One that couldn't be had has calls wait for each other, that's all.
        if more && let Err(error) = self.another_lane() {
            self.0.pool.give_up_lane();
            tracing::warn!(host = %self.0.host.name, %error, "can't start a thread");
        }
    }

    fn another_lane(&self) -> std::io::Result<()> {
        let (host, pool, origin) = (self.0.host.clone(), self.0.pool.clone(), self.0.origin.clone());
        let thread = thread::Builder::new().name(format!("libvirt-{}", host.name));
        let lane = move || {
            let session = match origin {
                Origin::Lent(session) => session,
                Origin::Configured(closed) => match establish(&host, None, closed) {
                    Ok(session) => Arc::new(session),
                    Err(cause) => {
                        tracing::debug!(host = %host.name, %cause, "no further connection");
                        pool.give_up_lane();
                        return;
                    }
                },
            };
            work(&session, &pool);
        };
        thread.spawn(lane).map(drop)
    }

    /// Why it is closed; none while it is open, as far as this end knows.
    pub(crate) fn closed(&self) -> Option<String> {
        self.0.closed.borrow().clone()
    }

    /// Tells when it closes.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.closed.clone()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

fn serve(
    host: &Arc<HostConfig>,
    login: Option<Arc<Once>>,
    most: usize,
    ready: watch::Sender<Option<Result<Link, Error>>>,
) {
    let (closed, watching) = watch::channel(None);
    let session = match establish(host, login.as_deref(), closed.clone()) {
        Ok(session) => Arc::new(session),
        Err(cause) => {
            let error = Error { host: host.name.clone(), attempted: host.opening(), cause };
            ready.send_replace(Some(Err(error)));
            return;
        }
    };
    let origin = if login.is_some() { Origin::Lent(session.clone()) } else { Origin::Configured(closed) };
    drop(login);
    let lanes = Lanes { open: 1, free: 1, ..Lanes::default() };
    let pool = Arc::new(Pool { lanes: Mutex::new(lanes), news: Condvar::new(), most });
    let shared = Shared { host: host.clone(), pool: pool.clone(), origin, closed: watching };
    ready.send_replace(Some(Ok(Link(Arc::new(shared)))));
    // The channel keeps the link for as long as it has a sender.
    drop(ready);
    work(&session, &pool);
}

fn establish(host: &HostConfig, login: Option<&Once>, closed: watch::Sender<Option<String>>) -> Result<Session, Cause> {
    let uri = match login {
        None => uri::checked(host)?,
        Some(login) => uri::for_login(host, login.user())?,
    };
    event_loop::start()?;
    uri::refuse_crashes(host, raw::client_version()?)?;
    let connection = Connection::open(&uri, login).map_err(|failure| match login {
        None => uri::explained(host, failure),
        Some(_) => uri::explained_with_login(host, failure),
    })?;
    if login.is_some_and(|login| !login.was_given()) {
        return Err(uri::not_asked_for(host));
    }
    let interval = i32::try_from(host.limits.keepalive_interval_s).unwrap_or(i32::MAX);
    match connection.set_keep_alive(interval, host.limits.keepalive_count).map_err(Failure::from) {
        Err(failure) if !failure.is_unsupported() => return Err(failure.into()),
        // A driver inside of this process has no connection that could break.
        _ => {}
    }
    let close_watch = CloseWatch::new(&connection, closed.clone())
        .map_err(|failure| tracing::debug!(host = %host.name, %failure, "no word of a closed connection"))
        .ok();
    Ok(Session {
        close_watch,
        watched: Mutex::default(),
        connection,
        closed,
        host_uuid: OnceLock::new(),
        turn: Turn::default(),
    })
}

/// Runs calls until nobody can queue any more. The last thread to leave closes the connection.
fn work(session: &Arc<Session>, pool: &Pool) {
    while let Some(job) = pool.next() {
        // A panic in a call is a defect, but not one that should take the connection's threads away one by one: whoever
        // waits for the answer is told.
        let made = catch_unwind(AssertUnwindSafe(|| job(session)));
        pool.lanes().free += 1;
        match made {
            Ok(report) => report(),
            Err(_) => tracing::error!("a libvirt call panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::config::Limits;

    async fn link() -> Link {
        let host = HostConfig::new("t", "test:///default");
        let mut opening = Link::open(Arc::new(HostConfig { limits: Limits::default(), ..host }), None);
        let opened = opening.wait_for(Option::is_some).await.expect("the thread tells");
        opened.clone().expect("it was waited for").expect("it opens")
    }

    const LIMIT: Duration = Duration::from_secs(60);

    /// Which connection a call is made on.
    fn which(session: &Session) -> usize {
        session.connection.as_ptr() as usize
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_beside_each_other_have_a_connection_each_and_calls_in_turn_share_one() {
        let link = link().await;
        let mut one_by_one = Vec::new();
        for _ in 0..3 {
            one_by_one.push(link.call("look", LIMIT, |session| Ok(which(session))).await.expect("it answers"));
        }
        assert!(one_by_one.windows(2).all(|pair| pair[0] == pair[1]), "{one_by_one:?}");
        // None of them returns before all are under way.
        let meet = Arc::new(Barrier::new(LANES));
        let calls = (0..LANES).map(|_| {
            let meet = meet.clone();
            link.submit(move |session| {
                meet.wait();
                Ok(which(session))
            })
        });
        let mut beside = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            beside.push(call.await.expect("the thread lives").expect("it answers"));
        }
        beside.sort_unstable();
        beside.dedup();
        assert_eq!(beside.len(), LANES);
        assert_eq!(link.closed(), None);
    }

    #[tokio::test]
    async fn what_was_queued_is_still_done_after_the_last_who_could_queue_is_gone() {
        let link = link().await;
        let answers: Vec<_> = (0..20).map(|n| link.submit_for_good(move |_| Ok(n))).collect();
        drop(link);
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.await.expect("it is made").expect("it answers"), n);
        }
    }
}
