//! What hosts tell of themselves and of their domains: the state of the world in the core's facts.

use waypost_core::facts::{
    ActiveJob, BackingLayer, CpuFeature, Disk, Document, DomainBrief, DomainFacts, Firmware, Graphics, GuestCpu,
    GuestSupport, HostCpu, HostFacts, HostLink, Hostdev, Interface, Machine, MemoryBacking, Metadata, MigrationPorts,
    Network, NodeDevice, NumaCell, Pin, Pool, Tpm,
};
use waypost_core::ids::{DomainId, HostName};
use waypost_core::load::HostLoad;
use waypost_core::ports::{Depth, Wanted};
use waypost_core::situation::{DiskErrors, Observed, Side};

use crate::fleet::{DiskSpec, DomainSpec, HostSpec, InterfaceSpec};
use crate::generate::uuid_of;
use crate::state::{Host, Local, Process, State};
use crate::storage::{self, Stores};

/// Emulators are where distributions put them.
fn emulator(architecture: &str) -> String {
    format!("/usr/bin/qemu-system-{architecture}")
}

/// `major.minor.release` as libvirt encodes it.
pub(crate) fn version(text: &str) -> Option<u64> {
    let mut parts = text.split('.').map(|part| part.parse::<u64>().ok());
    let number = parts.next()?? * 1_000_000 + parts.next()?? * 1000 + parts.next()??;
    parts.next().is_none().then_some(number)
}

/// What never changes of a host.
pub(crate) fn host(spec: &HostSpec) -> HostFacts {
    let memory_kib = spec.memory_mib * 1024;
    let machine = |name: &String| Machine { name: name.clone(), canonical: None, vcpus_max: Some(255) };
    HostFacts {
        name: HostName::new(spec.name.as_str()),
        hostname: spec.name.clone(),
        uuid: Some(spec.host_uuid()),
        uri: format!("sim://{}/system", spec.name),
        peer_uri: Some(spec.peer_uri.clone().unwrap_or_else(|| format!("sim://{}/system", spec.name))),
        addresses: vec![],
        hypervisor: spec.hypervisor.clone(),
        hypervisor_version: version(&spec.hypervisor_version),
        libvirt_version: version(&spec.libvirt_version),
        architecture: spec.architecture.clone(),
        cpus: spec.cpus,
        memory_kib,
        free_memory_kib: memory_kib,
        huge_pages: vec![],
        numa: vec![NumaCell {
            id: 0,
            memory_kib,
            free_memory_kib: None,
            cpus: (0..spec.cpus).collect(),
            huge_pages: vec![],
        }],
        cpu: HostCpu { model: Some(spec.cpu.clone()), vendor: Some("Intel".into()), features: vec![] },
        guests: vec![GuestSupport {
            architecture: spec.architecture.clone(),
            virt_type: spec.virt_type.clone(),
            emulator: Some(emulator(&spec.architecture)),
            machines: spec.machines.iter().map(machine).collect(),
        }],
        live_migration: true,
        migration_transports: vec!["tcp".into()],
        drops_cache: Some(true),
        arrived_paused_may_leave: Some(true),
        migration_ports: MigrationPorts { first: 49152, last: 49215, in_use: 0 },
        migration_tls: spec.migration_tls,
        pools: spec
            .pools
            .iter()
            .map(|pool| {
                let capacity_bytes = pool.capacity_gib << 30;
                Pool {
                    name: pool.name.clone(),
                    uuid: uuid_of(&spec.name, &pool.name),
                    kind: pool.kind.clone(),
                    active: pool.active,
                    source: storage::source(pool),
                    target: Some(pool.target.clone()),
                    capacity_bytes,
                    allocation_bytes: capacity_bytes / 4,
                    available_bytes: capacity_bytes - capacity_bytes / 4,
                    volumes: None,
                }
            })
            .collect(),
        networks: spec
            .networks
            .iter()
            .map(|network| Network {
                name: network.name.clone(),
                uuid: uuid_of(&spec.name, &network.name),
                active: network.active,
                bridge: Some(network.bridge.clone()),
                forward: Some(network.forward.clone()),
                portgroups: vec![],
            })
            .collect(),
        bridges: Some(spec.bridges.clone()),
        // A fleet that says nothing of interfaces is one whose libvirt tells nothing of them.
        links: (!spec.interface_states.is_empty()).then(|| {
            spec.interface_states
                .iter()
                .map(|(name, state)| HostLink { name: name.clone(), state: Some(state.clone()), mac: None })
                .collect()
        }),
        domains: vec![],
        node_devices: None,
    }
}

