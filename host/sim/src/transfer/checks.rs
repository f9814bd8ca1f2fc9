//! What libvirt refuses before anything moves, in its words; and what it should refuse and doesn't.

use waypost_core::facts::CpuComparison;
use waypost_core::plan::{DestinationFate, Plan, RunState, TransferMode};
use waypost_core::ports::{Fault, FaultKind};
use waypost_core::request::StorageSafety;
use waypost_core::stream::{Compression, DiskCopy, Encryption, Transport};

use crate::edit::{self, edited};
use crate::state::{Host, Local, State};
use crate::{cpu, words};

/// A migration of a domain that another one has, or one whose source's daemon is not let in by the destination's.
pub(crate) fn may_begin(state: &State, plan: &Plan) -> Result<(), Fault> {
    if plan.transport != Transport::Direct {
        state.lets_peers_in(&plan.destination.host, &plan.source.host)?;
    }
    if state.jobs.contains_key(&plan.domain) {
        let why = format!("another migration job is already running for domain '{}'", plan.name);
        return Err(words::fault(FaultKind::Migrating, &plan.source.host, "migrate", why));
    }
    Ok(())
}

/// What the source finds wrong.
pub(crate) fn begin(state: &State, plan: &Plan) -> Result<(), Fault> {
    let host = &plan.source.host;
    let refuse = |kind, why: String| Err(words::fault(kind, host, "migrate", why));
    let Some(source) = state.host(host) else { return refuse(FaultKind::NoHost, format!("no host {host}")) };
    let Some(local) = source.domains.get(&plan.domain) else {
        return refuse(
            FaultKind::NoDomain,
            format!("Domain not found: no domain with matching uuid '{}'", plan.domain),
        );
    };
    edit::possible(state, plan, "migrate")?;
    stream(plan).or_else(|(kind, why)| refuse(kind, why))?;
    if plan.mode == TransferMode::Offline {
        // On a running domain this goes through, and only the definition is copied.
        return match plan.destination_fate {
            DestinationFate::Define => Ok(()),
            DestinationFate::TransientOnly => refuse(
                FaultKind::Refused,
                "Requested operation is not valid: offline migration must be specified with the persistent flag set"
                    .into(),
            ),
        };
    }
    let spec = &local.spec;
    if local.process.is_none() {
        return refuse(FaultKind::Refused, "Requested operation is not valid: domain is not running".into());
    }
    if !spec.snapshots.is_empty() {
        let why =
            format!("Requested operation is not valid: cannot migrate domain with {} snapshots", spec.snapshots.len());
        return refuse(FaultKind::Refused, why);
    }
    if !spec.hostdevs.is_empty() {
        return refuse(
            FaultKind::Refused,
            "Requested operation is not valid: cannot migrate a domain with <hostdev mode='subsystem' type='pci'>"
                .into(),
        );
    }
    // libvirt looks at the type of the file system alone, and a read-only disk can't be harmed.
    // What is copied is no business of its.
    let copied = |path: &String| plan.copies.0.iter().any(|disk| disk.path == *path);
    let own = local.disk_paths.iter().zip(&spec.disks).any(|(path, disk)| {
        let pool = source.base.pool_of_path(path);
        !disk.read_only && !copied(path) && !pool.is_some_and(|pool| pool.source.names_a_store())
    });
    if own && plan.storage == StorageSafety::Checked {
        return refuse(FaultKind::UnsafeStorage, "Unsafe migration: Migration without shared storage is unsafe".into());
    }
    Ok(())
}

