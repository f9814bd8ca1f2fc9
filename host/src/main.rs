//! The `waypost` command.
// But for the one line that takes over a descriptor by its number.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
