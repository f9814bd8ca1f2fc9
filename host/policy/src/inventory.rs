//! The host functions of `waypost:facts`: each notes what is read and answers it out of the snapshot.

use std::time::Instant;

use wasmtime::component::Resource;
use waypost_core::facts::CpuComparison;
use waypost_core::ids::DomainId;

use crate::bindings::{documents, environment, inventory, node_devices, storage_probe, types as wit, volumes};
use crate::call::Call;
use crate::convert::{self, all};
use crate::reads::{DomainFact, HostFact, LookUp};
use crate::view::{DomainHandle, HostHandle};

type Domain = Resource<DomainHandle>;
type Host = Resource<HostHandle>;
type Answer<T> = wasmtime::Result<T>;

macro_rules! domain_getters {
    ($($name:ident: $type:ty = $fact:ident, $domain:ident => $value:expr;)*) => {$(
        fn $name(&mut self, handle: Domain) -> Answer<$type> {
            let $domain = &*self.domain(&handle, DomainFact::$fact)?.snapshot().domain;
            Ok($value)
        }
    )*};
}

macro_rules! host_getters {
    ($($name:ident: $type:ty = $fact:ident, $host:ident => $value:expr;)*) => {$(
        fn $name(&mut self, handle: Host) -> Answer<$type> {
            let $host = self.host(&handle, HostFact::$fact)?;
            Ok($value)
        }
    )*};
}

impl inventory::Host for Call {}

impl inventory::HostDomainFacts for Call {
    domain_getters! {
        id: String = Id, domain => domain.id.to_string();
        name: String = Name, domain => domain.name.clone();
        state: wit::DomainState = State, domain => convert::domain_state(domain.state);
        state_reason: String = StateReason, domain => domain.reason.clone();
        persistent: bool = Persistent, domain => domain.persistent;
        autostart: bool = Autostart, domain => domain.autostart;
        managed_save: bool = ManagedSave, domain => domain.managed_save;
        virt_type: String = VirtType, domain => domain.virt_type.clone();
        architecture: String = Architecture, domain => domain.architecture.clone();
        machine: Option<String> = Machine, domain => domain.machine.clone();
        emulator: Option<String> = Emulator, domain => domain.emulator.clone();
        firmware: wit::Firmware = Firmware, domain => convert::firmware(&domain.firmware);
        vcpus: u32 = Vcpus, domain => domain.vcpus;
        vcpus_max: u32 = VcpusMax, domain => domain.vcpus_max;
        memory_kib: u64 = MemoryKib, domain => domain.memory_kib;
        memory_max_kib: u64 = MemoryMaxKib, domain => domain.memory_max_kib;
        memory_backing: wit::MemoryBacking = MemoryBacking, domain => convert::memory_backing(&domain.memory_backing);
        iothreads: Vec<u32> = Iothreads, domain => domain.iothreads.clone();
        pins: Vec<wit::Pin> = Pins, domain => all(&domain.pins, convert::pin);
        memory_nodes: Option<String> = MemoryNodes, domain => domain.memory_nodes.clone();
        on_poweroff: Option<String> = OnPoweroff, domain => domain.on_poweroff.clone();
        on_reboot: Option<String> = OnReboot, domain => domain.on_reboot.clone();
        on_crash: Option<String> = OnCrash, domain => domain.on_crash.clone();
        cpu: wit::GuestCpu = Cpu, domain => convert::guest_cpu(&domain.cpu);
        tsc_frequency_hz: Option<u64> = TscFrequencyHz, domain => domain.tsc_frequency_hz;
        disks: Vec<wit::Disk> = Disks, domain => all(&domain.disks, convert::disk);
        network_interfaces: Vec<wit::NetworkInterface> = NetworkInterfaces,
            domain => all(&domain.interfaces, convert::interface);
        hostdevs: Vec<wit::Hostdev> = Hostdevs, domain => all(&domain.hostdevs, convert::hostdev);
        tpms: Vec<wit::Tpm> = Tpms, domain => all(&domain.tpms, convert::tpm);
        graphics: Vec<wit::Graphics> = Graphics, domain => all(&domain.graphics, convert::graphics);
        character_devices: Vec<wit::CharacterDevice> = CharacterDevices,
            domain => all(&domain.character_devices, convert::character_device);
        filesystems: Vec<wit::Filesystem> = Filesystems, domain => all(&domain.filesystems, convert::filesystem);
        other_devices: Vec<String> = OtherDevices, domain => domain.other_devices.clone();
        shared_memory_roles: Vec<String> = SharedMemoryRoles, domain => domain.shared_memory_roles.clone();
        launch_security: Option<String> = LaunchSecurity, domain => domain.launch_security.clone();
        title: Option<String> = Title, domain => domain.title.clone();
        description: Option<String> = Description, domain => domain.description.clone();
        snapshots: Vec<String> = Snapshots, domain => domain.snapshots.clone();
        checkpoints: Vec<String> = Checkpoints, domain => domain.checkpoints.clone();
        job: Option<wit::ActiveJob> = Job, domain => domain.job.as_ref().map(convert::active_job);
        block_jobs: Vec<wit::BlockJob> = BlockJobs, domain => all(&domain.block_jobs, convert::block_job);
    }