/// What libvirt says of a stream that can't be, in its words; a new hypervisor would be refused the same things.
fn stream(plan: &Plan) -> Result<(), (FaultKind, String)> {
    let (stream, tunnelled) = (&plan.stream, plan.transport == Transport::Tunnelled);
    let parallel = stream.parallel_connections.is_some();
    let copies = plan.disks.copy != DiskCopy::No;
    let refused = |why: &str| Err((FaultKind::Refused, why.to_owned()));
    if plan.mode == TransferMode::Offline {
        return match copies {
            true => refused("Requested operation is not valid: offline migration cannot handle non-shared storage"),
            false => Ok(()),
        };
    }
    if tunnelled && parallel {
        return refused("unsupported flags: VIR_MIGRATE_TUNNELLED and VIR_MIGRATE_PARALLEL are mutually exclusive");
    }
    if tunnelled && stream.post_copy {
        return refused("argument unsupported: post-copy is not supported with tunnelled migration");
    }
    if tunnelled && copies {
        return refused(
            "argument unsupported: migration with non-shared storage is not supported with tunnelled migration",
        );
    }
    if tunnelled && stream.encryption == Encryption::Required {
        return refused("internal error: failed to convert virJSONValue to yajl data");
    }
    if stream.post_copy && (stream.stands_still || plan.finally == RunState::Paused) {
        return refused("argument unsupported: post-copy migration is not supported with non-live or paused migration");
    }
    if parallel && stream.compression.contains(&Compression::Mt) {
        return refused("internal error: unable to execute QEMU command: Multifd is not compatible with compress");
    }
    if stream.zero_copy && !parallel {
        return refused("argument unsupported: zero-copy is only available for parallel migration");
    }
    if stream.zero_copy {
        let why = "cannot limit locked memory of process: Operation not permitted";
        return Err((FaultKind::Other, why.to_owned()));
    }
    if plan.migrate_uri.as_ref().is_some_and(|uri| uri.starts_with("rdma://")) {
        return refused("internal error: unable to execute QEMU command 'migrate': RDMA ERROR: no RDMA device");
    }
    Ok(())
}

/// What the destination finds wrong with an incoming guest.
pub(crate) fn prepare(state: &State, plan: &Plan) -> Result<(), Fault> {
    let host = &plan.destination.host;
    let refuse = |kind, why: String| Err(words::fault(kind, host, "migrate", why));
    let (there, local) = ends(state, plan)?;
    let local = &edited(local, &plan.edits);
    if plan.stream.encryption == Encryption::Required && !there.spec.migration_tls {
        let why = "internal error: unable to execute QEMU command 'object-add': Unable to access credentials";
        return refuse(FaultKind::Other, why.into());
    }
    if there.domains.get(&plan.domain).is_some_and(|other| other.process.is_some()) {
        let why = format!("Requested operation is not valid: domain '{}' is already active", plan.destination_name);
        return refuse(FaultKind::Refused, why);
    }
    clash(there, plan)?;
    let spec = &local.spec;
    let Some(support) = there.base.guests.first() else {
        return refuse(FaultKind::Incompatible, "could not find capabilities".into());
    };
    if state.host(&plan.source.host).is_some_and(|source| source.spec.architecture != there.spec.architecture) {
        let why = format!("Cannot check QEMU binary for {}: No such file or directory", support.architecture);
        return refuse(FaultKind::Incompatible, why);
    }
    if spec.machine.as_ref().is_some_and(|machine| !support.machines.iter().any(|known| known.name == *machine)) {
        let why = format!(
            "unsupported configuration: machine type '{}' is not supported",
            spec.machine.as_deref().unwrap_or("")
        );
        return refuse(FaultKind::Incompatible, why);
    }
    if let (CpuComparison::Incompatible, Some(why)) = cpu::compare(spec.cpu.as_deref(), &there.spec.cpu) {
        return refuse(FaultKind::Incompatible, why);
    }
    for interface in &spec.interfaces {
        let network = interface.network.as_ref().map(|name| (name, there.base.network(name)));
        match (network, &interface.bridge) {
            (Some((name, None)), _) => {
                return refuse(
                    FaultKind::Incompatible,
                    format!("Network not found: no network with matching name '{name}'"),
                );
            }
            (Some((name, Some(network))), _) if !network.active => {
                let why = format!("Requested operation is not valid: network '{name}' is not active");
                return refuse(FaultKind::Refused, why);
            }
            (None, Some(bridge)) if !there.spec.bridges.contains(bridge) => {
                return refuse(
                    FaultKind::Incompatible,
                    format!("Cannot get interface MTU on '{bridge}': No such device"),
                );
            }
            _ => {}
        }
    }
    for path in local.disk_paths.iter() {
        let pool = there.base.pool_of_path(path);
        let pool = pool.and_then(|pool| there.spec.pools.iter().find(|spec| spec.name == pool.name && spec.active));
        let volume = pool.and_then(|pool| state.stores.get(&there.spec, pool, path.rsplit('/').next()?));
        if volume.is_none() {
            let why = format!("Cannot access storage file '{path}': No such file or directory");
            return refuse(FaultKind::Storage, why);
        }
    }
    for disk in &plan.copies.0 {
        let target = state.stores.at(&there.spec, &there.base, &disk.path);
        if target.is_some_and(|volume| volume.capacity_bytes != disk.capacity_bytes) {
            let why = format!("migration of disk {} failed: Source and target image have different sizes", disk.target);
            return refuse(FaultKind::Storage, why);
        }
    }
    if there.used_kib + spec.memory_mib * 1024 > there.spec.memory_mib * 1024 {
        return refuse(
            FaultKind::Other,
            "internal error: process exited while connecting to monitor: cannot set up guest memory 'pc.ram': \
             Cannot allocate memory"
                .into(),
        );
    }
    Ok(())
}

