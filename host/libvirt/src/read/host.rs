//! A host, read in four parts that run side by side: a connection has four lanes, and the capabilities alone take as long
//! as the rest together.

use std::collections::HashSet;

use virt_sys as sys;
use waypost_core::facts::{DomainBrief, HostLink, HugePages, Network, NodeDevice, NumaCell, Pool};
use waypost_core::ids::DomainId;
use waypost_core::ports::Wanted;

use crate::error::{Failure, existing, supported};
use crate::facts::{self, Capabilities};
use crate::link::Session;
use crate::raw::{self, Connection, HostMemory};
use crate::read::storage;

/// The machine: what it is, and what is free of it.
pub(crate) struct Machine {
    pub(crate) capabilities: Capabilities,
    pub(crate) cpus: u32,
    pub(crate) memory_kib: u64,
    pub(crate) free_memory_kib: u64,
    pub(crate) huge_pages: Vec<HugePages>,
}

pub(crate) fn machine(session: &Session) -> Result<Machine, Failure> {
    let connection = &session.connection;
    let mut capabilities = facts::capabilities(&connection.get_capabilities()?)?;
    session.remember_host_uuid(capabilities.uuid);
    let node = connection.get_node_info()?;
    // What the page cache holds is free for a guest: counting only what is idle would refuse every host that has run a while.
    let memory = match connection.memory()? {
        Some(memory) => memory,
        None => HostMemory { total_kib: node.memory, to_be_had_kib: idle(connection)? / 1024 },
    };
    free_of_cells(session, &mut capabilities.numa)?;
    Ok(Machine {
        huge_pages: total_pages(&capabilities.numa),
        capabilities,
        cpus: node.cpus,
        memory_kib: memory.total_kib,
        free_memory_kib: memory.to_be_had_kib,
    })
}

/// Bytes that nothing holds, for a driver that tells no more.
fn idle(connection: &Connection) -> Result<u64, Failure> {
    match supported(connection.get_free_memory()) {
        Ok(free) => Ok(free.unwrap_or(0)),
        // libvirt's C interface says 0 for an error, so that no byte free looks like one.
        Err(failure) if failure.has_no_reason() => Ok(0),
        Err(failure) => Err(failure),
    }
}

fn free_of_cells(session: &Session, cells: &mut [NumaCell]) -> Result<(), Failure> {
    let Some(count) = cells.iter().map(|cell| cell.id + 1).max() else { return Ok(()) };
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    let free = told(session, session.connection.get_cells_free_memory(0, count))?;
    for cell in cells {
        cell.free_memory_kib = usize::try_from(cell.id).ok().and_then(|id| free.get(id)).map(|bytes| bytes / 1024);
        // A host without huge pages, as most are, costs no question.
        let sizes: Vec<u32> = cell
            .huge_pages
            .iter()
            .filter(|pages| pages.total > 0)
            .filter_map(|pages| u32::try_from(pages.size_kib).ok())
            .collect();
        if sizes.is_empty() {
            continue;
        }
        let free = told(session, session.connection.get_free_pages(&sizes, cell.id, 1, 0))?;
        for (size, free) in sizes.iter().zip(free) {
            if let Some(pages) = cell.huge_pages.iter_mut().find(|pages| pages.size_kib == u64::from(*size)) {
                pages.free = free;
            }
        }
    }
    Ok(())
}

