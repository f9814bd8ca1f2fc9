//! The edits of a plan, made in the model: what arrives differs in the places that were edited, and in no other.

use std::sync::Arc;

use waypost_core::edit::{BRIDGE, Edit, EditKind, Edits, NETWORK};
use waypost_core::plan::Plan;
use waypost_core::ports::{Fault, FaultKind};

use crate::fleet::DomainSpec;
use crate::state::{Local, State};
use crate::{report, storage, words};

/// Whether the edits of a plan can be made in the domain as it is.
pub(crate) fn possible(state: &State, plan: &Plan, attempted: &str) -> Result<(), Fault> {
    let (host, id) = (&plan.source.host, plan.domain);
    let there = state.host(host).zip(state.local(host, id));
    let Some((source, local)) = there else {
        let why = format!("Domain not found: no domain with matching uuid '{id}'");
        return Err(words::fault(FaultKind::NoDomain, host, attempted, why));
    };
    let facts = state.domain_facts(source, id, local);
    plan.edits.still_hold(&facts).map_err(|why| words::fault(FaultKind::Refused, host, attempted, why))
}

/// A domain as it arrives.
pub(crate) fn edited(local: &Local, edits: &Edits) -> Local {
    let mut there = local.clone();
    if edits.is_empty() {
        return there;
    }
    let mut spec = (*there.spec).clone();
    let mut paths = there.disk_paths.to_vec();
    for edit in &edits.0 {
        make(edit, &mut spec, &mut paths);
    }
    there.spec = Arc::new(spec);
    there.disk_paths = paths.into();
    there
}

fn make(edit: &Edit, spec: &mut DomainSpec, paths: &mut [String]) {
    let after = edit.after.clone();
    match edit.kind {
        EditKind::DiskSource => {
            let mut disks = spec.disks.iter().enumerate();
            let at = disks.position(|(at, disk)| Some(storage::target(at, disk)) == edit.device);
            if let (Some(path), Some(after)) = (at.and_then(|at| paths.get_mut(at)), after) {
                *path = after;
            }
        }
        EditKind::InterfaceSource => {
            let at = (0..spec.interfaces.len()).find(|at| Some(report::mac(spec, *at)) == edit.device);
            let named = |kind| after.as_deref().and_then(|text| text.strip_prefix(kind)).map(str::to_owned);
            if let Some(interface) = at.and_then(|at| spec.interfaces.get_mut(at)) {
                // An address that was made from the old place stays.
                interface.mac.clone_from(&edit.device);
                interface.network = named(NETWORK);
                interface.bridge = named(BRIDGE);
            }
        }
        EditKind::GraphicsListen => spec.graphics_listen = after.unwrap_or_default(),
        EditKind::GraphicsPort => spec.graphics_port = after.and_then(|port| port.parse().ok()),
        EditKind::Emulator => spec.emulator = after,
        EditKind::Title => spec.title = after,
        EditKind::Description => spec.description = after,
        EditKind::Metadata => {
            let namespace = edit.device.clone().unwrap_or_default();
            match after {
                Some(element) => spec.metadata.insert(namespace, element),
                None => spec.metadata.remove(&namespace),
            };
        }
        EditKind::CpuPin => {
            let threads = edit.device.clone().unwrap_or_default();
            match after {
                Some(cpus) => spec.pins.insert(threads, cpus),
                None => spec.pins.remove(&threads),
            };
        }
        EditKind::MemoryNodes => spec.memory_nodes = after,
        EditKind::OnPoweroff => spec.on_poweroff = after.unwrap_or_default(),
        EditKind::OnReboot => spec.on_reboot = after.unwrap_or_default(),
        EditKind::OnCrash => spec.on_crash = after.unwrap_or_default(),
        // No simulated domain has any, so the plan has no such edit.
        EditKind::CharacterPath | EditKind::Loader => {}
    }
}
