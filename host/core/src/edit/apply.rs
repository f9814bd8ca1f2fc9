//! The domain as it will arrive: its facts with the edits made. The prechecks judge this one.

use super::resolve::names_of;
use super::{AUTO, BRIDGE, Edit, EditKind, Edits, NETWORK};
use crate::facts::{DomainFacts, Metadata, Pin};

impl Edits {
    /// The facts of the domain with all edits made. An edit of a device that isn't there changes nothing.
    pub fn applied(&self, domain: &DomainFacts) -> DomainFacts {
        let mut there = domain.clone();
        for edit in &self.0 {
            apply(edit, &mut there);
        }
        there
    }
}

fn apply(edit: &Edit, domain: &mut DomainFacts) {
    let after = edit.after.clone();
    let device = edit.device.as_deref().unwrap_or_default();
    match edit.kind {
        EditKind::DiskSource => {
            for disk in domain.disks.iter_mut().filter(|disk| disk.target == device) {
                disk.source.clone_from(&after);
            }
        }
        EditKind::InterfaceSource => {
            let (bridge, network) = match after.as_deref() {
                Some(text) => (text.strip_prefix(BRIDGE), text.strip_prefix(NETWORK)),
                None => (None, None),
            };
            for interface in domain.interfaces.iter_mut().filter(|there| there.mac.as_deref() == edit.device.as_deref())
            {
                interface.kind = if network.is_some() { "network" } else { "bridge" }.to_owned();
                interface.bridge = bridge.map(str::to_owned);
                interface.network = network.map(str::to_owned);
                interface.portgroup = None;
            }
        }
        EditKind::GraphicsListen => {
            for graphics in domain.graphics.iter_mut().filter(|graphics| graphics.kind == device) {
                graphics.listen = after.iter().cloned().collect();
            }
        }
        EditKind::GraphicsPort => {
            for graphics in domain.graphics.iter_mut().filter(|graphics| graphics.kind == device) {
                graphics.autoport = after.as_deref() == Some(AUTO);
                graphics.port = after.as_deref().and_then(|port| port.parse().ok());
            }
        }
        EditKind::CharacterPath => {
            let at = names_of(&domain.character_devices).iter().position(|(name, _)| name == device);
            if let Some(there) = at.and_then(|at| domain.character_devices.get_mut(at)) {
                there.path = after;
            }
        }
        EditKind::CpuPin => {
            domain.pins.retain(|pin| pin.threads != device);
            domain.pins.extend(after.map(|cpus| Pin { threads: device.to_owned(), cpus }));
        }
        EditKind::MemoryNodes => domain.memory_nodes = after,
        EditKind::OnPoweroff => domain.on_poweroff = after,
        EditKind::OnReboot => domain.on_reboot = after,
        EditKind::OnCrash => domain.on_crash = after,
        EditKind::Emulator => domain.emulator = after,
        EditKind::Loader => domain.firmware.loader = after,
        EditKind::Title => domain.title = after,
        EditKind::Description => domain.description = after,
        EditKind::Metadata => {
            domain.metadata.retain(|element| element.namespace != device);
            domain.metadata.extend(after.map(|xml| Metadata { namespace: device.to_owned(), xml }));
        }
    }
}
