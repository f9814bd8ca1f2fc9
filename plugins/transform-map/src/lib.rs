//! What is called otherwise on the destination: a site names it once, and every migration carries it over.
//!
//! | setting | meaning |
//! |---|---|
//! | `bridges` | name of a bridge: its name on the destination |
//! | `networks` | name of a libvirt network: its name on the destination |
//! | `paths` | folder: the folder on the destination; for disks and for files behind character devices, the longest one that fits |
//! | `emulators` | path of an emulator: its path on the destination |
//! | `loaders` | path of a firmware image: its path on the destination |
//! | `cpus` | CPUs that threads are pinned to, as libvirt writes them (`0-3`): the CPUs of the destination |
//! | `nodes` | NUMA nodes of the memory, likewise: the nodes of the destination |
//! | `on_crash` | what becomes of the domain when its guest crashes: `destroy`, `restart`, ... |
//! | `console` | `"address"`: a console that listens on an address of the source listens on the destination's of the same place in `addresses` |
//! | `title` | the title that the domain gets |
//! | `metadata` | namespace URI: the element that the domain gets, as XML |
//! | `destinations` | name of a host: settings for that destination, which come before the others |

mod settings;

use waypost_plugin::{
    DomainFacts, Edit, EditChange, HostFacts, Transform, TransformRequest, export_transform, settings,
};

use settings::{Names, Rules};

/// The policy.
pub struct Map;

impl Transform for Map {
    fn rewrite(_: &TransformRequest, domain: &DomainFacts, source: &HostFacts, there: &HostFacts) -> Vec<Edit> {
        // Settings that can't be read were refused before anybody asked.
        let Ok(settings) = Rules::read(&settings()) else { return Vec::new() };
        let case = Case { settings: &settings, domain, source, there };
        [case.interfaces(), case.paths(), case.programs(), case.places(), case.console(), case.notes()].concat()
    }

    fn validate_settings(text: &str) -> Result<(), String> {
        Rules::read(text).map(|_| ())
    }
}

struct Case<'a> {
    settings: &'a Rules,
    domain: &'a DomainFacts,
    source: &'a HostFacts,
    there: &'a HostFacts,
}

