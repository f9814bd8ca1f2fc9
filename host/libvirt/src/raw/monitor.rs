//! The call past libvirt to the hypervisor's own monitor. It lives in a library of its own, which libvirt installs beside itself
//! and `virt-sys` doesn't know.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;

use virt::domain::Domain;
use virt_sys as sys;

use super::{c_string, checked, text};
use crate::error::Failure;

#[link(name = "virt-qemu")]
unsafe extern "C" {
    /// `libvirt/libvirt-qemu.h`. The answer is allocated with malloc, for the caller.
    fn virDomainQemuMonitorCommand(
        domain: sys::virDomainPtr,
        command: *const c_char,
        answer: *mut *mut c_char,
        flags: c_uint,
    ) -> c_int;
}

/// Gives a command to the monitor of the domain's process, and answers what that said. libvirt notes it on the domain. An error
/// where the driver has no such monitor.
pub(crate) fn monitor(domain: &Domain, command: &str) -> Result<String, Failure> {
    let command = c_string(command)?;
    let mut answer: *mut c_char = ptr::null_mut();
    // SAFETY: the domain is borrowed, the command outlives the call, libvirt puts a string of its own into `answer`.
    checked(unsafe { virDomainQemuMonitorCommand(domain.as_ptr(), command.as_ptr(), &raw mut answer, 0) })?;
    // SAFETY: NULL or a string of libvirt's; it is copied before it is freed.
    let copy = unsafe { text(answer) };
    // SAFETY: libvirt allocated it with malloc; freed once.
    unsafe { libc::free(answer.cast::<c_void>()) };
    Ok(copy.unwrap_or_default())
}