    fn metadata(&mut self, _: Domain, namespace: String) -> Answer<Option<String>> {
        let view = self.domain_look_up(LookUp::Metadata, &namespace)?;
        let found = view.snapshot().domain.metadata.iter().find(|element| element.namespace == namespace);
        Ok(found.map(|element| element.xml.clone()))
    }

    fn drop(&mut self, _: Domain) -> Answer<()> {
        self.count()
    }
}

impl inventory::HostHostFacts for Call {
    host_getters! {
        name: String = Name, host => host.facts.name.as_str().to_owned();
        hostname: String = Hostname, host => host.facts.hostname.clone();
        uuid: Option<String> = Uuid, host => host.facts.uuid.map(|uuid| uuid.to_string());
        uri: String = Uri, host => host.facts.uri.clone();
        peer_uri: Option<String> = PeerUri, host => host.facts.peer_uri.clone();
        addresses: Vec<String> = Addresses, host => host.facts.addresses.clone();
        hypervisor: String = Hypervisor, host => host.facts.hypervisor.clone();
        hypervisor_version: Option<u64> = HypervisorVersion, host => host.facts.hypervisor_version;
        libvirt_version: Option<u64> = LibvirtVersion, host => host.facts.libvirt_version;
        architecture: String = Architecture, host => host.facts.architecture.clone();
        cpus: u32 = Cpus, host => host.facts.cpus;
        memory_kib: u64 = MemoryKib, host => host.facts.memory_kib;
        free_memory_kib: u64 = FreeMemoryKib, host => host.facts.free_memory_kib;
        huge_pages: Vec<wit::HugePages> = HugePages, host => all(&host.facts.huge_pages, convert::huge_pages);
        numa: Vec<wit::NumaCell> = Numa, host => all(&host.facts.numa, convert::numa_cell);
        cpu: wit::HostCpu = Cpu, host => convert::host_cpu(&host.facts.cpu);
        live_migration: bool = LiveMigration, host => host.facts.live_migration;
        drops_cache: Option<bool> = DropsCache, host => host.facts.drops_cache;
        arrived_paused_may_leave: Option<bool> = ArrivedPausedMayLeave, host => host.facts.arrived_paused_may_leave;
        migration_transports: Vec<String> = MigrationTransports, host => host.facts.migration_transports.clone();
        migration_ports: wit::MigrationPorts = MigrationPorts,
            host => convert::migration_ports(&host.facts.migration_ports);
        pool_names: Vec<String> = PoolNames, host => all(&host.facts.pools, |pool| pool.name.clone());
        network_names: Vec<String> = NetworkNames, host => all(&host.facts.networks, |network| network.name.clone());
        domain_count: u32 = DomainCount, host => u32::try_from(host.facts.domains.len()).unwrap_or(u32::MAX);
        cpu_comparison: wit::CpuComparison = CpuComparison, host => match host.candidate {
            Some(candidate) => convert::cpu_comparison(&candidate.pair),
            None => wit::CpuComparison { result: convert::cpu_result(CpuComparison::Unknown), message: None },
        };
    }

