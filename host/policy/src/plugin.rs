//! One loaded policy: linked once, asked any number of times, each time in an instance of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker, Resource};
use waypost_core::convergence::{Opening, OpeningQuestion, SteeringAnswer, SteeringQuestion};
use waypost_core::edit::Proposal;
use waypost_core::finding::Finding;
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};

use crate::artifact::{self, Hook, Kind, LoadError};
use crate::bindings::convergence::ConvergencePre;
use crate::bindings::precheck::PrecheckPre;
use crate::bindings::recovery::RecoveryPre;
use crate::bindings::transform::TransformPre;
use crate::bindings::{check, documents, environment, inventory, node_devices, rewrite, storage_probe, types, volumes};
use crate::cache::CodeCache;
use crate::call::{Call, Caller, Cell, Cost};
use crate::config::Grant;
use crate::convert;
use crate::engine::{Machine, SLOT_MEMORY_BYTES};
use crate::failure::{Failure, FailureKind};
use crate::probe::ProbeLine;
use crate::stated::Stated;
use crate::text;
use crate::view::{HostHandle, View};

/// Bytes of a policy's words about its settings.
const SETTINGS_ERROR_BYTES: usize = 2048;

/// Where the machine code came from, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Compiled from the file.
    Compiled {
        /// Time, µs.
        micros: u64,
    },
    /// Out of the cache.
    Cached {
        /// Time, µs.
        micros: u64,
    },
}

/// A policy that can be asked.
pub(crate) struct Plugin {
    pub file: PathBuf,
    pub digest: String,
    pub size: u64,
    pub kind: Kind,
    pub origin: Origin,
    pub imports: Vec<String>,
    pub stated: Arc<Stated>,
    component: Component,
    hooks: Hooks,
}

/// What it can be asked.
#[derive(Clone)]
struct Hooks {
    precheck: Option<PrecheckPre<Call>>,
    transform: Option<TransformPre<Call>>,
    recovery: Option<RecoveryPre<Call>>,
    convergence: Option<ConvergencePre<Call>>,
}

/// An answer, or why there is none, and what it took.
pub(crate) struct Asked<T> {
    pub answer: Result<T, Failure>,
    pub cost: Cost,
    pub facts_read: Vec<String>,
}

impl Plugin {
    /// Makes machine code of a file's bytes, out of the cache if it is there, and links it.
    pub fn load(
        machine: &Machine,
        cache: Option<&CodeCache>,
        file: PathBuf,
        bytes: &[u8],
        digest: String,
        grants: &BTreeSet<Grant>,
    ) -> Result<Self, LoadError> {
        let started = Instant::now();
        let micros = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (kind, component, origin) = match cache.and_then(|cache| cache.load(&digest, &machine.engine)) {
            Some((kind, component)) => (kind, component, Origin::Cached { micros: micros() }),
            None => {
                let (kind, binary) = artifact::component(bytes)?;
                let compiled = Component::from_binary(&machine.engine, &binary);
                let component = compiled.map_err(|error| compile_error(&binary, &error))?;
                let origin = Origin::Compiled { micros: micros() };
                if let Some(cache) = cache {
                    cache.store(&digest, kind, &component);
                }
                (kind, component, origin)
            }
        };
        let hooks = link(machine, &component, grants)?;
        let imports = component.component_type().imports(&machine.engine).map(|(name, _)| name.to_owned()).collect();
        let (size, stated) = (bytes.len() as u64, Arc::new(Stated::of(bytes)));
        Ok(Self { file, digest, size, kind, origin, imports, stated, component, hooks })
    }

    /// The same code with other grants.
    pub fn relink(&self, machine: &Machine, grants: &BTreeSet<Grant>) -> Result<Self, LoadError> {
        let hooks = link(machine, &self.component, grants)?;
        Ok(Self {
            file: self.file.clone(),
            digest: self.digest.clone(),
            size: self.size,
            kind: self.kind,
            origin: self.origin,
            imports: self.imports.clone(),
            stated: Arc::clone(&self.stated),
            component: self.component.clone(),
            hooks,
        })
    }