/// What the destination finds wrong with a definition: less.
pub(crate) fn prepare_offline(state: &State, plan: &Plan) -> Result<(), Fault> {
    let (there, _) = ends(state, plan)?;
    // Of a direct one its client connects to either.
    if plan.transport != Transport::Direct && state.cut(&plan.source.host, &plan.destination.host).is_some() {
        let why = format!("unable to connect to server at '{}:16509': No route to host", plan.destination.host);
        return Err(words::fault(FaultKind::Network, &plan.source.host, "migrate", why));
    }
    clash(there, plan)
}

fn ends<'a>(state: &'a State, plan: &Plan) -> Result<(&'a Host, &'a Local), Fault> {
    let (from, to) = (&plan.source.host, &plan.destination.host);
    let refuse = |host, kind, why: String| words::fault(kind, host, "migrate", why);
    let there = state.host(to).ok_or_else(|| refuse(to, FaultKind::NoHost, format!("no host {to}")))?;
    let gone = || refuse(from, FaultKind::NoDomain, format!("Domain not found: '{}'", plan.domain));
    let local = state.local(from, plan.domain).ok_or_else(gone)?;
    if state.daemon_is_down(to) {
        let why = format!("unable to connect to server at '{to}:16509': Connection refused");
        return Err(refuse(from, FaultKind::Network, why));
    }
    if state.host(from).is_some_and(|source| source.uuid == there.uuid) {
        let why = format!("internal error: Attempt to migrate guest to the same host {}", there.uuid);
        return Err(refuse(from, FaultKind::Refused, why));
    }
    Ok((there, local))
}

/// A definition of the same name or the same UUID, but not of both: with both it is the way back.
fn clash(there: &Host, plan: &Plan) -> Result<(), Fault> {
    let refuse = |why: String| Err(words::fault(FaultKind::Refused, &plan.destination.host, "migrate", why));
    if let Some(other) = there.domains.get(&plan.domain)
        && other.name != plan.destination_name
    {
        return refuse(format!(
            "operation failed: domain '{}' is already defined with uuid {}",
            other.name, plan.domain
        ));
    }
    match there.domains.iter().find(|(id, other)| other.name == plan.destination_name && **id != plan.domain) {
        Some((id, _)) => {
            refuse(format!("operation failed: domain '{}' already exists with uuid {id}", plan.destination_name))
        }
        None => Ok(()),
    }
}