/// Figures that not every host has, and whose lack drivers report in various ways.
fn told<T>(session: &Session, figures: Result<Vec<T>, virt::error::Error>) -> Result<Vec<T>, Failure> {
    match figures {
        Ok(figures) => Ok(figures),
        Err(error) if session.connection.is_open() => {
            tracing::debug!(%error, "no figures of a NUMA cell");
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

fn total_pages(cells: &[NumaCell]) -> Vec<HugePages> {
    let mut all: Vec<HugePages> = Vec::new();
    for pages in cells.iter().flat_map(|cell| &cell.huge_pages) {
        match all.iter_mut().find(|sum| sum.size_kib == pages.size_kib) {
            Some(sum) => {
                sum.total += pages.total;
                sum.free += pages.free;
            }
            None => all.push(pages.clone()),
        }
    }
    all
}

/// Who answers, and its domains.
pub(crate) struct Population {
    pub(crate) hostname: String,
    pub(crate) hypervisor: String,
    pub(crate) hypervisor_version: Option<u64>,
    pub(crate) libvirt_version: Option<u64>,
    pub(crate) domains: Vec<DomainBrief>,
    /// Domains that a migration comes in for, or is about to leave with.
    pub(crate) in_transit: u32,
}

pub(crate) fn population(session: &Session) -> Result<Population, Failure> {
    let connection = &session.connection;
    let known = |version: u32| (version > 0).then_some(u64::from(version));
    let (domains, in_transit) = domains(session)?;
    Ok(Population {
        hostname: connection.get_hostname()?,
        hypervisor: connection.get_type()?,
        hypervisor_version: supported(connection.get_hyp_version())?.and_then(known),
        libvirt_version: supported(connection.get_lib_version())?.and_then(known),
        domains,
        in_transit,
    })
}

/// The domains in libvirt's order, and how many of them are in transit. Three questions, however many domains there are.
pub(crate) fn domains(session: &Session) -> Result<(Vec<DomainBrief>, u32), Failure> {
    let persistent: HashSet<_> = session
        .connection
        .list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_PERSISTENT)?
        .iter()
        .map(virt::domain::Domain::get_uuid)
        .collect::<Result<_, _>>()?;
    let overviews = raw::domain_overviews(&session.connection)?;
    let in_transit = overviews
        .iter()
        .filter(|domain| (domain.state, domain.reason) == (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_MIGRATION))
        .count();
    let briefs = overviews.into_iter().map(|domain| DomainBrief {
        id: DomainId(domain.uuid),
        state: facts::domain_state(domain.state),
        persistent: persistent.contains(&domain.uuid),
        name: domain.name,
    });
    Ok((briefs.collect(), u32::try_from(in_transit).unwrap_or(u32::MAX)))
}

pub(crate) fn pools(session: &Session, volumes: Wanted) -> Result<Vec<Pool>, Failure> {
    let mut pools: Vec<Pool> = Vec::new();
    for (flag, active) in
        [(sys::VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, true), (sys::VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, false)]
    {
        for handle in supported(session.connection.list_all_storage_pools(flag))?.unwrap_or_default() {
            let Some(document) = existing(handle.get_xml_desc(0))? else { continue };
            let mut pool = facts::pool(&document, active)?;
            // One that was stopped between the two lists is in both.
            if pools.iter().any(|known| known.uuid == pool.uuid) {
                continue;
            }
            if volumes == Wanted::Yes {
                pool.volumes = Some(if active { storage::volumes(&handle)? } else { Vec::new() });
            }
            pools.push(pool);
        }
    }
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pools)
}

/// Networks, bridges and, if wanted, node devices.
pub(crate) struct Surroundings {
    pub(crate) networks: Vec<Network>,
    pub(crate) bridges: Option<Vec<String>>,
    pub(crate) links: Option<Vec<HostLink>>,
    pub(crate) node_devices: Option<Vec<NodeDevice>>,
}

pub(crate) fn surroundings(session: &Session, devices: Wanted) -> Result<Surroundings, Failure> {
    let (bridges, links) = interfaces(session)?.unzip();
    Ok(Surroundings {
        networks: networks(session)?,
        bridges,
        links,
        node_devices: match devices {
            Wanted::No => None,
            Wanted::Yes => Some(node_devices(session)?),
        },
    })
}

fn networks(session: &Session) -> Result<Vec<Network>, Failure> {
    let mut networks: Vec<Network> = Vec::new();
    for (flag, active) in
        [(sys::VIR_CONNECT_LIST_NETWORKS_ACTIVE, true), (sys::VIR_CONNECT_LIST_NETWORKS_INACTIVE, false)]
    {
        for handle in supported(session.connection.list_all_networks(flag))?.unwrap_or_default() {
            let Some(document) = existing(handle.get_xml_desc(0))? else { continue };
            let network = facts::network(&document, active)?;
            if !networks.iter().any(|known| known.uuid == network.uuid) {
                networks.push(network);
            }
        }
    }
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(networks)
}

/// Names of bridges, and all links.
type Interfaces = (Vec<String>, Vec<HostLink>);

/// The kernel's bridges, and all its interfaces with the state of their links, as far as libvirt's interface driver tells;
/// none where the host has no such driver.
fn interfaces(session: &Session) -> Result<Option<Interfaces>, Failure> {
    let Some(interfaces) = supported(session.connection.list_all_interfaces(0))? else { return Ok(None) };
    let (mut bridges, mut links) = (Vec::new(), Vec::new());
    for interface in interfaces {
        // The driver reads the kernel's files one by one: whatever it fails on is on its way out, and no bridge to use.
        match interface.get_xml_desc(0) {
            Ok(document) => {
                let (link, bridge) = facts::interface(&document)?;
                if bridge {
                    bridges.push(link.name.clone());
                }
                links.push(link);
            }
            Err(error) if session.connection.is_open() => tracing::debug!(%error, "an interface can't be read"),
            Err(error) => return Err(error.into()),
        }
    }
    bridges.sort();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some((bridges, links)))
}

fn node_devices(session: &Session) -> Result<Vec<NodeDevice>, Failure> {
    let mut devices = Vec::new();
    for device in supported(session.connection.list_all_node_devices(0))?.unwrap_or_default() {
        if let Some(document) = existing(device.get_xml_desc(0))? {
            devices.push(facts::node_device(&document)?);
        }
    }
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(devices)
}
