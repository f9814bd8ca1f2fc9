//! A socket that was made by whoever started this process (socket activation): clients find it before the program is there, and
//! nobody is turned away while the program is started anew.

use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;

use anyhow::Context as _;

/// The listener that was handed over (`LISTEN_FDS`, `LISTEN_FDNAMES`), if one was. Must be called once, before other
/// descriptors are opened by number.
pub fn listener() -> anyhow::Result<Option<UnixListener>> {
    let attempted = "take over the sockets that LISTEN_FDS promises";
    let mut handed: Vec<(String, OwnedFd)> = Vec::new();
    for (number, name) in sd_notify::listen_fds_with_names().context(attempted)? {
        // SAFETY: the variables say that this descriptor was opened for this process (LISTEN_PID is its id) and for nothing else,
        // and that it is open was seen a moment ago, when it was made not to be inherited. Nobody else takes it: this is called
        // once, and the numbers come in order.
        #[expect(unsafe_code, reason = "a descriptor comes as a number, and nothing but its owner makes it more")]
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        handed.push((name, descriptor));
    }
    match handed.len() {
        0 | 1 => Ok(handed.pop().map(|(_, descriptor)| UnixListener::from(descriptor))),
        more => {
            let names: Vec<&str> = handed.iter().map(|(name, _)| name.as_str()).collect();
            anyhow::bail!(
                "{more} sockets were handed over ({}), and the service listens on one: have its socket unit pass one",
                names.join(", ")
            )
        }
    }
}
