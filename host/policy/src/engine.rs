//! The one wasmtime engine: how code is compiled, where its memory comes from, and the clock that ends what hangs.
//!
//! There is one function that makes the configuration, because code compiled under another one can't be loaded: the
//! cache on disk depends on it. The figures behind each choice: a fresh instance costs 6 µs out of the pool with
//! pagemap scanning, 19 µs on demand; 33 µs out of the pool with memory kept resident but without pagemap scanning.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

/// Instances that may live at once. A call waits for its turn, so this bounds memory and not the number of callers.
const SLOTS: u32 = 32;
/// What one plugin may have at most, whatever its own limit says: the size of a slot's memory.
pub const SLOT_MEMORY_BYTES: usize = 64 << 20;
/// Places that one table may begin with, and grow to.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
/// The length of one tick of the deadline clock.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without any call after which the clock stops until the next one.
const IDLE_TICKS: u32 = 10;
/// Stack that a plugin may use.
const STACK_BYTES: usize = 512 << 10;

/// wasmtime can't be set up on this machine.
#[derive(Debug, Error)]
#[error("set up the WebAssembly engine")]
pub struct EngineError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Where instances get their memory from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allocation {
    /// Out of a pool of prepared slots.
    Pooled,
    /// Mapped for each call, because the pool's address space could not be reserved (an address-space limit); calls
    /// cost about three times as much.
    OnDemand {
        /// wasmtime's words.
        why: String,
    },
}

/// The engine with its gate and clock.
pub(crate) struct Machine {
    pub engine: Engine,
    pub allocation: Allocation,
    gate: Gate,
    clock: Clock,
}

impl Machine {
    pub fn start() -> Result<Self, EngineError> {
        Self::start_with(pool(SLOTS))
    }

    fn start_with(pool: PoolingAllocationConfig) -> Result<Self, EngineError> {
        let (engine, allocation) = match Engine::new(&config(InstanceAllocationStrategy::Pooling(pool))) {
            Ok(engine) => (engine, Allocation::Pooled),
            Err(error) => {
                let engine = Engine::new(&config(InstanceAllocationStrategy::OnDemand))
                    .map_err(|error| EngineError(error.into()))?;
                (engine, Allocation::OnDemand { why: format!("{error:#}") })
            }
        };
        let clock = Clock::start(&engine);
        Ok(Self { engine, allocation, gate: Gate::new(SLOTS as usize), clock })
    }

    /// The right to have one instance, with the clock running. Waits while all slots are taken.
    pub fn enter(&self) -> Turn<'_> {
        self.gate.enter();
        self.clock.hold();
        Turn { machine: self }
    }
}

/// One slot of the pool, given back when dropped. Must outlive the store.
pub(crate) struct Turn<'a> {
    machine: &'a Machine,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.machine.clock.release();
        self.machine.gate.leave();
    }
}

/// The only place where a configuration is made.
fn config(strategy: InstanceAllocationStrategy) -> Config {
    let mut config = Config::new();
    config
        // Nothing here is asynchronous: calls cost a third without the machinery.
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(true)
        // What no policy needs is no surface to attack. Threads and GC are compiled out as well.
        .gc_support(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        // The same bits on every CPU, so that a decision can be replayed.
        .cranelift_nan_canonicalization(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(32))
        .max_wasm_stack(STACK_BYTES)
        .memory_init_cow(true)
        .allocation_strategy(strategy);
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(4 * slots)
        .total_memories(slots)
        .total_tables(4 * slots)
        .max_core_instances_per_component(8)
        .max_memories_per_component(1)
        .max_tables_per_component(8)
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(SLOT_MEMORY_BYTES)
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10);
    // Keeping pages resident pays only where the kernel (6.7 and newer) can tell which of them were written.
    pool.pagemap_scan(Enabled::Auto);
    if !PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.linear_memory_keep_resident(0).table_keep_resident(0);
    }
    pool
}

/// A counting gate: as many calls inside as the pool has slots.
struct Gate {
    free: Mutex<usize>,
    left: Condvar,
}

impl Gate {
    fn new(slots: usize) -> Self {
        Self { free: Mutex::new(slots), left: Condvar::new() }
    }
    fn enter(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.left.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
    }
    fn leave(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.left.notify_one();
    }
}

/// Advances the engine's epoch while there are calls, and sleeps while there are none.
struct Clock {
    shared: Arc<ClockState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct ClockState {
    calls: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

impl Clock {
    fn start(engine: &Engine) -> Self {
        let shared = Arc::new(ClockState::default());
        let (state, engine) = (Arc::clone(&shared), engine.weak());
        let thread = thread::Builder::new().name("policy-clock".into()).spawn(move || {
            let mut idle = 0;
            while !state.stop.load(Ordering::SeqCst) {
                if idle >= IDLE_TICKS {
                    // Announced before the last look at the calls: whoever comes after that look sees it and unparks.
                    state.parked.store(true, Ordering::SeqCst);
                    while state.parked.load(Ordering::SeqCst)
                        && state.calls.load(Ordering::SeqCst) == 0
                        && !state.stop.load(Ordering::SeqCst)
                    {
                        thread::park();
                    }
                    state.parked.store(false, Ordering::SeqCst);
                    idle = 0;
                }
                // Ends early when it is told to stop.
                thread::park_timeout(TICK);
                // One tick however long the sleep was: after a stall of the machine no call is robbed of its time.
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
                idle = if state.calls.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            }
        });
        // Without the thread fuel still ends every loop; only a deadline shorter than the fuel would be missed.
        let thread = thread.inspect_err(|error| tracing::error!(%error, "start the deadline clock")).ok();
        Self { shared, thread }
    }

    fn hold(&self) {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }

    fn release(&self) {
        self.shared.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the deadline clock had panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_pool_does_not_fit_instances_are_mapped_one_by_one() {
        assert_eq!(Machine::start().unwrap().allocation, Allocation::Pooled);
        // 4 GiB each: more address space than a process has.
        let machine = Machine::start_with(pool(100_000)).unwrap();
        assert!(matches!(&machine.allocation, Allocation::OnDemand { why } if !why.is_empty()));
    }

    #[test]
    fn the_clock_runs_while_there_are_calls_and_rests_otherwise() {
        let machine = Machine::start().unwrap();
        let parked = || machine.clock.shared.parked.load(Ordering::SeqCst);
        while !parked() {
            thread::yield_now();
        }
        let turn = machine.enter();
        assert!(!parked());
        let module = wasmtime::Module::new(
            &machine.engine,
            wat::parse_str("(module (func (export \"f\") (loop br 0)))").unwrap(),
        );
        let mut store = wasmtime::Store::new(&machine.engine, ());
        store.set_fuel(u64::MAX).unwrap();
        store.set_epoch_deadline(5);
        let instance = wasmtime::Instance::new(&mut store, &module.unwrap(), &[]).unwrap();
        let endless = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
        let error = endless.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref::<wasmtime::Trap>(), Some(&wasmtime::Trap::Interrupt));
        drop(turn);
    }
}
