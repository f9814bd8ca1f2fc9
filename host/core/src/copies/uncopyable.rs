//! Why a disk can't be copied, and what a person has to do about it.

use thiserror::Error;

use crate::ids::HostName;

/// Why a disk that was asked for can't be copied. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Uncopyable {
    /// No such disk.
    #[error("the domain has no disk {0}: `virsh domblklist DOMAIN` on its host lists the targets of its disks")]
    NoSuchDisk(String),
    /// Its kind, a property, or its state stands against it.
    #[error("disk {disk} can't be copied: {why}")]
    Kind {
        /// Target.
        disk: String,
        /// Reason and remedy.
        why: &'static str,
    },
    /// Something can't be read.
    #[error(
        "disk {disk} can't be copied: its {what} is not known; define a storage pool over its folder on the source"
    )]
    Unread {
        /// Target.
        disk: String,
        /// What.
        what: &'static str,
    },
    /// No pool of the destination holds the path.
    #[error(
        "disk {disk} can't be copied: no active pool on {host} has the folder of {path} as its target; define one there: \
         virsh pool-define-as NAME dir --target FOLDER, virsh pool-start NAME"
    )]
    NoPool {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// Path.
        path: String,
    },
    /// The pool can't hold such a volume.
    #[error(
        "disk {disk} can't be copied: pool {pool} of {host} is of the kind {lacks} volumes; copy it incrementally over one \
         that you made there"
    )]
    PoolKind {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// Pool.
        pool: String,
        /// Its kind, and what it lacks: `iscsi, which makes no raw`.
        lacks: String,
    },
    /// The pool has less room than what is copied there takes.
    #[error(
        "disk {disk} can't be copied: with it, what is copied to pool {pool} of {host} takes {needed} bytes, and {free} are \
         left there"
    )]
    NoRoom {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// Pool.
        pool: String,
        /// What it takes and the disks before it, bytes.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The destination has the same store: the copy would be written over the disk itself.
    #[error(
        "disk {disk} must not be copied: {host} has the same storage ({why}), so the copy would be the disk itself"
    )]
    Shared {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// How it is known.
        why: &'static str,
    },
    /// Something is there.
    #[error(
        "disk {disk} can't be copied: there is something at {path} on {host} already, and nothing is ever written over; \
         move it away, or copy incrementally if it is the prepared target"
    )]
    Taken {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// Path.
        path: String,
    },
    /// Nothing is there, and something should be.
    #[error(
        "disk {disk} can't be copied incrementally: nothing is at {path} on {host}; make the target there first, with the \
         same size, format and backing image"
    )]
    NoTarget {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// Path.
        path: String,
    },
    /// What is there doesn't fit.
    #[error("disk {disk} can't be copied incrementally: the {what} of {path} on {host} is {}, and not {}", .sides.1, .sides.0)]
    Unlike {
        /// Target.
        disk: String,
        /// Destination.
        host: HostName,
        /// Path.
        path: String,
        /// `size`, `format`.
        what: &'static str,
        /// That of the source, and that of the prepared target.
        sides: Box<(String, String)>,
    },
}

impl Uncopyable {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoSuchDisk(_) => {
                "name disks by their targets: `virsh domblklist DOMAIN` on its host lists them".to_owned()
            }
            Self::Kind { disk, .. } => {
                format!("leave disk {disk} out of those that are copied, or change what stands against it")
            }
            Self::Unread { .. } => "define a storage pool over its folder on the source".to_owned(),
            Self::NoPool { host, .. } => {
                format!("define and start a pool on {host} whose target is the folder of the disk")
            }
            Self::PoolKind { .. } => "make the volume there yourself, and copy incrementally over it".to_owned(),
            Self::NoRoom { host, pool, .. } => {
                format!("make room in pool {pool} of {host}, or name another destination")
            }
            Self::Shared { disk, .. } => {
                format!("leave disk {disk} out of those that are copied: the destination has it")
            }
            Self::Taken { host, path, .. } => {
                format!("move {path} on {host} away, or copy incrementally if it is the prepared target")
            }
            Self::NoTarget { host, path, .. } => {
                format!("make {path} on {host} with the same size, format and backing image, or copy the disk whole")
            }
            Self::Unlike { host, path, .. } => {
                format!("make {path} on {host} anew as the source's image is, or move it away and copy the disk whole")
            }
        }
    }
}
