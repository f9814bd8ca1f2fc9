//! Throw-away libvirt hosts on this machine, for trying and for tests.
//!
//! Every host is a real libvirtd with real QEMU processes (TCG, no KVM needed) in network, mount, UTS, IPC and process
//! namespaces of its own. Hosts share one store, have a second one under a path that is the same everywhere but leads to
//! different directories, and are connected by a management and a migration network. A libvirt that the machine itself
//! runs is neither seen nor touched. Root is needed, or a plain user with a range of subordinate ids (then without
//! post-copy). Product code never uses this crate: it reaches hosts by libvirt URIs, these included.
//!
//! ```no_run
//! use waypost_lab::{GuestSpec, Lab, LabSpec};
//!
//! let lab = Lab::up(&LabSpec::new(2, "/tmp/lab"))?;
//! lab.start_guest(&GuestSpec::tick("g1"))?;
//! let destination = lab.host("kvm2")?.uri_peer();
//! lab.host("kvm1")?.virsh(&["migrate", "--live", "--p2p", "g1", &destination])?;
//! println!("{:?}", lab.check_counter("g1")?);
//! lab.down()?;
//! # Ok::<(), waypost_lab::LabError>(())
//! ```
//!
//! In reading order: [`LabSpec`] says what a lab looks like, [`requirements`] whether it can run here, [`Lab`] brings it
//! up, finds it again and takes it down, [`Host`] is one machine in it, [`GuestSpec`] what runs there, [`Relay`] a bad
//! way between hosts, and [`counter`] judges what became of a guest.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod spec;

mod requirements;

mod lab;

mod host;

mod guest;

mod relay;

pub mod counter;

mod error;

// Helpers, in the order in which bringing a lab up needs them.
mod layout;

mod process;

mod privilege;

mod pki;

mod ssh;

mod config;

mod capabilities;

mod tick;

mod linux;

pub use counter::{CounterFault, CounterReport, Segment};
pub use error::{LabError, Result};
pub use guest::{DiskPlace, Firmware, GuestSpec, Persistence, Program, SPIN};
pub use host::{Host, InterfaceBytes};
pub use lab::{HostStatus, Lab, LabStatus};
pub use layout::{LOCAL, Link, SHARED};
pub use relay::Relay;
pub use requirements::{Missing, linux_guest_requirements, requirements, sasl_requirements, ssh_requirements};
pub use spec::{Keepalive, LabSpec, Owner, SshAccess, TcpAuth, default_cache};
