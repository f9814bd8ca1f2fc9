//! Guests that prove what happened to them, and the domain XML they are started from.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    counter::{self, CounterFault, CounterReport},
    error::{Attempt, LabError, Result},
    host::Host,
    lab::{Lab, PATIENCE},
    layout::{LOCAL, SHARED},
    linux, process, tick,
};

/// A guest to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuestSpec {
    /// The domain's name, and its image's.
    pub name: String,
    /// The host on which it is defined or started.
    pub host: String,
    /// What runs in it.
    pub program: Program,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// How often it prints its counter, in ticks of 10 ms.
    pub print_every_ticks: u16,
    /// Where its disk is.
    pub disk: DiskPlace,
    /// The size of its disk in MiB.
    pub disk_mib: u32,
    /// The disk's cache mode: none, writeback, directsync, ...
    pub cache: String,
    /// Does its definition outlive it?
    pub persistence: Persistence,
    /// What its firmware is in.
    pub firmware: Firmware,
    /// A `<cpu>` element, or nothing for QEMU's default model qemu64.
    pub cpu_xml: String,
    /// The hard limit of its memory in KiB, for RDMA, which asks for one: libvirt lets the hypervisor lock so much, and can't where the
    /// machine allows less. A lab host has no controllers that would hold the guest to it.
    #[serde(default)]
    pub hard_limit_kib: Option<u64>,
    /// More device elements.
    pub devices_xml: String,
}

/// What runs in a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A boot sector that counts a hundred times a second and dirties memory as asked.
    /// `virsh send-key NAME KEY_0` to `KEY_9` sets 0, 1, 2, 4, ... 256 pages per tick while it runs, `KEY_F` lets it spin.
    Tick {
        /// The memory that it writes to, in MiB.
        working_set_mib: u32,
        /// How many 4-KiB pages it dirties per tick; [`SPIN`] for as many as it can.
        dirty_pages_per_tick: u16,
    },
    /// A Debian kernel with busybox that prints a counter in the same form; wants 128 MiB or more.
    Linux,
}

/// No pause between two pages: with a bandwidth limit on the migration it never converges.
pub const SPIN: u16 = u16::MAX;

/// A guest that does not count for this long is lost: a post-copy migration of the lab's guests stalls for 1.3 s at most.
const LIVENESS: Duration = Duration::from_secs(10);

/// Where a guest's disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskPlace {
    /// On the store that all hosts share (pool `shared`).
    Shared,
    /// On the store of one host that every other host has under the same path (pool `default`).
    Local,
    /// It has none; only the Linux program can do without.
    None,
}

/// What a guest's firmware is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firmware {
    /// In read-only memory, as QEMU brings it.
    Rom,
    /// The same firmware in flash, beside a flash of variables ([`GuestSpec::variables`]) that libvirt makes as it does for UEFI.
    /// This firmware never looks at its variables.
    Flash,
}

/// QEMU's own firmware: what it takes from here unasked, and what it takes as flash when asked. The size of a flash is that of
/// its file, so that the variables are made from it as well.
const FIRMWARE: &str = "/usr/share/seabios/bios-256k.bin";

/// Does a definition outlive its domain?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persistence {
    /// `virsh define`.
    Defined,
    /// `virsh create`: gone when it stops.
    Transient,
}

impl GuestSpec {
    /// A small quiet tick guest on kvm1 with its disk on the shared store.
    pub fn tick(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            host: "kvm1".to_owned(),
            program: Program::Tick { working_set_mib: 8, dirty_pages_per_tick: 4 },
            memory_mib: 64,
            print_every_ticks: 10,
            disk: DiskPlace::Shared,
            disk_mib: 1,
            cache: "none".to_owned(),
            persistence: Persistence::Defined,
            firmware: Firmware::Rom,
            cpu_xml: String::new(),
            hard_limit_kib: None,
            devices_xml: String::new(),
        }
    }

    /// A Linux guest on kvm1 without a disk.
    pub fn linux(name: &str) -> Self {
        Self { program: Program::Linux, memory_mib: 256, disk: DiskPlace::None, ..Self::tick(name) }
    }

    /// Its image as the hosts see it.
    pub fn image(&self) -> Option<String> {
        let folder = match self.disk {
            DiskPlace::Shared => SHARED,
            DiskPlace::Local => LOCAL,
            DiskPlace::None => return None,
        };
        Some(format!("{folder}/{}.img", self.name))
    }

    /// The file of its firmware's variables as its host sees it; none where it has none.
    pub fn variables(&self) -> Option<String> {
        match self.firmware {
            Firmware::Rom => None,
            Firmware::Flash => Some(format!("/var/lib/libvirt/qemu/nvram/{}_VARS.fd", self.name)),
        }
    }

    /// The domain XML.
    pub fn xml(&self) -> String {
        let disk = self.image().map(|image| {
            format!(
                "    <disk type='file' device='disk'>\n      <driver name='qemu' type='raw' cache='{cache}'/>\n      \
                 <source file='{image}'/>\n      <target dev='vda' bus='virtio'/>\n    </disk>\n",
                cache = self.cache
            )
        });
        let flash = self.variables().map(|variables| {
            format!(
                "    <loader readonly='yes' type='pflash'>{FIRMWARE}</loader>\n    \
                 <nvram template='{FIRMWARE}'>{variables}</nvram>\n"
            )
        });
        let boot = match self.program {
            Program::Tick { .. } => "    <boot dev='hd'/>\n".to_owned(),
            Program::Linux => linux::boot_xml(self.print_every_ticks),
        };
        let limit = self
            .hard_limit_kib
            .map(|kib| format!("  <memtune>\n    <hard_limit unit='KiB'>{kib}</hard_limit>\n  </memtune>\n"));
        format!(
            r#"<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
{limit}  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
{flash}{boot}  </os>
  <features><acpi/></features>
  {cpu}
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{disk}    <controller type='usb' model='none'/>
    <serial type='file'>
      <source path='/var/log/libvirt/qemu/{name}.serial' append='on'/>
      <target port='0'/>
    </serial>
    <video><model type='none'/></video>
    <memballoon model='none'/>
    {devices}
  </devices>
</domain>
"#,
            name = self.name,
            memory = self.memory_mib,
            disk = disk.unwrap_or_default(),
            flash = flash.unwrap_or_default(),
            limit = limit.unwrap_or_default(),
            cpu = self.cpu_xml,
            devices = self.devices_xml,
        )
    }
}