    fn needs_peer_uri(&mut self, host: Host) -> Answer<bool> {
        let candidate = self.host(&host, HostFact::NeedsPeerUri)?.candidate.is_some();
        Ok(candidate && self.view()?.needs_peer_uri())
    }

    fn runs(&mut self, host: Host, architecture: String, virt_type: String) -> Answer<bool> {
        let host = self.host_look_up(&host, LookUp::Runs, &[&*architecture, ",", &*virt_type].concat())?;
        Ok(host.facts.guest_support(&architecture, &virt_type).is_some())
    }

    fn emulator(&mut self, host: Host, architecture: String, virt_type: String) -> Answer<Option<String>> {
        let host = self.host_look_up(&host, LookUp::Emulator, &[&*architecture, ",", &*virt_type].concat())?;
        Ok(host.facts.guest_support(&architecture, &virt_type).and_then(|guest| guest.emulator.clone()))
    }

    fn machine(
        &mut self,
        host: Host,
        architecture: String,
        virt_type: String,
        name: String,
    ) -> Answer<Option<wit::Machine>> {
        let key = [&*architecture, ",", &*virt_type, ",", &*name].concat();
        let host = self.host_look_up(&host, LookUp::Machine, &key)?;
        let guest = host.facts.guest_support(&architecture, &virt_type);
        Ok(guest.and_then(|guest| guest.machines.iter().find(|machine| machine.name == name)).map(convert::machine))
    }

    fn pool(&mut self, host: Host, name: String) -> Answer<Option<wit::Pool>> {
        Ok(self.host_look_up(&host, LookUp::Pool, &name)?.pool(&name).map(convert::pool))
    }

    fn pool_of_path(&mut self, host: Host, path: String) -> Answer<Option<wit::Pool>> {
        Ok(self.host_look_up(&host, LookUp::PoolOfPath, &path)?.facts.pool_of_path(&path).map(convert::pool))
    }

    fn network(&mut self, host: Host, name: String) -> Answer<Option<wit::Network>> {
        Ok(self.host_look_up(&host, LookUp::Network, &name)?.network(&name).map(convert::network))
    }

    fn bridge(&mut self, host: Host, name: String) -> Answer<wit::Presence> {
        Ok(match &self.host_look_up(&host, LookUp::Bridge, &name)?.facts.bridges {
            None => wit::Presence::Unknown,
            Some(bridges) if bridges.contains(&name) => wit::Presence::Present,
            Some(_) => wit::Presence::Absent,
        })
    }

    fn domain_by_name(&mut self, host: Host, name: String) -> Answer<Option<wit::DomainBrief>> {
        let host = self.host_look_up(&host, LookUp::DomainByName, &name)?;
        Ok(host.domain_by_name(&name).map(convert::domain_brief))
    }

    fn domain_by_id(&mut self, host: Host, id: String) -> Answer<Option<wit::DomainBrief>> {
        let host = self.host_look_up(&host, LookUp::DomainById, &id)?;
        let id = uuid::Uuid::parse_str(&id).ok().map(DomainId);
        Ok(id.and_then(|id| host.domain_by_id(id)).map(convert::domain_brief))
    }

    fn disk_view(&mut self, host: Host, target: String) -> Answer<Option<wit::DiskView>> {
        let source = host.rep() == 0;
        let host = self.host_look_up(&host, LookUp::DiskView, &target)?;
        let of_candidate = host.candidate.map(|candidate| &candidate.pair.destination_disks);
        let views = match of_candidate {
            Some(views) => views,
            None if source => &self.view()?.snapshot().source_disks,
            None => return Ok(None),
        };
        Ok(views.iter().find(|view| view.target == target).map(convert::disk_view))
    }

