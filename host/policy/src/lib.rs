//! Loads and asks policies: WebAssembly components in a sandbox.