/// Guests are made on a lab, and watched on all of its hosts together.
impl Lab {
    /// Makes the guest's disk and, unless it is to be transient, its definition. Returns the XML.
    pub fn define_guest(&self, spec: &GuestSpec) -> Result<String> {
        let host = self.host(&spec.host)?;
        self.make_disk(spec, &host)?;
        if spec.program == Program::Linux {
            linux::provide(&self.spec().cache, &self.shared_store())?;
        }
        let (xml, record) = (self.layout().guest(&spec.name, "xml"), self.layout().guest(&spec.name, "json"));
        fs::write(&xml, spec.xml()).attempt(|| format!("write {}", xml.display()))?;
        let text = serde_json::to_vec(spec).map_err(|source| LabError::State { path: record.clone(), source })?;
        fs::write(&record, text).attempt(|| format!("write {}", record.display()))?;
        if spec.persistence == Persistence::Defined {
            host.virsh(&["define", &xml.to_string_lossy()])?;
        }
        Ok(spec.xml())
    }

    /// Makes the guest, starts it and waits until it counts.
    pub fn start_guest(&self, spec: &GuestSpec) -> Result<()> {
        self.define_guest(spec)?;
        let host = self.host(&spec.host)?;
        match spec.persistence {
            Persistence::Defined => host.virsh(&["start", &spec.name])?,
            Persistence::Transient => {
                host.virsh(&["create", &self.layout().guest(&spec.name, "xml").to_string_lossy()])?
            }
        };
        self.wait_for_counter(&spec.name, 1, PATIENCE).map(drop)
    }

    /// Waits until a guest's counter is at least that high on any host, and returns it.
    pub fn wait_for_counter(&self, guest: &str, at_least: u32, within: Duration) -> Result<u32> {
        let folders: Vec<_> = self.hosts().iter().map(|host| self.layout().host(host.name()).serials()).collect();
        process::until_files(&folders, &format!("{guest} counting to {at_least}"), within, || {
            self.latest_counter(guest).filter(|value| *value >= at_least)
        })
    }

    /// The highest value that a guest printed on any host.
    pub fn latest_counter(&self, guest: &str) -> Option<u32> {
        let logs: Vec<String> = self.hosts().iter().map(|host| host.serial(guest)).collect();
        counter::latest(logs.iter().map(String::as_str))
    }

    /// Waits until a guest has counted on for three lines (else it is lost) and judges everything that it ever printed:
    /// a second copy needs that long to show.
    pub fn check_counter(&self, guest: &str) -> Result<CounterReport> {
        self.check_counter_within(guest, LIVENESS)
    }

    /// The same for who knows how long the guest may stand still.
    pub fn check_counter_within(&self, guest: &str, patience: Duration) -> Result<CounterReport> {
        let every = u32::from(self.guest_spec(guest)?.print_every_ticks);
        let fault = |source| LabError::Counter { guest: guest.to_owned(), source };
        let before = self.latest_counter(guest).ok_or_else(|| fault(CounterFault::Silent))?;
        match self.wait_for_counter(guest, before + 3 * every, patience) {
            Err(LabError::Timeout { .. }) => Err(fault(CounterFault::Lost { last: before })),
            Err(error) => Err(error),
            Ok(_) => self.judge_counter(guest),
        }
    }

