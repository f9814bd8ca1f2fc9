//! libvirt's event loop: one thread for all hosts. It must be registered before the first connection is opened, or
//! keepalive and events of that connection silently don't work; so [`start`] is the first thing that opening does.

use std::sync::OnceLock;
use std::time::Duration;

use crate::error::Failure;
use crate::raw;

/// Starts the loop, once per process, and silences libvirt's habit of printing every error to stderr.
pub(crate) fn start() -> Result<(), Failure> {
    static STARTED: OnceLock<Result<(), Failure>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            raw::initialize()?;
            virt::error::clear_error_callback();
            virt::event::event_register_default_impl()?;
            let thread = std::thread::Builder::new().name("libvirt-events".to_owned());
            thread.spawn(run).map(drop).map_err(|error| Failure::refused(format!("can't start a thread: {error}")))
        })
        .clone()
}

/// Runs for the life of the process: libvirt has no way to unregister a loop. Without anything to watch it waits.
fn run() {
    loop {
        if let Err(error) = virt::event::event_run_default_impl() {
            tracing::warn!(%error, "a round of libvirt's event loop failed");
            #[expect(clippy::disallowed_methods, reason = "a loop that fails every time must not take a whole CPU")]
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
