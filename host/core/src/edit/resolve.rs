//! From what a policy proposes to edits: every named device is there and can be edited, every value can stand there.

use std::net::IpAddr;

use thiserror::Error;

use super::{AUTO, BRIDGE, Edit, EditKind, Edits, NETWORK, Proposal, cpus, place};
use crate::facts::{CharacterDevice, DomainFacts, Graphics, Interface};
use crate::ids::PluginName;
use crate::{network, notice};

/// Bytes of a path, a name or an address.
const SHORT_BYTES: usize = 4096;
/// Bytes of a description or a metadata element.
const LONG_BYTES: usize = 65_536;

/// What can become of a domain whose guest ends.
const LIFECYCLE: [&str; 4] = ["destroy", "restart", "preserve", "rename-restart"];
/// What else where the guest crashed.
const CRASH: [&str; 2] = ["coredump-destroy", "coredump-restart"];

/// Why an edit can't be made. Each names the place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// No such device.
    #[error("{place}: the domain has no such device; it has: {has}")]
    NoDevice {
        /// Place.
        place: String,
        /// What there is.
        has: String,
    },
    /// The device can't be edited so.
    #[error("{place}: {why}")]
    Unfit {
        /// Place.
        place: String,
        /// Why not.
        why: String,
    },
    /// The value can't stand there.
    #[error("{place}: {value:?} can't stand there: {why}")]
    Value {
        /// Place.
        place: String,
        /// Value; none: nothing.
        value: Option<String>,
        /// What can.
        why: &'static str,
    },
    /// The policy contradicts itself.
    #[error("{0}: the policy edits it twice")]
    Twice(String),
}

/// The edits that a policy proposes for a domain, if all of them can be made: half an answer is none. What is as it
/// should be already is left out.
pub fn resolve(plugin: &PluginName, domain: &DomainFacts, proposals: &[Proposal]) -> Result<Vec<Edit>, EditError> {
    let mut edits = Vec::<Edit>::new();
    let mut seen: Vec<(EditKind, Option<String>)> = Vec::new();
    for proposal in proposals {
        let Proposal { kind, device, after, reason } = proposal.clone();
        // libvirt writes MAC addresses in lower case, people as they like.
        let device =
            if kind == EditKind::InterfaceSource { device.map(|mac| mac.to_ascii_lowercase()) } else { device };
        let at = place(kind, device.as_deref());
        if seen.contains(&(kind, device.clone())) {
            return Err(EditError::Twice(at));
        }
        let case = Case { domain, kind, device: device.as_deref(), at: &at };
        let before = case.before(after.as_deref())?;
        case.check(after.as_deref())?;
        let after = match kind {
            EditKind::CpuPin | EditKind::MemoryNodes => after.and_then(|set| cpus::written(&set)),
            _ => after,
        };
        seen.push((kind, device.clone()));
        if before != after {
            edits.push(Edit { plugin: plugin.clone(), kind, device, before, after, reason });
        }
    }
    Ok(edits)
}

impl Edits {
    /// Whether each place still holds what the edits were made on; else which doesn't, and what is there.
    pub fn still_hold(&self, domain: &DomainFacts) -> Result<(), String> {
        for edit in &self.0 {
            let case = Case { domain, kind: edit.kind, device: edit.device.as_deref(), at: &edit.place() };
            let now = case.before(edit.after.as_deref()).map_err(|error| edit.refused(&error.to_string()))?;
            if now != edit.before {
                return Err(edit.outdated("it is", now.as_deref()));
            }
        }
        Ok(())
    }
}

struct Case<'a> {
    domain: &'a DomainFacts,
    kind: EditKind,
    device: Option<&'a str>,
    at: &'a str,
}