impl Host {
    /// Facts of the host as they are now.
    pub(crate) fn facts(&self, stores: &Stores, depth: Depth) -> HostFacts {
        let mut facts = (*self.base).clone();
        facts.free_memory_kib = facts.memory_kib.saturating_sub(self.used_kib);
        let incoming = self.domains.values().filter(|local| local.process.as_ref().is_some_and(|p| p.incoming));
        facts.migration_ports.in_use = u32::try_from(incoming.count()).unwrap_or(u32::MAX);
        facts.domains = self.briefs();
        if depth.volumes == Wanted::Yes {
            for (pool, spec) in facts.pools.iter_mut().zip(&self.spec.pools) {
                pool.volumes = pool.active.then(|| stores.all(&self.spec, spec));
            }
        }
        if depth.node_devices == Wanted::Yes {
            let computer = NodeDevice { name: "computer".into(), capabilities: vec!["system".into()], parent: None };
            facts.node_devices = Some(vec![computer]);
        }
        facts
    }

    /// How busy it is: each vCPU of a guest that runs takes all of a CPU, as long as there is one for it.
    pub(crate) fn load(&self) -> HostLoad {
        let vcpus = |wanted: fn(&Process) -> bool| -> u32 {
            let held = self.domains.values().filter(|local| local.process.as_ref().is_some_and(wanted));
            held.map(|local| local.spec.vcpus).sum()
        };
        let busy = u64::from(vcpus(|process| process.runs)) * 1000 / u64::from(self.spec.cpus.max(1));
        HostLoad { vcpus: vcpus(|_| true), cpu_busy_permille: u16::try_from(busy.min(1000)).ok() }
    }

    /// Its domains.
    pub(crate) fn briefs(&self) -> Vec<DomainBrief> {
        let brief = |(id, local): (&DomainId, &Local)| DomainBrief {
            name: local.name.clone(),
            id: *id,
            state: local.state().0,
            persistent: local.persistent,
        };
        self.domains.iter().map(brief).collect()
    }
}

impl State {
    /// What a host says of a domain, without whether it can be reached.
    pub(crate) fn observe(&self, host: &HostName, domain: DomainId) -> Side {
        let Some(there) = self.host(host) else { return Side::Unknown(format!("no host {host} in the fleet")) };
        let Some(local) = there.domains.get(&domain) else { return Side::Absent { host: Some(there.uuid) } };
        let (state, reason) = local.state();
        Side::Present(Observed {
            host: Some(there.uuid),
            name: local.name.clone(),
            state,
            reason: reason.into(),
            persistent: local.persistent,
            autostart: local.autostart,
            job: self.job_of(host, domain).is_some(),
            disk_errors: DiskErrors(if reason == "io-error" { self.failed_disks(host, domain) } else { Vec::new() }),
        })
    }

    fn failed_disks(&self, host: &HostName, domain: DomainId) -> Vec<String> {
        self.disk_errors.get(&(host.clone(), domain)).cloned().unwrap_or_default()
    }

