//! Events of a connection and of its domains. All callbacks run on the event-loop thread, for all hosts alike, so they
//! copy and leave; whoever is slow at the other end of the channel holds up nobody.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;
use virt_sys as sys;

use super::{Connection, Params, checked};
use crate::error::Failure;

/// Something that happened to a domain, in libvirt's numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Lifecycle { domain: Uuid, event: u32, detail: u32 },
    Iteration { domain: Uuid, iteration: u64 },
    JobCompleted { domain: Uuid, params: Params },
}

/// What a callback is given. It holds the channel weakly: the [`Subscription`] has the strong end, so that the channel
/// closes with it whatever the driver does with the box.
struct Context(mpsc::WeakUnboundedSender<Event>);

/// Events of all domains of a connection, until dropped. Dropping talks to the daemon and can block.
pub(crate) struct Subscription {
    /// A reference of its own: a registered callback keeps the connection open anyway.
    connection: Connection,
    registered: Vec<c_int>,
    _events: mpsc::UnboundedSender<Event>,
}

type Callback = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void);
type Lifecycle = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, c_int, *mut c_void) -> c_int;
type Iteration = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, *mut c_void);
type JobCompleted =
    unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, sys::virTypedParameterPtr, c_int, *mut c_void);

impl Subscription {
    /// Registers for the events that a migration is made of.
    pub(crate) fn new(connection: &Connection, events: mpsc::UnboundedSender<Event>) -> Result<Self, Failure> {
        let weak = events.downgrade();
        let mut new = Self { connection: connection.share(), registered: Vec::new(), _events: events };
        // SAFETY: every event has a signature of its own, and registration takes this one for all of them; libvirt casts
        // it back by the event's id before it calls.
        let callbacks = unsafe {
            [
                (
                    sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                    std::mem::transmute::<Lifecycle, Callback>(on_lifecycle as Lifecycle),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                    std::mem::transmute::<Iteration, Callback>(on_iteration as Iteration),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                    std::mem::transmute::<JobCompleted, Callback>(on_job_completed as JobCompleted),
                ),
            ]
        };
        for (id, callback) in callbacks {
            // If one can't be registered, dropping `new` takes back those before it.
            new.register(id as c_int, callback, Context(weak.clone()))?;
        }
        Ok(new)
    }

    fn register(&mut self, id: c_int, callback: Callback, context: Context) -> Result<(), Failure> {
        let context = Box::into_raw(Box::new(context));
        // SAFETY: the connection is borrowed; no domain means all; the callback is the one for this id; the box is freed
        // by `free_context` once, when libvirt lets go of it.
        let result = checked(unsafe {
            sys::virConnectDomainEventRegisterAny(
                self.connection.as_ptr(),
                ptr::null_mut(),
                id,
                Some(callback),
                context.cast(),
                Some(free_context),
            )
        });
        match result {
            Ok(registered) => {
                self.registered.push(registered);
                Ok(())
            }
            Err(failure) => {
                // SAFETY: on failure libvirt has not taken the box and won't free it.
                drop(unsafe { Box::from_raw(context) });
                Err(failure)
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            // SAFETY: registered on this connection, deregistered once.
            unsafe { sys::virConnectDomainEventDeregisterAny(self.connection.as_ptr(), id) };
        }
    }
}

unsafe extern "C" fn free_context(context: *mut c_void) {
    // SAFETY: made by Box::into_raw in `register`; libvirt calls this once.
    drop(unsafe { Box::from_raw(context.cast::<Context>()) });
}

/// Builds the event and sends it.
///
/// # Safety
/// `context` is what `register` gave, not yet freed; `domain` is lent by libvirt.
unsafe fn deliver(context: *mut c_void, domain: sys::virDomainPtr, build: impl FnOnce(Uuid) -> Event) {
    // SAFETY: promised by the caller.
    let Context(events) = unsafe { &*context.cast::<Context>() };
    let mut uuid = [0; 16];
    // SAFETY: a lent domain and room for the 16 bytes that libvirt writes.
    if unsafe { sys::virDomainGetUUID(domain, uuid.as_mut_ptr()) } < 0 {
        return;
    }
    // Unwinding into C would end the process. Nothing that stays is left half-changed by a panic here.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if let Some(events) = events.upgrade() {
            // A receiver that is gone wants no events.
            let _ = events.send(build(Uuid::from_bytes(uuid)));
        }
    }));
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    context: *mut c_void,
) -> c_int {
    let number = |n: c_int| u32::try_from(n).unwrap_or(u32::MAX);
    // SAFETY: called by libvirt with what was registered.
    unsafe {
        deliver(context, domain, |domain| Event::Lifecycle { domain, event: number(event), detail: number(detail) });
    }
    0
}

