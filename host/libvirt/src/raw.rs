//! The one place with `unsafe`: what the `virt` crate lacks or gets wrong, over `virt-sys`.
//!
//! `virt` 0.4.3 has no events, no close callback, no abort and no switch to post-copy; its `Connect` is never closed; its
//! `get_job_stats` frees libvirt's memory with the wrong allocator (it aborts the process where no job runs), its
//! `get_block_info` drops errors, its migration parameters leak, and its credential callback reads through NULL. Look-ups,
//! lists and XML of `virt` are right, and used everywhere else.
//!
//! Rules that hold in here, so that each block can be checked on its own:
//! - a pointer that comes from a `virt` handle is valid for as long as the handle is borrowed;
//! - every C string that goes in comes from [`c_string`] and lives until after the call;
//! - everything that libvirt lends to a callback is copied before the callback returns;
//! - an error is taken from libvirt on the same thread before anything else is called ([`Failure::last`]);
//! - no panic crosses into C.

mod connection;
mod domain;
mod events;
mod monitor;
mod params;

pub(crate) use connection::{Comparison, Connection, CpuQuestion, HostMemory};
pub(crate) use domain::{
    JobKind, abort_job, block_job, block_size, checkpoints, dirty_rate, disk_errors, domain_overviews,
    interrupt_post_copy, job_stats, max_downtime, messages, migrate, migrate_to_uri, resident_kib,
    start_dirty_rate_calc, start_post_copy, state,
};
pub(crate) use events::{CloseWatch, Event, Subscription};
pub(crate) use monitor::monitor;
pub(crate) use params::{Param, Params};

use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::ptr;

use virt_sys as sys;

use crate::error::Failure;

impl Failure {
    /// What libvirt says of the call that failed last on this thread.
    fn last() -> Self {
        // SAFETY: returns NULL or a pointer to the calling thread's own error, which stays as it is until this thread's
        // next libvirt call; everything is copied before that.
        let error = unsafe { sys::virGetLastError().as_ref() };
        match error {
            None => Self::unknown(),
            Some(error) => Self {
                code: u32::try_from(error.code).unwrap_or(sys::VIR_ERR_INTERNAL_ERROR),
                domain: u32::try_from(error.domain).unwrap_or(sys::VIR_FROM_NONE),
                // SAFETY: NULL or a NUL-terminated string that belongs to the error.
                message: unsafe { text(error.message) }.unwrap_or_else(|| "libvirt gave no reason".to_owned()),
            },
        }
    }
}

/// Prepares libvirt. Before this even resetting the last error reads another library's thread-local memory, and nothing but
/// opening a connection does it by itself.
pub(crate) fn initialize() -> Result<(), Failure> {
    // SAFETY: may be called from any thread, as often as one likes.
    if unsafe { sys::virInitialize() } < 0 {
        // The place where the reason would be is what couldn't be prepared.
        return Err(Failure::unknown());
    }
    Ok(())
}

/// Version of the libvirt library in this process: 9.0.0 is 9 000 000.
pub(crate) fn client_version() -> Result<u64, Failure> {
    let mut version: c_ulong = 0;
    // SAFETY: libvirt fills the place; without a name and a place for it no hypervisor's version is asked for.
    checked(unsafe { sys::virGetVersion(&raw mut version, ptr::null(), ptr::null_mut()) })?;
    Ok(version)
}

/// Turns libvirt's `-1` into the error behind it.
fn checked(result: c_int) -> Result<c_int, Failure> {
    if result < 0 { Err(Failure::last()) } else { Ok(result) }
}

/// Text for C. A NUL byte inside is refused instead of cutting the text short.
fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::nul(text))
}

/// A copy of a C string; none for NULL.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that stays as it is during the call.
unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: promised by the caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