    /// The same policy found in another place.
    pub fn moved_to(&self, file: PathBuf) -> Self {
        Self {
            file,
            digest: self.digest.clone(),
            size: self.size,
            kind: self.kind,
            origin: self.origin,
            imports: self.imports.clone(),
            stated: Arc::clone(&self.stated),
            component: self.component.clone(),
            hooks: self.hooks.clone(),
        }
    }

    pub fn has(&self, hook: Hook) -> bool {
        match hook {
            Hook::Precheck => self.hooks.precheck.is_some(),
            Hook::Transform => self.hooks.transform.is_some(),
            Hook::Recovery => self.hooks.recovery.is_some(),
            Hook::Convergence => self.hooks.convergence.is_some(),
        }
    }

    /// Asks the policy about its settings, once per hook that it has.
    pub fn validate_settings(&self, machine: &Machine, caller: &Caller<'_>) -> Result<(), Failure> {
        if let Some(pre) = &self.hooks.precheck {
            let mut cell = Cell::new(machine, caller, None, None);
            let asked = pre.instantiate(&mut cell.store).and_then(|world| {
                world.waypost_precheck_check().call_validate_settings(&mut cell.store, caller.settings)
            });
            accepted(asked, &cell)?;
        }
        if let Some(pre) = &self.hooks.transform {
            let mut cell = Cell::new(machine, caller, None, None);
            let asked = pre.instantiate(&mut cell.store).and_then(|world| {
                world.waypost_transform_rewrite().call_validate_settings(&mut cell.store, caller.settings)
            });
            accepted(asked, &cell)?;
        }
        if let Some(pre) = &self.hooks.recovery {
            let mut cell = Cell::new(machine, caller, None, None);
            let asked = pre.instantiate(&mut cell.store).and_then(|world| {
                world.waypost_recovery_recover().call_validate_settings(&mut cell.store, caller.settings)
            });
            accepted(asked, &cell)?;
        }
        if let Some(pre) = &self.hooks.convergence {
            let mut cell = Cell::new(machine, caller, None, None);
            let asked = pre.instantiate(&mut cell.store).and_then(|world| {
                world.waypost_convergence_steer().call_validate_settings(&mut cell.store, caller.settings)
            });
            accepted(asked, &cell)?;
        }
        Ok(())
    }

    /// Asks about every candidate.
    pub fn precheck(
        &self,
        machine: &Machine,
        caller: &Caller<'_>,
        view: &Arc<View>,
        request: &check::Request,
        probe: Option<ProbeLine>,
    ) -> Asked<Vec<Vec<Finding>>> {
        let Some(pre) = &self.hooks.precheck else {
            return Asked::nothing(Failure::new(FailureKind::NotLoaded, "has no precheck"));
        };
        let mut cell = Cell::new(machine, caller, Some(Arc::clone(view)), probe);
        let hosts = u32::try_from(view.host_count()).unwrap_or(u32::MAX);
        let destinations: Vec<Resource<HostHandle>> = (1..hosts).map(Resource::new_own).collect();
        let asked = destinations.len();
        let answer = pre.instantiate(&mut cell.store).and_then(|world| {
            let (domain, source) = (Resource::new_borrow(0), Resource::new_borrow(0));
            world.waypost_precheck_check().call_check(&mut cell.store, request, domain, source, &destinations)
        });
        let answer = answer.map_err(|error| Failure::of_call(&error, cell.store.data()));
        let answer = answer.and_then(|answer| Ok(convert::findings(answer, asked)?));
        Asked { answer, cost: cell.cost(), facts_read: cell.store.data().reads.render(view) }
    }