    fn disk_view_again(&mut self, host: Host, target: String) -> Answer<Option<wit::DiskView>> {
        let source = host.rep() == 0;
        self.host_look_up(&host, LookUp::DiskViewAgain, &target)?;
        if !source {
            return Ok(None);
        }
        let views = &self.view()?.snapshot().source_disks_again;
        Ok(views.iter().find(|view| view.target == target).map(convert::disk_view))
    }

    fn storage_proof(&mut self, host: Host, source_pool: String, destination_pool: String) -> Answer<Option<bool>> {
        let key = [&*source_pool, ",", &*destination_pool].concat();
        let host = self.host_look_up(&host, LookUp::StorageProof, &key)?;
        let mut proofs = host.candidate.into_iter().flat_map(|candidate| &candidate.pair.storage_proofs);
        let found = proofs.find(|p| p.source_pool == source_pool && p.destination_pool == destination_pool);
        Ok(found.map(|proof| proof.shared))
    }

    fn disk_copy(&mut self, host: Host, target: String) -> Answer<Option<Result<(), String>>> {
        self.host_look_up(&host, LookUp::DiskCopy, &target)?;
        let view = self.view()?;
        let candidate = view.host(host.rep()).and_then(|host| host.candidate);
        Ok(candidate.and_then(|candidate| view.disk_copy(candidate, &target)))
    }

    fn drop(&mut self, _: Host) -> Answer<()> {
        self.count()
    }
}

impl wit::Host for Call {}

impl environment::Host for Call {
    fn settings(&mut self) -> Answer<String> {
        self.count()?;
        Ok(self.settings.as_ref().to_owned())
    }

    fn log(&mut self, level: environment::Level, message: String) -> Answer<()> {
        self.count()?;
        Call::log(self, convert::level(level), &message);
        Ok(())
    }

    fn panicked(&mut self, message: String, file: String, line: u32, column: u32) -> Answer<()> {
        self.count()?;
        Call::panicked(self, &message, &file, line, column);
        Ok(())
    }
}

impl volumes::Host for Call {
    fn all(&mut self, host: Host, pool: String) -> Answer<Option<Vec<wit::Volume>>> {
        let host = self.host_look_up(&host, LookUp::Volumes, &pool)?;
        let pool = host.pool(&pool).filter(|pool| pool.active);
        Ok(pool.and_then(|pool| pool.volumes.as_ref()).map(|volumes| all(volumes, convert::volume)))
    }
}

impl documents::Host for Call {
    fn domain_xml(&mut self, _: Domain, kind: String) -> Answer<Option<String>> {
        let view = self.domain_look_up(LookUp::Document, &kind)?;
        let found = view.snapshot().domain.documents.iter().find(|document| document.kind == kind);
        Ok(found.map(|document| document.xml.clone()))
    }
}

impl node_devices::Host for Call {
    fn all(&mut self, host: Host) -> Answer<Option<Vec<wit::NodeDevice>>> {
        let host = self.host(&host, HostFact::NodeDevices)?;
        Ok(host.facts.node_devices.as_ref().map(|devices| all(devices, convert::node_device)))
    }
}

impl storage_probe::Host for Call {
    fn shared(
        &mut self,
        destination: Host,
        source_pool: String,
        destination_pool: String,
    ) -> Answer<Result<bool, String>> {
        let key = [&*source_pool, ",", &*destination_pool].concat();
        let destination = self.host_look_up(&destination, LookUp::SharedStorage, &key)?;
        let Some(name) = destination.candidate.map(|candidate| candidate.host.name.clone()) else {
            return Ok(Err("the source is no destination".to_owned()));
        };
        let started = Instant::now();
        let answer = match &self.probe {
            Some(line) => line.shared(&name, source_pool, destination_pool),
            None => Err("the probe never runs when many domains are checked at once".to_owned()),
        };
        self.waited(started.elapsed());
        Ok(answer)
    }
}
