//! One connection, and the threads that wait on it.
//!
//! libvirt's calls block, and a daemon that hangs blocks them for good, so they run on threads of their own which whoever
//! waits can turn away from. They are not the runtime's blocking threads: ending a runtime waits for those, and a process
//! must be able to end while a daemon hangs or a transfer goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
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

/// How many calls are under way on one connection at most. libvirtd serves five per client (`max_client_requests`), and
/// with five under way a keepalive finds no free place: the client then takes its own connection for dead.
const LANES: usize = 4;
/// The same on a connection that a login opened, over which a direct migration to its host makes its own calls as well: there is
/// no other, and they come beside the lanes. A migration away from that host takes a lane as long as it lasts.
const LENT_LANES: usize = 3;

/// What a call works on.
pub(crate) struct Session {
    /// Goes first: it holds a reference to the connection.
    _close_watch: Option<CloseWatch>,
    /// So does this: the domain whose job is read again and again.
    watched: Mutex<Option<(DomainId, Domain)>>,
    pub(crate) connection: Connection,
    closed: watch::Sender<Option<String>>,
    host_uuid: OnceLock<Option<Uuid>>,
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

type Job = Box<dyn FnOnce(&Session) + Send>;

/// One connection. It closes when the last clone is gone and the last call on it has returned.
#[derive(Clone)]
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    host: Arc<HostConfig>,
    jobs: mpsc::Sender<Job>,
    closed: watch::Receiver<Option<String>>,
}

/// What comes of opening, once it has come.
pub(crate) type Opening = watch::Receiver<Option<Result<Link, Error>>>;

impl Link {
    /// Begins to open a connection, on a thread of its own: against a daemon that hangs, opening blocks for as long as it
    /// does. With a login it is opened in the configured way, but for who is let in.
    pub(crate) fn open(host: Arc<HostConfig>, login: Option<Arc<Once>>) -> Opening {
        let (ready, opening) = watch::channel(None);
        let failed = ready.clone();
        let (name, attempted) = (host.name.clone(), host.opening());
        let thread = thread::Builder::new().name(format!("libvirt-{name}"));
        if let Err(error) = thread.spawn(move || serve(&host, login, ready)) {
            let cause = Failure::refused(format!("can't start a thread: {error}")).into();
            failed.send_replace(Some(Err(Error { host: name, attempted, cause })));
        }
        opening
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
                return;
            }
            let result = work(session);
            if result.is_err() && !session.connection.is_open() {
                session.closed.send_if_modified(|closed| {
                    let first = closed.is_none();
                    closed.get_or_insert_with(|| "the connection broke".to_owned());
                    first
                });
            }
            let _ = answer.send(result);
        }));
        waiting
    }

    /// Queues a call that is made whether or not anybody waits for it any more.
    pub(crate) fn submit_for_good<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Failure>> {
        let (answer, waiting) = oneshot::channel();
        self.queue(Box::new(move |session| {
            let _ = answer.send(work(session));
        }));
        waiting
    }

    /// Gives something that talks to the daemon while it is dropped to the threads that may wait.
    pub(crate) fn drop_there<T: Send + 'static>(&self, value: T) {
        self.queue(Box::new(move |_| drop(value)));
    }

    fn queue(&self, job: Job) {
        // What the thread logs is about the task that asks, if one does.
        let span = tracing::Span::current();
        // Fails only if every thread of this connection is gone, which they aren't while this sender lives.
        let _ = self.0.jobs.send(Box::new(move |session| span.in_scope(|| job(session))));
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

fn serve(host: &Arc<HostConfig>, login: Option<Arc<Once>>, ready: watch::Sender<Option<Result<Link, Error>>>) {
    let (closed, watching) = watch::channel(None);
    let lanes = if login.is_some() { LENT_LANES } else { LANES };
    let session = match establish(host, login.as_deref(), closed) {
        Ok(session) => Arc::new(session),
        Err(cause) => {
            let error = Error { host: host.name.clone(), attempted: host.opening(), cause };
            ready.send_replace(Some(Err(error)));
            return;
        }
    };
    drop(login);
    let (jobs, queue) = mpsc::channel::<Job>();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 1..lanes {
        let (session, queue) = (session.clone(), queue.clone());
        let thread = thread::Builder::new().name(format!("libvirt-{}", host.name));
        // With fewer threads calls wait for each other, that's all.
        if let Err(error) = thread.spawn(move || work(&session, &queue)) {
            tracing::warn!(host = %host.name, %error, "can't start a thread");
        }
    }
    ready.send_replace(Some(Ok(Link(Arc::new(Shared { host: host.clone(), jobs, closed: watching })))));
    // The channel keeps the link for as long as it has a sender.
    drop(ready);
    work(&session, &queue);
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
    Ok(Session { _close_watch: close_watch, watched: Mutex::default(), connection, closed, host_uuid: OnceLock::new() })
}

/// Runs calls until nobody can queue any more. The last thread to leave closes the connection.
fn work(session: &Arc<Session>, queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic in a call is a defect, but not one that should take the connection's threads away one by one: whoever
        // waits for the answer is told.
        if catch_unwind(AssertUnwindSafe(|| job(session))).is_err() {
            tracing::error!("a libvirt call panicked");
        }
    }
}