    /// Asks what is to be different on every candidate.
    pub fn transform(
        &self,
        machine: &Machine,
        caller: &Caller<'_>,
        view: &Arc<View>,
        request: &rewrite::Request,
    ) -> Asked<Vec<Vec<Proposal>>> {
        let Some(pre) = &self.hooks.transform else {
            return Asked::nothing(Failure::new(FailureKind::NotLoaded, "has no transform hook"));
        };
        let mut cell = Cell::new(machine, caller, Some(Arc::clone(view)), None);
        let hosts = u32::try_from(view.host_count()).unwrap_or(u32::MAX);
        let destinations: Vec<Resource<HostHandle>> = (1..hosts).map(Resource::new_own).collect();
        let asked = destinations.len();
        let answer = pre.instantiate(&mut cell.store).and_then(|world| {
            let (domain, source) = (Resource::new_borrow(0), Resource::new_borrow(0));
            world.waypost_transform_rewrite().call_rewrite(&mut cell.store, request, domain, source, &destinations)
        });
        let answer = answer.map_err(|error| Failure::of_call(&error, cell.store.data()));
        let answer = answer.and_then(|answer| Ok(convert::proposals(answer, asked)?));
        Asked { answer, cost: cell.cost(), facts_read: cell.store.data().reads.render(view) }
    }

    /// Asks what to do.
    pub fn recover(
        &self,
        machine: &Machine,
        caller: &Caller<'_>,
        question: &RecoveryQuestion,
    ) -> Asked<RecoveryAnswer> {
        let Some(pre) = &self.hooks.recovery else {
            return Asked::nothing(Failure::new(FailureKind::NotLoaded, "has no recovery hook"));
        };
        let mut cell = Cell::new(machine, caller, None, None);
        let asked = convert::question(question);
        let answer = pre
            .instantiate(&mut cell.store)
            .and_then(|world| world.waypost_recovery_recover().call_decide(&mut cell.store, &asked));
        let answer = answer.map_err(|error| Failure::of_call(&error, cell.store.data()));
        let answer = answer.and_then(|answer| Ok(convert::recovery_answer(answer, &question.permitted)?));
        Asked { answer, cost: cell.cost(), facts_read: Vec::new() }
    }

    /// Asks how to open a transfer; the answer is within the bounds.
    pub fn open(&self, machine: &Machine, caller: &Caller<'_>, question: &OpeningQuestion) -> Asked<Opening> {
        let Some(pre) = &self.hooks.convergence else { return Asked::nothing(no_convergence()) };
        let mut cell = Cell::new(machine, caller, None, None);
        let asked = convert::opening_question(question);
        let answer = pre
            .instantiate(&mut cell.store)
            .and_then(|world| world.waypost_convergence_steer().call_open(&mut cell.store, &asked));
        let answer = answer.map_err(|error| Failure::of_call(&error, cell.store.data()));
        let answer = answer.and_then(|answer| Ok(convert::opening(answer, &question.bounds)?));
        Asked { answer, cost: cell.cost(), facts_read: Vec::new() }
    }

    /// Asks what to do with a running transfer. The answer is still to be held to the bounds.
    pub fn steer(&self, machine: &Machine, caller: &Caller<'_>, question: &SteeringQuestion) -> Asked<SteeringAnswer> {
        let Some(pre) = &self.hooks.convergence else { return Asked::nothing(no_convergence()) };
        let mut cell = Cell::new(machine, caller, None, None);
        let asked = convert::steering_question(question);
        let answer = pre
            .instantiate(&mut cell.store)
            .and_then(|world| world.waypost_convergence_steer().call_decide(&mut cell.store, &asked));
        let answer = answer.map_err(|error| Failure::of_call(&error, cell.store.data()));
        let answer = answer.and_then(|answer| Ok(convert::steering_answer(answer)?));
        Asked { answer, cost: cell.cost(), facts_read: Vec::new() }
    }
}

impl<T> Asked<T> {
    pub fn nothing(failure: Failure) -> Self {
        Self { answer: Err(failure), cost: Cost::default(), facts_read: Vec::new() }
    }
}

fn no_convergence() -> Failure {
    Failure::new(FailureKind::NotLoaded, "has no convergence hook")
}

