//! One call of a policy: a fresh store with its bounds, and what the call leaves behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use wasmtime::component::Resource;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use waypost_core::ids::PluginName;

use crate::config::Limits;
use crate::engine::{Machine, SLOT_MEMORY_BYTES, TICK, Turn};
use crate::probe::ProbeLine;
use crate::reads::{DomainFact, HostFact, LookUp, Reads};
use crate::text;
use crate::view::{DomainHandle, HostHandle, HostView, View};

/// Log lines of one call.
const LOG_LINES: u32 = 64;
/// Bytes of one log line.
const LOG_LINE_BYTES: usize = 1024;
/// Bytes of a panic's message and of its file name.
const PANIC_BYTES: usize = 2048;
/// Elements of all tables together.
const TABLE_ELEMENTS: usize = 20_000;

/// A bound of the host that a call ran into. Ends the call as the error of the host function or of the growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Exceeded {
    #[error("{asked} bytes of memory were asked for, {allowed} are allowed")]
    Memory { asked: usize, allowed: usize },
    #[error("{asked} table elements were asked for, {allowed} are allowed")]
    Table { asked: usize, allowed: usize },
    #[error("more than {allowed} host calls")]
    HostCalls { allowed: u64 },
    #[error("more than {allowed} bytes of keys in look-ups")]
    Keys { allowed: usize },
}

/// What a panicking policy said of itself.
#[derive(Debug, Clone)]
pub(crate) struct Panic {
    pub message: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// What host functions work on.
pub(crate) struct Call {
    plugin: PluginName,
    pub settings: Arc<str>,
    view: Option<Arc<View>>,
    pub reads: Reads,
    pub probe: Option<ProbeLine>,
    limits: Limits,
    host_calls: u64,
    key_bytes: usize,
    pub exceeded: Option<Exceeded>,
    pub panic: Option<Panic>,
    log_lines: u32,
    /// Time spent waiting for a probe since the deadline was last set: it isn't the policy's.
    waited: Duration,
}

/// Who is called, with what.
pub(crate) struct Caller<'a> {
    pub plugin: &'a PluginName,
    pub settings: &'a Arc<str>,
    pub limits: Limits,
}

/// A store in which one call can be made; holds its slot of the pool.
pub(crate) struct Cell<'m> {
    // Dropped first: the slot is free only when the store is gone.
    pub store: Store<Call>,
    limits: Limits,
    started: Instant,
    _turn: Turn<'m>,
}

/// What a call cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub fuel: u64,
    pub micros: u64,
}

impl<'m> Cell<'m> {
    pub fn new(machine: &'m Machine, caller: &Caller<'_>, view: Option<Arc<View>>, probe: Option<ProbeLine>) -> Self {
        let turn = machine.enter();
        let started = Instant::now();
        let limits = caller.limits;
        let has_probe = probe.is_some();
        let call = Call {
            plugin: caller.plugin.clone(),
            settings: Arc::clone(caller.settings),
            reads: Reads::new(view.as_ref().map_or(0, |view| view.host_count())),
            view,
            probe,
            limits,
            host_calls: 0,
            key_bytes: 0,
            exceeded: None,
            panic: None,
            log_lines: 0,
            waited: Duration::ZERO,
        };
        let mut store = Store::new(&machine.engine, call);
        store.limiter(|call| call);
        if store.set_fuel(limits.fuel).is_err() {
            // Only an engine without fuel refuses it; then the call starts with none and ends at once, which is safe.
            tracing::error!("the engine does not count fuel");
        }
        store.set_epoch_deadline(ticks(Duration::from_millis(limits.deadline_ms)));
        store.set_hostcall_fuel(limits.lifted_bytes);
        store.set_max_component_handles(100_000);
        if has_probe {
            store.epoch_deadline_callback(|mut context| {
                let waited = std::mem::take(&mut context.data_mut().waited);
                Ok(if waited.is_zero() { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(ticks(waited)) })
            });
        }
        Self { store, limits, started, _turn: turn }
    }

    pub fn cost(&self) -> Cost {
        let left = self.store.get_fuel().unwrap_or(0);
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Cost { fuel: self.limits.fuel.saturating_sub(left), micros }
    }
}

/// At least one, and one more than the time is long, because the first tick may come at once.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX / 2).saturating_add(1)
}