impl Case<'_> {
    /// The rules for this destination: its own first.
    fn rules(&self) -> impl Iterator<Item = &Rules> {
        let own = self.settings.destinations.iter().find(|(host, _)| host == self.there.name());
        own.map(|(_, rules)| rules).into_iter().chain([self.settings])
    }

    fn mapped(&self, name: &str, of: fn(&Rules) -> &Names) -> Option<String> {
        self.rules().find_map(|rules| of(rules).iter().find(|(from, _)| from == name)).map(|(_, to)| to.clone())
    }

    fn called(&self, name: &str) -> String {
        format!("what is called {name} here is called otherwise on {}", self.there.name())
    }

    fn interfaces(&self) -> Vec<Edit> {
        let edit = |interface: &waypost_plugin::types::NetworkInterface| {
            let mac = interface.mac.as_deref()?;
            // Of a running domain libvirt shows the network and the bridge that it came to.
            match (interface.network.as_deref(), interface.kind.as_str(), interface.bridge.as_deref()) {
                (Some(name), ..) => {
                    Some(Edit::network(mac, self.mapped(name, |rules| &rules.networks)?, self.called(name)))
                }
                (None, "bridge", Some(name)) => {
                    Some(Edit::bridge(mac, self.mapped(name, |rules| &rules.bridges)?, self.called(name)))
                }
                _ => None,
            }
        };
        self.domain.network_interfaces().iter().filter_map(edit).collect()
    }

    /// The path on the destination, and the folder that was mapped.
    fn moved(&self, path: &str) -> Option<(String, String)> {
        self.rules().find_map(|rules| {
            let below = |(from, to): &(String, String)| {
                let rest = path.strip_prefix(from.as_str())?;
                rest.starts_with('/').then(|| (from.len(), format!("{to}{rest}"), from.clone()))
            };
            let (_, moved, from) = rules.paths.iter().filter_map(below).max_by_key(|(length, ..)| *length)?;
            Some((moved, from))
        })
    }

    fn paths(&self) -> Vec<Edit> {
        let disks = self.domain.disks().iter().filter(|disk| matches!(disk.kind.as_str(), "file" | "block"));
        let disks = disks.filter_map(|disk| {
            let (path, from) = self.moved(disk.source.as_deref()?)?;
            Some(Edit::disk(&disk.target, path, self.called(&from)))
        });
        let mut edits: Vec<Edit> = disks.collect();
        let devices = self.domain.character_devices();
        for (at, device) in devices.iter().enumerate() {
            let before = devices[..at].iter().filter(|other| other.device == device.device).count();
            let index = u32::try_from(before).unwrap_or(u32::MAX);
            let moved = device.path.as_deref().filter(|_| matches!(device.kind.as_str(), "file" | "unix" | "pipe"));
            if let Some((path, from)) = moved.and_then(|path| self.moved(path)) {
                edits.push(Edit::character(&device.device, index, path, self.called(&from)));
            }
        }
        edits
    }

    fn programs(&self) -> Vec<Edit> {
        let emulator = self.domain.emulator().and_then(|path| {
            let to = self.mapped(path, |rules| &rules.emulators)?;
            Some(Edit::of(EditChange::Emulator(to), self.called(path)))
        });
        let loader = self.domain.firmware().loader.as_deref().and_then(|path| {
            let to = self.mapped(path, |rules| &rules.loaders)?;
            Some(Edit::of(EditChange::Loader(to), self.called(path)))
        });
        emulator.into_iter().chain(loader).collect()
    }

    fn places(&self) -> Vec<Edit> {
        let pins = self.domain.pins().iter().filter_map(|pin| {
            let to = self.mapped(&pin.cpus, |rules| &rules.cpus)?;
            Some(Edit::pin(&pin.threads, Some(to), self.called(&pin.cpus)))
        });
        let nodes = self.domain.memory_nodes().and_then(|nodes| {
            let to = self.mapped(nodes, |rules| &rules.nodes)?;
            Some(Edit::of(EditChange::MemoryNodes(Some(to)), self.called(nodes)))
        });
        pins.chain(nodes).collect()
    }

    fn console(&self) -> Vec<Edit> {
        if !self.rules().any(|rules| rules.console) {
            return Vec::new();
        }
        let edit = |graphics: &waypost_plugin::types::Graphics| {
            let [address] = &graphics.listen[..] else { return None };
            let at = self.source.addresses().iter().position(|own| own == address)?;
            let to = self.there.addresses().get(at)?;
            let reason = format!("{address} is an address of {}", self.source.name());
            Some(Edit::listen(&graphics.kind, to, reason))
        };
        self.domain.graphics().iter().filter(|graphics| graphics.socket.is_none()).filter_map(edit).collect()
    }

    fn notes(&self) -> Vec<Edit> {
        let wanted = || format!("the site wants it of domains on {}", self.there.name());
        let title = self.rules().find_map(|rules| rules.title.clone());
        let mut edits: Vec<Edit> =
            title.map(|title| Edit::of(EditChange::Title(Some(title)), wanted())).into_iter().collect();
        let on_crash = self.rules().find_map(|rules| rules.on_crash.clone());
        edits.extend(on_crash.map(|word| Edit::of(EditChange::OnCrash(word), wanted())));
        let mut seen: Vec<&str> = Vec::new();
        for (namespace, element) in self.rules().flat_map(|rules| &rules.metadata) {
            if !seen.contains(&namespace.as_str()) {
                seen.push(namespace);
                edits.push(Edit::metadata(namespace, Some(element.clone()), wanted()));
            }
        }
        edits
    }
}

export_transform!(Map);

#[cfg(test)]
mod tests;
