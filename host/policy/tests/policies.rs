//! The policy runtime from outside: real modules in real folders, friendly and hostile ones, asked through the core's port.
//!
//! The guests are small core modules in WebAssembly text, written against the canonical ABI and described by the
//! interfaces in wit/, so that each shows one thing and a test needs no second compiler.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies {
    mod support;

    mod answers;
    mod cached;
    mod convergence;
    mod folder;
    mod hostile;
    mod loading;
    mod recovery;
    mod transform;
}