    /// The job that a host shows for a domain.
    pub(crate) fn job_of(&self, host: &HostName, domain: DomainId) -> Option<&'static str> {
        // Of a domain without a process libvirt tells no job, even where one was orphaned.
        let outgoing = self.jobs.get(&domain).is_some_and(|job| job.source == *host && job.shows)
            && self.process(host, domain).is_some();
        // A daemon that was restarted has dropped the job of a process that lives on.
        if outgoing {
            return Some("migration-out");
        }
        if self.process(host, domain)?.incoming {
            return Some("migration-in");
        }
        self.others_jobs.get(&domain).filter(|(on, _)| on == host).map(|(_, operation)| *operation)
    }

    /// Facts of a domain.
    pub(crate) fn domain_facts(&self, host: &Host, id: DomainId, local: &Local) -> DomainFacts {
        let spec = &local.spec;
        let (state, reason) = local.state();
        let memory_kib = spec.memory_mib * 1024;
        let document = format!(
            "<domain type='{}'><name>{}</name><uuid>{id}</uuid><memory unit='KiB'>{memory_kib}</memory>\
             <vcpu>{}</vcpu></domain>",
            host.spec.virt_type,
            escaped(&local.name),
            spec.vcpus
        );
        let job = self.job_of(&host.name, id).map(|operation| ActiveJob {
            operation: operation.into(),
            elapsed_ms: self.jobs.get(&id).map(|job| job.elapsed_ms()),
        });
        DomainFacts {
            id,
            name: local.name.clone(),
            state,
            reason: reason.into(),
            persistent: local.persistent,
            autostart: local.autostart,
            managed_save: spec.managed_save,
            virt_type: host.spec.virt_type.clone(),
            architecture: host.spec.architecture.clone(),
            machine: spec.machine.clone(),
            emulator: Some(spec.emulator.clone().unwrap_or_else(|| emulator(&host.spec.architecture))),
            firmware: Firmware { kind: "bios".into(), loader: None, nvram: None, kernel: None, initrd: None },
            vcpus: spec.vcpus,
            vcpus_max: spec.vcpus,
            memory_kib,
            memory_max_kib: memory_kib,
            memory_backing: MemoryBacking { huge_page_kib: None, locked: false, source: None, access: None },
            iothreads: vec![],
            pins: spec
                .pins
                .iter()
                .map(|(threads, cpus)| Pin { threads: threads.clone(), cpus: cpus.clone() })
                .collect(),
            memory_nodes: spec.memory_nodes.clone(),
            on_poweroff: Some(spec.on_poweroff.clone()),
            on_reboot: Some(spec.on_reboot.clone()),
            on_crash: Some(spec.on_crash.clone()),
            cpu: guest_cpu(spec),
            tsc_frequency_hz: None,
            disks: disks(local, host),
            interfaces: interfaces(spec, host),
            hostdevs: spec.hostdevs.iter().map(|address| hostdev(address)).collect(),
            tpms: if spec.tpm { vec![tpm()] } else { vec![] },
            graphics: vec![Graphics {
                kind: "vnc".into(),
                listen: vec![spec.graphics_listen.clone()],
                socket: None,
                autoport: spec.graphics_port.is_none(),
                port: Some(spec.graphics_port.map_or(-1, i32::from)),
            }],
            character_devices: vec![],
            filesystems: vec![],
            other_devices: vec![],
            shared_memory_roles: vec![],
            launch_security: None,
            snapshots: spec.snapshots.clone(),
            checkpoints: vec![],
            job,
            block_jobs: vec![],
            metadata: spec
                .metadata
                .iter()
                .map(|(namespace, xml)| Metadata { namespace: namespace.clone(), xml: xml.clone() })
                .collect(),
            migration_network: spec.migration_network.clone(),
            title: spec.title.clone(),
            description: spec.description.clone(),
            documents: vec![Document { kind: "inactive".into(), xml: document }],
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn guest_cpu(spec: &DomainSpec) -> GuestCpu {
    GuestCpu {
        mode: Some("custom".into()),
        model: spec.cpu.clone(),
        vendor: None,
        check: Some("partial".into()),
        migratable: None,
        features: Vec::<CpuFeature>::new(),
        xml: spec.cpu.as_ref().map(|model| format!("<cpu mode='custom'><model>{model}</model></cpu>")),
    }
}

fn disks(local: &Local, host: &Host) -> Vec<Disk> {
    let disk = |(index, (disk, path)): (usize, (&DiskSpec, &String))| {
        let pool = host.base.pool_of_path(path);
        Disk {
            target: storage::target(index, disk),
            bus: Some("virtio".into()),
            device: "disk".into(),
            kind: if path.starts_with("/dev/") { "block" } else { "file" }.into(),
            source: Some(path.clone()),
            format: Some(disk.format.clone()),
            cache: disk.cache.clone(),
            shareable: disk.shareable,
            read_only: disk.read_only,
            transient: false,
            startup_policy: None,
            protocol: None,
            servers: vec![],
            pool: pool.map(|pool| pool.name.clone()),
            volume: pool.and_then(|_| path.rsplit('/').next().map(str::to_owned)),
            encrypted: false,
            backing: Vec::<BackingLayer>::new(),
            capacity_bytes: Some(disk.size_gib << 30),
            allocation_bytes: Some((disk.size_gib << 30) / 4),
        }
    };
    local.spec.disks.iter().zip(local.disk_paths.iter()).enumerate().map(disk).collect()
}

/// The MAC address of an interface.
pub(crate) fn mac(spec: &DomainSpec, index: usize) -> String {
    let bits = uuid_of(&spec.name, &index.to_string()).as_u128();
    let made = || format!("52:54:00:{:02x}:{:02x}:{:02x}", bits & 0xff, (bits >> 8) & 0xff, (bits >> 16) & 0xff);
    spec.interfaces.get(index).and_then(|interface| interface.mac.clone()).unwrap_or_else(made)
}

fn interfaces(spec: &DomainSpec, host: &Host) -> Vec<Interface> {
    let interface = |(index, interface): (usize, &InterfaceSpec)| {
        let network = interface.network.clone();
        let given = network.as_ref().and_then(|name| host.spec.networks.iter().find(|network| network.name == *name));
        Interface {
            kind: if network.is_some() { "network" } else { "bridge" }.into(),
            network,
            bridge: interface.bridge.clone().or_else(|| given.map(|network| network.bridge.clone())),
            device: None,
            portgroup: None,
            model: Some("virtio".into()),
            mac: Some(mac(spec, index)),
            teaming: None,
        }
    };
    spec.interfaces.iter().enumerate().map(interface).collect()
}

fn hostdev(address: &str) -> Hostdev {
    Hostdev { kind: "pci".into(), address: address.into(), managed: true, teaming: None }
}

fn tpm() -> Tpm {
    Tpm {
        model: Some("tpm-crb".into()),
        backend: "emulator".into(),
        version: Some("2.0".into()),
        state_path: None,
        device_path: None,
    }
}