impl Case<'_> {
    fn unfit<T>(&self, why: impl Into<String>) -> Result<T, EditError> {
        Err(EditError::Unfit { place: self.at.to_owned(), why: why.into() })
    }

    fn no_device(&self, has: Vec<String>) -> EditError {
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        EditError::NoDevice { place: self.at.to_owned(), has }
    }

    /// What stands there now.
    fn before(&self, after: Option<&str>) -> Result<Option<String>, EditError> {
        let domain = self.domain;
        Ok(match self.kind {
            EditKind::DiskSource => self.disk(after)?,
            EditKind::InterfaceSource => Some(self.interface()?),
            EditKind::GraphicsListen => {
                let graphics = self.graphics()?;
                if graphics.socket.is_some() || graphics.listen.len() != 1 {
                    return self.unfit("it does not listen on one address");
                }
                graphics.listen.first().cloned()
            }
            EditKind::GraphicsPort => {
                let graphics = self.graphics()?;
                match graphics.port {
                    _ if graphics.socket.is_some() => return self.unfit("it listens on a socket"),
                    _ if graphics.autoport => Some(AUTO.to_owned()),
                    port => port.map(|port| port.to_string()),
                }
            }
            EditKind::CharacterPath => self.character()?.path.clone(),
            EditKind::Emulator => domain.emulator.clone(),
            EditKind::Loader if domain.firmware.loader.is_none() => {
                return self.unfit("the domain names no loader image");
            }
            EditKind::Loader => domain.firmware.loader.clone(),
            EditKind::CpuPin => self.pin()?,
            EditKind::MemoryNodes => domain.memory_nodes.clone(),
            EditKind::OnPoweroff => domain.on_poweroff.clone(),
            EditKind::OnReboot => domain.on_reboot.clone(),
            EditKind::OnCrash => domain.on_crash.clone(),
            EditKind::Title => domain.title.clone(),
            EditKind::Description => domain.description.clone(),
            EditKind::Metadata => {
                let namespace = self.device.unwrap_or_default();
                // Which network a domain takes and who moves it are for others to say.
                if ["", network::NAMESPACE, notice::NAMESPACE].contains(&namespace) {
                    return self.unfit("this namespace is not for policies to edit");
                }
                domain.metadata.iter().find(|element| element.namespace == namespace).map(|element| element.xml.clone())
            }
        })
    }

    fn disk(&self, after: Option<&str>) -> Result<Option<String>, EditError> {
        let disks = &self.domain.disks;
        let found = disks.iter().find(|disk| Some(disk.target.as_str()) == self.device);
        let disk = found.ok_or_else(|| self.no_device(disks.iter().map(|disk| disk.target.clone()).collect()))?;
        let removable = matches!(disk.device.as_str(), "cdrom" | "floppy");
        match (disk.kind.as_str(), &disk.source) {
            (kind, _) if kind != "file" && kind != "block" => {
                self.unfit(format!("it is a disk of the kind {kind}, and only files and block devices have a path"))
            }
            (_, None) if after.is_some() => self.unfit("the drive is empty: a migration brings no medium"),
            (_, Some(_)) if after.is_none() && !removable => self.unfit("only a CD-ROM or a floppy can be taken out"),
            (_, source) => Ok(source.clone()),
        }
    }

    fn interface(&self) -> Result<String, EditError> {
        let mine = |interface: &&Interface| interface.mac.as_deref() == self.device;
        let all = &self.domain.interfaces;
        let found: Vec<_> = all.iter().filter(mine).collect();
        match found[..] {
            [] => Err(self.no_device(all.iter().filter_map(|interface| interface.mac.clone()).collect())),
            [interface] => match (interface.kind.as_str(), &interface.network, &interface.bridge) {
                // Of a running domain libvirt shows also the bridge that the network came to.
                (_, Some(network), _) => Ok(format!("{NETWORK}{network}")),
                ("bridge", None, Some(bridge)) => Ok(format!("{BRIDGE}{bridge}")),
                (kind, ..) => self.unfit(format!("it is an interface of the kind {kind}, neither bridge nor network")),
            },
            _ => self.unfit("several interfaces have this address"),
        }
    }

    fn pin(&self) -> Result<Option<String>, EditError> {
        let vcpus = (0..self.domain.vcpus_max).map(|number| format!("vcpu {number}"));
        let iothreads = self.domain.iothreads.iter().map(|number| format!("iothread {number}"));
        let mut threads = vcpus.chain(["emulator".to_owned()]).chain(iothreads);
        if !threads.any(|name| Some(name.as_str()) == self.device) {
            let last = self.domain.vcpus_max.saturating_sub(1);
            let mut has = vec![format!("vcpu 0 to vcpu {last}"), "emulator".to_owned()];
            has.extend(self.domain.iothreads.iter().map(|number| format!("iothread {number}")));
            return Err(self.no_device(has));
        }
        let pin = self.domain.pins.iter().find(|pin| Some(pin.threads.as_str()) == self.device);
        Ok(pin.map(|pin| pin.cpus.clone()))
    }

    fn graphics(&self) -> Result<&Graphics, EditError> {
        let all = &self.domain.graphics;
        let found = all.iter().find(|graphics| Some(graphics.kind.as_str()) == self.device);
        found.ok_or_else(|| self.no_device(all.iter().map(|graphics| graphics.kind.clone()).collect()))
    }

    fn character(&self) -> Result<&CharacterDevice, EditError> {
        let named = names_of(&self.domain.character_devices);
        let found = named.iter().find(|(name, _)| Some(name.as_str()) == self.device);
        let Some((_, device)) = found else {
            return Err(self.no_device(named.into_iter().map(|(name, _)| name).collect()));
        };
        match device.kind.as_str() {
            "file" | "unix" | "dev" | "pipe" => Ok(device),
            kind => self.unfit(format!("it is backed by {kind}, which has no path that could be chosen")),
        }
    }

    fn check(&self, after: Option<&str>) -> Result<(), EditError> {
        let refuse = |why| {
            let value = after.map(|text| text.chars().take(200).collect());
            Err(EditError::Value { place: self.at.to_owned(), value, why })
        };
        let multiline = matches!(self.kind, EditKind::Description | EditKind::Metadata);
        let most = if multiline { LONG_BYTES } else { SHORT_BYTES };
        let Some(after) = after else {
            return match self.kind {
                EditKind::DiskSource
                | EditKind::Title
                | EditKind::Description
                | EditKind::Metadata
                | EditKind::CpuPin
                | EditKind::MemoryNodes => Ok(()),
                _ => refuse("something has to"),
            };
        };
        if after.trim().is_empty() || after.len() > most {
            return refuse("it is empty or too long");
        }
        if after.chars().any(|c| !in_a_document(c) || (c.is_control() && !multiline)) {
            return refuse("it holds control characters");
        }
        match self.kind {
            EditKind::DiskSource | EditKind::CharacterPath | EditKind::Emulator | EditKind::Loader
                if !after.starts_with('/') =>
            {
                refuse("an absolute path can")
            }
            EditKind::InterfaceSource => {
                let name = after.strip_prefix(BRIDGE).or_else(|| after.strip_prefix(NETWORK));
                match name.filter(|name| !name.is_empty() && !name.contains(['/', ' '])) {
                    Some(_) => Ok(()),
                    None => refuse("the name of a bridge or of a network can"),
                }
            }
            EditKind::GraphicsListen if after.parse::<IpAddr>().is_err() => refuse("an IP address can"),
            EditKind::GraphicsPort if after != AUTO && !after.parse::<u16>().is_ok_and(|port| port > 0) => {
                refuse("1 to 65535 can")
            }
            EditKind::CpuPin | EditKind::MemoryNodes if cpus::written(after).is_none() => {
                refuse("numbers and ranges below 16384, as 0-3,^2,8, can, and not none of them")
            }
            EditKind::OnPoweroff | EditKind::OnReboot if !LIFECYCLE.contains(&after) => {
                refuse("destroy, restart, preserve and rename-restart can")
            }
            EditKind::OnCrash if !LIFECYCLE.contains(&after) && !CRASH.contains(&after) => {
                refuse("destroy, restart, preserve, rename-restart, coredump-destroy and coredump-restart can")
            }
            EditKind::Metadata if !after.starts_with('<') || after.contains("<!") || after.contains("<?") => {
                refuse("one XML element can")
            }
            _ => Ok(()),
        }
    }
}

/// Each character device under the name that edits have for it: `serial 0`.
pub(super) fn names_of(devices: &[CharacterDevice]) -> Vec<(String, &CharacterDevice)> {
    let nth = |at: usize| devices[..at].iter().filter(|other| other.device == devices[at].device).count();
    devices.iter().enumerate().map(|(at, device)| (format!("{} {}", device.device, nth(at)), device)).collect()
}

/// What XML can hold.
fn in_a_document(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}