impl Call {
    /// Counts a host call. Every host function begins with this or with one of the four below.
    pub fn count(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            return Err(self.exceed(Exceeded::HostCalls { allowed: self.limits.host_calls }));
        }
        Ok(())
    }

    /// Notes a getter of the domain.
    pub fn domain(&mut self, _: &Resource<DomainHandle>, fact: DomainFact) -> wasmtime::Result<&View> {
        self.count()?;
        self.reads.domain(fact);
        self.view()
    }

    /// Notes a look-up in the domain.
    pub fn domain_look_up(&mut self, what: LookUp, key: &str) -> wasmtime::Result<&View> {
        self.count()?;
        self.key(None, what, key)?;
        self.view()
    }

    /// Notes a getter of a host.
    pub fn host(&mut self, host: &Resource<HostHandle>, fact: HostFact) -> wasmtime::Result<HostView<'_>> {
        self.count()?;
        self.reads.host(host.rep(), fact);
        self.host_of(host)
    }

    /// Notes a look-up on a host.
    pub fn host_look_up(
        &mut self,
        host: &Resource<HostHandle>,
        what: LookUp,
        key: &str,
    ) -> wasmtime::Result<HostView<'_>> {
        self.count()?;
        self.key(Some(host.rep()), what, key)?;
        self.host_of(host)
    }

    pub fn view(&self) -> wasmtime::Result<&View> {
        self.view.as_deref().ok_or_else(|| wasmtime::Error::msg("there are no facts in this call"))
    }

    /// The host of a handle, without noting anything.
    pub fn host_of(&self, host: &Resource<HostHandle>) -> wasmtime::Result<HostView<'_>> {
        self.view()?.host(host.rep()).ok_or_else(|| wasmtime::Error::msg("no such host in this decision"))
    }

    /// One line of the policy's, at most so many and so long.
    pub fn log(&mut self, level: tracing::Level, message: &str) {
        self.log_lines += 1;
        if self.log_lines > LOG_LINES {
            return;
        }
        let (plugin, line) = (&self.plugin, text::line(message, LOG_LINE_BYTES));
        match level {
            tracing::Level::ERROR => tracing::error!(target: "waypost::policy", %plugin, "{line}"),
            tracing::Level::WARN => tracing::warn!(target: "waypost::policy", %plugin, "{line}"),
            tracing::Level::INFO => tracing::info!(target: "waypost::policy", %plugin, "{line}"),
            _ => tracing::debug!(target: "waypost::policy", %plugin, "{line}"),
        }
    }

    pub fn panicked(&mut self, message: &str, file: &str, line: u32, column: u32) {
        let (message, file) = (text::line(message, PANIC_BYTES), text::line(file, PANIC_BYTES));
        self.panic = Some(Panic { message, file, line, column });
    }

    /// Time that a host function spent waiting for somebody else.
    pub fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    fn key(&mut self, host: Option<u32>, what: LookUp, key: &str) -> wasmtime::Result<()> {
        self.key_bytes += key.len();
        if self.key_bytes > self.limits.lifted_bytes {
            return Err(self.exceed(Exceeded::Keys { allowed: self.limits.lifted_bytes }));
        }
        self.reads.look_up(host, what, key.to_owned());
        Ok(())
    }

    fn exceed(&mut self, what: Exceeded) -> wasmtime::Error {
        self.exceeded = Some(what);
        what.into()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.log_lines > LOG_LINES {
            let (plugin, dropped) = (&self.plugin, self.log_lines - LOG_LINES);
            tracing::warn!(target: "waypost::policy", %plugin, dropped, "log lines beyond {LOG_LINES} in one call were dropped");
        }
    }
}

/// An error here, unlike a plain refusal, ends the call where the growth was asked for, so the backtrace shows by whom.
impl ResourceLimiter for Call {
    fn memory_growing(&mut self, _: usize, asked: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = self.limits.memory_bytes.min(SLOT_MEMORY_BYTES);
        if asked > allowed { Err(self.exceed(Exceeded::Memory { asked, allowed })) } else { Ok(true) }
    }
    fn table_growing(&mut self, _: usize, asked: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = TABLE_ELEMENTS;
        if asked > allowed { Err(self.exceed(Exceeded::Table { asked, allowed })) } else { Ok(true) }
    }
}