    /// Judges what a guest printed so far; it need not run.
    pub fn judge_counter(&self, guest: &str) -> Result<CounterReport> {
        let every = u32::from(self.guest_spec(guest)?.print_every_ticks);
        let hosts = self.hosts();
        let logs: Vec<(&str, String)> = hosts.iter().map(|host| (host.name(), host.serial(guest))).collect();
        let logs: Vec<(&str, &str)> = logs.iter().map(|(host, text)| (*host, text.as_str())).collect();
        counter::judge(&logs, every).map_err(|source| LabError::Counter { guest: guest.to_owned(), source })
    }

    /// What a guest was made from.
    pub fn guest_spec(&self, guest: &str) -> Result<GuestSpec> {
        let path = self.layout().guest(guest, "json");
        let text = fs::read(&path).map_err(|_| LabError::NoGuest(guest.to_owned()))?;
        serde_json::from_slice(&text).map_err(|source| LabError::State { path, source })
    }

    fn make_disk(&self, spec: &GuestSpec, host: &Host) -> Result<()> {
        let folder = match spec.disk {
            DiskPlace::Shared => self.shared_store(),
            DiskPlace::Local => host.images(),
            DiskPlace::None if spec.program == Program::Linux => return Ok(()),
            DiskPlace::None => return Err(LabError::Spec("a tick guest boots from its disk and needs one".to_owned())),
        };
        let first_sector = match spec.program {
            Program::Tick { working_set_mib, dirty_pages_per_tick } => {
                tick::boot_sector(&self.spec().cache, working_set_mib, dirty_pages_per_tick, spec.print_every_ticks)?
            }
            Program::Linux => Vec::new(),
        };
        write_image(&folder.join(format!("{}.img", spec.name)), &first_sector, spec.disk_mib)
    }
}

fn write_image(path: &Path, first_sector: &[u8], mib: u32) -> Result<()> {
    use std::io::Write;
    let written = File::create(path).and_then(|mut file| {
        file.write_all(first_sector)?;
        file.set_len(u64::from(mib.max(1)) << 20)
    });
    written.attempt(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(spec: &GuestSpec, path: &[&str]) -> Vec<String> {
        let xml = spec.xml();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let matches = |node: &roxmltree::Node<'_, '_>| {
            let names: Vec<_> = node.ancestors().filter(|n| n.is_element()).map(|n| n.tag_name().name()).collect();
            names.iter().rev().eq(path.iter())
        };
        let found = document.descendants().filter(|node| node.is_element() && matches(node));
        found.map(|node| document.input_text()[node.range()].to_owned()).collect()
    }

    #[test]
    fn a_shared_and_a_local_disk_have_different_sources() {
        let shared = GuestSpec::tick("g1");
        let local = GuestSpec { disk: DiskPlace::Local, ..shared.clone() };
        let source = ["domain", "devices", "disk", "source"];
        assert_eq!(texts(&shared, &source), ["<source file='/srv/shared/g1.img'/>"]);
        assert_eq!(texts(&local, &source), ["<source file='/var/lib/libvirt/images/g1.img'/>"]);
    }

    #[test]
    fn extra_elements_end_up_where_libvirt_looks_for_them() {
        let spec = GuestSpec {
            cpu_xml: "<cpu><model>Westmere</model></cpu>".to_owned(),
            devices_xml: "<interface type='bridge'><source bridge='br0'/></interface>".to_owned(),
            ..GuestSpec::tick("g1")
        };
        assert_eq!(texts(&spec, &["domain", "cpu", "model"]), ["<model>Westmere</model>"]);
        assert_eq!(texts(&spec, &["domain", "devices", "interface", "source"]), ["<source bridge='br0'/>"]);
    }

    #[test]
    fn a_hard_limit_is_named_where_one_is_asked_for() {
        let none = GuestSpec::tick("g1");
        let path = ["domain", "memtune", "hard_limit"];
        assert_eq!(texts(&none, &path), Vec::<String>::new());
        let limited = GuestSpec { hard_limit_kib: Some(8192), ..none };
        assert_eq!(texts(&limited, &path), ["<hard_limit unit='KiB'>8192</hard_limit>"]);
    }

    #[test]
    fn a_firmware_in_flash_has_its_variables_in_a_file_of_the_host() {
        let rom = GuestSpec::tick("g1");
        assert_eq!((rom.variables(), texts(&rom, &["domain", "os", "nvram"])), (None, vec![]));
        let flash = GuestSpec { firmware: Firmware::Flash, ..rom };
        let made = "<nvram template='/usr/share/seabios/bios-256k.bin'>/var/lib/libvirt/qemu/nvram/g1_VARS.fd</nvram>";
        assert_eq!(texts(&flash, &["domain", "os", "nvram"]), [made]);
        assert_eq!(texts(&flash, &["domain", "os", "boot"]), ["<boot dev='hd'/>"]);
    }

    #[test]
    fn a_linux_guest_boots_its_kernel_and_has_no_disk() {
        let spec = GuestSpec::linux("demo");
        assert_eq!(texts(&spec, &["domain", "devices", "disk"]), Vec::<String>::new());
        assert_eq!(texts(&spec, &["domain", "os", "kernel"]), ["<kernel>/srv/shared/boot/vmlinuz</kernel>"]);
    }
}