fn accepted(asked: wasmtime::Result<Result<(), String>>, cell: &Cell<'_>) -> Result<(), Failure> {
    match asked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => {
            let cause = format!("refuses its settings: {}", text::line(&why, SETTINGS_ERROR_BYTES));
            Err(Failure::new(FailureKind::SettingsRefused, cause))
        }
        Err(error) => Err(Failure::of_call(&error, cell.store.data())),
    }
}

/// What the compiler refuses is most often a file that isn't valid, and then the validator says it better.
fn compile_error(binary: &[u8], error: &wasmtime::Error) -> LoadError {
    match wasmparser::validate(binary) {
        Err(invalid) => LoadError::Invalid { why: invalid.to_string() },
        Ok(_) => LoadError::Compile { why: format!("{error:#}") },
    }
}

fn link(machine: &Machine, component: &Component, grants: &BTreeSet<Grant>) -> Result<Hooks, LoadError> {
    let described = component.component_type();
    artifact::check_imports(described.imports(&machine.engine).map(|(name, _)| name), |grant| grants.contains(&grant))?;
    let exports: Vec<&str> = described.exports(&machine.engine).map(|(name, _)| name).collect();
    let has = |hook| exports.iter().any(|name| Hook::of_export(name) == Some(hook));
    if !Hook::ALL.iter().any(|hook| has(*hook)) {
        return Err(LoadError::NoHook { exports: exports.into_iter().map(str::to_owned).collect() });
    }
    check_resources(component)?;
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch { why: format!("{error:#}") };
    let linker = linker(machine, grants).map_err(mismatch)?;
    let pre: InstancePre<Call> = linker.instantiate_pre(component).map_err(mismatch)?;
    let linked = |hook| has(hook).then(|| pre.clone());
    Ok(Hooks {
        precheck: linked(Hook::Precheck).map(PrecheckPre::new).transpose().map_err(mismatch)?,
        transform: linked(Hook::Transform).map(TransformPre::new).transpose().map_err(mismatch)?,
        recovery: linked(Hook::Recovery).map(RecoveryPre::new).transpose().map_err(mismatch)?,
        convergence: linked(Hook::Convergence).map(ConvergencePre::new).transpose().map_err(mismatch)?,
    })
}

fn linker(machine: &Machine, grants: &BTreeSet<Grant>) -> wasmtime::Result<Linker<Call>> {
    type Own = HasSelf<Call>;
    let mut linker = Linker::new(&machine.engine);
    types::add_to_linker::<_, Own>(&mut linker, |call| call)?;
    inventory::add_to_linker::<_, Own>(&mut linker, |call| call)?;
    environment::add_to_linker::<_, Own>(&mut linker, |call| call)?;
    for grant in grants {
        match grant {
            Grant::Volumes => volumes::add_to_linker::<_, Own>(&mut linker, |call| call)?,
            Grant::Documents => documents::add_to_linker::<_, Own>(&mut linker, |call| call)?,
            Grant::NodeDevices => node_devices::add_to_linker::<_, Own>(&mut linker, |call| call)?,
            Grant::StorageProbe => storage_probe::add_to_linker::<_, Own>(&mut linker, |call| call)?,
        }
    }
    Ok(linker)
}

/// Refuses at load what could only fail at every call.
fn check_resources(component: &Component) -> Result<(), LoadError> {
    let Some(needed) = component.resources_required() else {
        return Err(LoadError::Resources { what: "modules that are not part of the file".to_owned() });
    };
    let bytes = needed.max_initial_memory_size.unwrap_or(0);
    if needed.num_memories > 1 {
        return Err(LoadError::Resources { what: format!("{} memories, one is given", needed.num_memories) });
    }
    if bytes > SLOT_MEMORY_BYTES as u64 {
        return Err(LoadError::Resources { what: format!("{bytes} bytes of memory, {SLOT_MEMORY_BYTES} are given") });
    }
    Ok(())
}
