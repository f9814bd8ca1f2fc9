//! How a transform policy says what it edits: one constructor per change.

use crate::bindings::transform::exports::waypost::transform::rewrite::{
    CharacterPath, CpuPin, DiskSource, GraphicsListen, GraphicsPort, InterfaceSource, Metadata,
};
use crate::{Edit, EditChange};

impl Edit {
    /// An edit. Say why: the reason is shown beside it.
    pub fn of(change: EditChange, reason: impl Into<String>) -> Self {
        Self { change, reason: reason.into() }
    }

    /// The disk of that target is found at this path.
    pub fn disk(target: &str, path: impl Into<String>, reason: impl Into<String>) -> Self {
        let to = DiskSource { target: target.to_owned(), path: Some(path.into()) };
        Self::of(EditChange::DiskSource(to), reason)
    }

    /// The medium of a CD-ROM or floppy is taken out.
    pub fn eject(target: &str, reason: impl Into<String>) -> Self {
        Self::of(EditChange::DiskSource(DiskSource { target: target.to_owned(), path: None }), reason)
    }

    /// The interface of that MAC address hangs on this bridge.
    pub fn bridge(mac: &str, bridge: impl Into<String>, reason: impl Into<String>) -> Self {
        let to = InterfaceSource { mac: mac.to_owned(), name: bridge.into() };
        Self::of(EditChange::InterfaceBridge(to), reason)
    }

    /// The interface of that MAC address hangs on this libvirt network.
    pub fn network(mac: &str, network: impl Into<String>, reason: impl Into<String>) -> Self {
        let to = InterfaceSource { mac: mac.to_owned(), name: network.into() };
        Self::of(EditChange::InterfaceNetwork(to), reason)
    }

    /// The console of that kind (`vnc`, `spice`) listens on this IP address.
    pub fn listen(kind: &str, address: impl Into<String>, reason: impl Into<String>) -> Self {
        let to = GraphicsListen { kind: kind.to_owned(), address: address.into() };
        Self::of(EditChange::GraphicsListen(to), reason)
    }

    /// The console of that kind listens at this port, 1 to 65535; none: libvirt chooses one.
    pub fn port(kind: &str, port: Option<u16>, reason: impl Into<String>) -> Self {
        Self::of(EditChange::GraphicsPort(GraphicsPort { kind: kind.to_owned(), port }), reason)
    }

    /// The n-th character device of that sort (`serial`, ...), from 0, is backed by this path.
    pub fn character(device: &str, index: u32, path: impl Into<String>, reason: impl Into<String>) -> Self {
        let to = CharacterPath { device: device.to_owned(), index, path: path.into() };
        Self::of(EditChange::CharacterPath(to), reason)
    }

    /// These threads (`vcpu 0`, `emulator`, `iothread 1`) run on these CPUs only, as `0-3,8`; none: the pin goes.
    pub fn pin(threads: &str, cpus: Option<String>, reason: impl Into<String>) -> Self {
        let to = CpuPin { threads: threads.to_owned(), cpus };
        Self::of(EditChange::CpuPin(to), reason)
    }

    /// The metadata element of that namespace is this one, as XML; none: it is removed.
    pub fn metadata(namespace: &str, element: Option<String>, reason: impl Into<String>) -> Self {
        let to = Metadata { namespace: namespace.to_owned(), element };
        Self::of(EditChange::Metadata(to), reason)
    }
}
