//! From libvirt's documents and numbers to the core's facts, one file per subject. These conversions live here and
//! nowhere else; nothing in here talks to a host.

pub(crate) mod abilities;
mod capabilities;
mod devices;
mod disks;
mod domain;
mod job;
mod network;
mod pool;
mod secrets;
pub(crate) mod threads;
mod words;
pub(crate) mod xml;

pub(crate) use capabilities::{Capabilities, capabilities, host_uuid};
pub(crate) use disks::{DiskSource, backing_of_volume, disks, names_volume, volume};
pub(crate) use domain::{Numbers, domain};
pub(crate) use job::{active_job, is_migration, other_job, sample, stage};
pub(crate) use network::{interface, network, node_device};
pub(crate) use pool::pool;
pub(crate) use secrets::without_secrets;
pub(crate) use words::{block_job_kind, disk_error, domain_state, lifecycle, state_reason};
pub(crate) use xml::escaped;
