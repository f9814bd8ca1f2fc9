//! Why a policy gave no usable answer, and the finding that stands for it.

use std::path::Path;

use wasmtime::{Trap, WasmBacktrace};
use waypost_core::finding::{Finding, Severity, host_codes};
use waypost_core::ids::PluginName;

use crate::call::{Call, Exceeded};
use crate::convert::Nonsense;
use crate::text;

/// Frames of a backtrace that are shown.
const FRAMES: usize = 8;
/// Bytes of a cause that comes from the policy or from wasmtime.
const CAUSE_BYTES: usize = 2048;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It trapped, panicked or aborted.
    Trapped,
    /// It used up its fuel.
    OutOfFuel,
    /// It ran longer than its time limit.
    TimedOut,
    /// It asked for more memory than it may have.
    OutOfMemory,
    /// It made too many host calls, or brought too much data into the host.
    HostCallLimit,
    /// Its answer can't be used.
    Nonsense,
    /// There is nothing to ask.
    NotLoaded,
    /// It refuses its settings.
    SettingsRefused,
}

impl FailureKind {
    /// The code of its finding.
    pub fn code(self) -> &'static str {
        match self {
            Self::Trapped => host_codes::TRAPPED,
            Self::OutOfFuel => host_codes::OUT_OF_FUEL,
            Self::TimedOut => host_codes::TIMED_OUT,
            Self::OutOfMemory => host_codes::OUT_OF_MEMORY,
            Self::HostCallLimit => host_codes::HOST_CALL_LIMIT,
            Self::Nonsense => host_codes::NONSENSE,
            Self::NotLoaded => host_codes::NOT_LOADED,
            Self::SettingsRefused => host_codes::SETTINGS_REFUSED,
        }
    }

    fn remedy(self, file: &str) -> String {
        let without = format!("or take {file} out of its folder to decide without it");
        match self {
            Self::Trapped | Self::Nonsense => format!("this is a fault of the policy: tell its author, {without}"),
            Self::OutOfFuel => format!("raise its fuel limit if the work is meant to be done, {without}"),
            Self::TimedOut => format!("raise its time limit if the machine is slow, {without}"),
            Self::OutOfMemory => format!("raise its memory limit if the work needs it, {without}"),
            Self::HostCallLimit => format!("raise its limits of host calls and data if the work needs it, {without}"),
            Self::NotLoaded => format!("put a working {file} there, {without}"),
            Self::SettingsRefused => "correct the settings of this policy in the configuration".to_owned(),
        }
    }
}

/// A policy's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind.
    pub kind: FailureKind,
    /// What happened, as the end of a sentence that begins with the policy's name.
    pub cause: String,
    /// Where it happened, innermost function first; empty where there was no trap.
    pub backtrace: Vec<String>,
    /// What to do, where that is more precise than the advice for its kind.
    pub remedy: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), backtrace: Vec::new(), remedy: None }
    }

    /// What wasmtime's error means, together with what the call left behind.
    pub(crate) fn of_call(error: &wasmtime::Error, call: &Call) -> Self {
        let (kind, cause) = explain(error, call);
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        Self { kind, cause, backtrace, remedy: None }
    }

    /// The blocker that stands for the answer.
    pub(crate) fn finding(&self, plugin: &PluginName, file: Option<&Path>) -> Finding {
        let file = file.map_or_else(|| format!("{plugin}.wasm"), |file| file.display().to_string());
        let mut evidence = vec![("file".to_owned(), file.clone())];
        if !self.backtrace.is_empty() {
            evidence.push(("backtrace".to_owned(), self.backtrace.join(" < ")));
        }
        Finding {
            code: self.kind.code().to_owned(),
            severity: Severity::Blocker,
            message: format!("policy {plugin} {}", self.cause),
            evidence,
            remedy: Some(self.remedy.clone().unwrap_or_else(|| self.kind.remedy(&file))),
        }
    }
}

impl From<Nonsense> for Failure {
    fn from(nonsense: Nonsense) -> Self {
        Self::new(FailureKind::Nonsense, format!("gave an answer that can't be used: {nonsense}"))
    }
}

fn explain(error: &wasmtime::Error, call: &Call) -> (FailureKind, String) {
    if let Some(exceeded) = call.exceeded {
        let kind = match exceeded {
            Exceeded::Memory { .. } | Exceeded::Table { .. } => FailureKind::OutOfMemory,
            Exceeded::HostCalls { .. } | Exceeded::Keys { .. } => FailureKind::HostCallLimit,
        };
        return (kind, format!("went beyond a limit: {exceeded}"));
    }
    if let Some(panic) = &call.panic {
        let at = format!("{}:{}:{}", panic.file, panic.line, panic.column);
        return (FailureKind::Trapped, format!("panicked at {at}: {}", panic.message));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (FailureKind::OutOfFuel, "used up its fuel".to_owned()),
        Some(Trap::Interrupt) => (FailureKind::TimedOut, "ran longer than its time limit".to_owned()),
        Some(
            trap @ (Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::InvalidChar
            | Trap::UnalignedPointer),
        ) => (FailureKind::Nonsense, format!("gave an answer that can't be read: {trap}")),
        Some(trap) => (FailureKind::Trapped, format!("trapped: {trap}")),
        None if is_too_much_data(error) => {
            (FailureKind::HostCallLimit, "handed over more data than one call may".to_owned())
        }
        None => {
            let cause = text::line(&error.root_cause().to_string(), CAUSE_BYTES);
            (FailureKind::Nonsense, format!("gave an answer that can't be read: {cause}"))
        }
    }
}

/// wasmtime's type for it is private, so its name has to do; a test holds that it is still called so.
fn is_too_much_data(error: &wasmtime::Error) -> bool {
    format!("{:?}", error.root_cause()).starts_with("HostcallFuelExhausted")
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let shown = backtrace.frames().iter().take(FRAMES);
    shown
        .map(|frame| {
            let symbol = frame.symbols().first();
            let name = symbol.and_then(|symbol| symbol.name()).or_else(|| frame.func_name());
            let name = text::line(name.unwrap_or("?"), 200);
            match symbol.and_then(|symbol| Some((symbol.file()?, symbol.line()?))) {
                Some((file, line)) => format!("{name} ({}:{line})", text::line(file, 200)),
                None => name,
            }
        })
        .collect()
}