unsafe extern "C" fn on_iteration(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    iteration: c_int,
    context: *mut c_void,
) {
    let iteration = u64::try_from(iteration).unwrap_or(0);
    // SAFETY: called by libvirt with what was registered.
    unsafe { deliver(context, domain, |domain| Event::Iteration { domain, iteration }) }
}

unsafe extern "C" fn on_job_completed(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    params: sys::virTypedParameterPtr,
    count: c_int,
    context: *mut c_void,
) {
    // SAFETY: called by libvirt with what was registered; the parameters stay libvirt's and are copied.
    unsafe {
        deliver(context, domain, |domain| Event::JobCompleted { domain, params: Params::copy(params, count) });
    }
}

/// Watches for the end of a connection. libvirt takes one such callback per connection.
pub(crate) struct CloseWatch(Connection);

impl CloseWatch {
    /// Puts the reason into `closed` when the connection ends without being asked to.
    ///
    /// Drivers without a daemon behind them answer that they have taken the callback, and neither call nor free it: for
    /// those the box stays allocated for the life of the process, a few bytes per connection.
    pub(crate) fn new(connection: &Connection, closed: watch::Sender<Option<String>>) -> Result<Self, Failure> {
        let context = Box::into_raw(Box::new(closed));
        // SAFETY: the connection is borrowed; the box is freed by `free_closed` when libvirt lets go of it.
        let result = checked(unsafe {
            sys::virConnectRegisterCloseCallback(connection.as_ptr(), Some(on_close), context.cast(), Some(free_closed))
        });
        if let Err(failure) = result {
            // SAFETY: on failure libvirt has not taken the box and won't free it.
            drop(unsafe { Box::from_raw(context) });
            return Err(failure);
        }
        Ok(Self(connection.share()))
    }
}

impl Drop for CloseWatch {
    fn drop(&mut self) {
        // SAFETY: registered on this connection with this function; unregistered once.
        unsafe { sys::virConnectUnregisterCloseCallback(self.0.as_ptr(), Some(on_close)) };
    }
}

unsafe extern "C" fn free_closed(context: *mut c_void) {
    // SAFETY: made by Box::into_raw in `CloseWatch::new`; libvirt calls this once.
    drop(unsafe { Box::from_raw(context.cast::<watch::Sender<Option<String>>>()) });
}

unsafe extern "C" fn on_close(_: sys::virConnectPtr, reason: c_int, context: *mut c_void) {
    // SAFETY: what `CloseWatch::new` registered and libvirt has not freed yet.
    let closed = unsafe { &*context.cast::<watch::Sender<Option<String>>>() };
    let reason = match u32::try_from(reason) {
        Ok(sys::VIR_CONNECT_CLOSE_REASON_EOF) => "the daemon closed the connection",
        Ok(sys::VIR_CONNECT_CLOSE_REASON_KEEPALIVE) => "the daemon answered no keepalive",
        Ok(sys::VIR_CONNECT_CLOSE_REASON_CLIENT) => "the connection was closed from this side",
        _ => "the connection broke",
    };
    // Unwinding into C would end the process; a watch has no state that a panic leaves half-changed.
    let _ = catch_unwind(AssertUnwindSafe(|| closed.send_replace(Some(reason.to_owned()))));
}
