//! Settings and log: what every policy may use without a grant.

pub use crate::bindings::precheck::waypost::facts::environment::Level;

/// The site's settings for this policy, JSON text; `{}` where there are none.
pub fn settings() -> String {
    #[cfg(target_family = "wasm")]
    return crate::bindings::precheck::waypost::facts::environment::settings();
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::current_settings();
}

/// Writes one line to the host's log, under the policy's name. At most 64 lines of 1 KiB per call; more are dropped.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::precheck::waypost::facts::environment::log(level, message);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::note_log(level, message);
}
