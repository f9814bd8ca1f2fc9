//! The `waypost` command.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
