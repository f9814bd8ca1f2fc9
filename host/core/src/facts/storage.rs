//! Facts of storage: a domain's disks, a host's pools, and how one looks from the other.

use uuid::Uuid;

use crate::facts;

facts! {
    /// A disk, CD-ROM or floppy of a domain.
    pub struct Disk {
        /// Target in the guest: `vda`, `sdb`; unique in a domain.
        pub target: String,
        /// `virtio`, `scsi`, `sata`, ...
        pub bus: Option<String>,
        /// `disk`, `cdrom`, `floppy`, `lun`.
        pub device: String,
        /// Type of the source: `file`, `block`, `dir`, `network`, `volume`, `nvme`, `vhostuser`, `vhostvdpa`.
        pub kind: String,
        /// Path, or name of the network volume; none for an empty drive.
        pub source: Option<String>,
        /// `raw`, `qcow2`, ...
        pub format: Option<String>,
        /// Cache mode: `none`, `directsync`, `writeback`, ...; none is the hypervisor's default.
        pub cache: Option<String>,
        /// Shareable between domains.
        pub shareable: bool,
        /// Read-only.
        pub read_only: bool,
        /// Changes are thrown away at shut-off.
        pub transient: bool,
        /// `mandatory`, `requisite`, `optional`: what happens if the source is missing.
        pub startup_policy: Option<String>,
        /// Protocol of a network source: `rbd`, `iscsi`, `nbd`, `gluster`, `nfs`, ...
        pub protocol: Option<String>,
        /// Servers of a network source, `name:port` or a socket path.
        pub servers: Vec<String>,
        /// Pool that holds it, where resolvable on the source.
        pub pool: Option<String>,
        /// Volume in that pool.
        pub volume: Option<String>,
        /// Encrypted.
        pub encrypted: bool,
        /// Backing chain, nearest first.
        pub backing: Vec<BackingLayer>,
        /// Virtual size.
        pub capacity_bytes: Option<u64>,
        /// Bytes in use on the host.
        pub allocation_bytes: Option<u64>,
    }

    /// One image behind a disk.
    pub struct BackingLayer {
        /// `file`, `block`, `network`.
        pub kind: String,
        /// Path or name.
        pub source: Option<String>,
        /// Format.
        pub format: Option<String>,
        /// Bytes in use on the host; none where no pool there has it.
        pub allocation_bytes: Option<u64>,
    }

    /// A storage pool.
    pub struct Pool {
        /// Name on this host.
        pub name: String,
        /// UUID of the definition on this host: it says nothing of the store behind it.
        pub uuid: Uuid,
        /// `dir`, `fs`, `netfs`, `logical`, `disk`, `iscsi`, `scsi`, `mpath`, `rbd`, `gluster`, `zfs`, ...
        pub kind: String,
        /// Started.
        pub active: bool,
        /// What the pool is made of.
        pub source: PoolSource,
        /// Where its volumes appear on the host.
        pub target: Option<String>,
        /// Size of the store.
        pub capacity_bytes: u64,
        /// In use.
        pub allocation_bytes: u64,
        /// Free.
        pub available_bytes: u64,
        /// Its volumes, where they were asked for; none if nobody asked.
        pub volumes: Option<Vec<Volume>>,
    }

    /// The identity of a store, as far as the pool's definition tells.
    pub struct PoolSource {
        /// Servers, `name` or `name:port`.
        pub hosts: Vec<String>,
        /// Exported directory.
        pub dir: Option<String>,
        /// Devices.
        pub devices: Vec<String>,
        /// Name: of a volume group, an RBD pool, a gluster volume.
        pub name: Option<String>,
        /// Format: `nfs`, `glusterfs`, `lvm2`, ...
        pub format: Option<String>,
        /// iSCSI initiator, adapter or another detail.
        pub adapter: Option<String>,
    }

    /// A volume of a pool.
    pub struct Volume {
        /// Name.
        pub name: String,
        /// Key: unique on the host, often the path.
        pub key: String,
        /// Path.
        pub path: String,
        /// `file`, `block`, `dir`, `network`, ...
        pub kind: String,
        /// Format.
        pub format: Option<String>,
        /// Virtual size.
        pub capacity_bytes: u64,
        /// In use.
        pub allocation_bytes: u64,
        /// Inode change time as libvirt tells it, `seconds.nanoseconds`: differs between two files that merely share a path.
        pub changed: Option<String>,
    }

    /// What one host sees at the path of one disk of the domain.
    pub struct DiskView {
        /// Target of the disk.
        pub target: String,
        /// The path or name that was looked up.
        pub source: String,
        /// Pool of this host that holds it; none where no pool does.
        pub pool: Option<String>,
        /// The volume that is there; none where the pool holds nothing under that name.
        pub volume: Option<Volume>,
    }

    /// What the shared-storage probe found for a pair of pools.
    pub struct StorageProof {
        /// Pool on the source.
        pub source_pool: String,
        /// Pool on the destination.
        pub destination_pool: String,
        /// A volume made on the destination was seen from the source.
        pub shared: bool,
    }
}

impl PoolSource {
    /// Whether the definition names a store that other hosts can name too (a server, or a cluster-wide name).
    pub fn names_a_store(&self) -> bool {
        !self.hosts.is_empty()
    }
}
