//! What transform policies change in the definition of a domain on its way to a destination.
//!
//! An edit names one place of the definition and what stands there before and after. There are only places that a
//! migration may change without the guest noticing: libvirt compares what the guest sees (its ABI) and refuses the rest,
//! and so a policy has no word for the rest. What stands there before is part of the edit: whoever makes it later sees
//! whether the definition is still the one that was thought about.
//!
//! [`resolve`] makes edits of what a policy proposes, [`merge`] puts those of several policies together, and
//! [`Edits::applied`] shows the domain as it will arrive.

mod apply;
mod cpus;
mod resolve;

use std::fmt;

use crate::ids::PluginName;
use crate::{facts, words};

pub use resolve::{EditError, resolve};

words! {
    /// A kind of place.
    pub enum EditKind {
        /// Path of a disk; device: its target. Nothing there: no medium.
        DiskSource = "disk-source",
        /// What an interface hangs on: `bridge NAME` or `network NAME`; device: its MAC address.
        InterfaceSource = "interface-source",
        /// Address of a console for people; device: its kind.
        GraphicsListen = "graphics-listen",
        /// Its port, or `auto`; device: its kind.
        GraphicsPort = "graphics-port",
        /// Path behind a character device; device: `serial 0`.
        CharacterPath = "character-path",
        /// Path of the emulator.
        Emulator = "emulator",
        /// Path of the firmware's loader image.
        Loader = "loader",
        /// Title.
        Title = "title",
        /// Description.
        Description = "description",
        /// A metadata element; device: its namespace URI.
        Metadata = "metadata",
        /// CPUs of the host that threads run on; device: `vcpu 0`, `emulator`, `iothread 1`. Nothing there: not pinned.
        CpuPin = "cpu-pin",
        /// NUMA nodes of the host that hold the memory, or `auto`.
        MemoryNodes = "memory-nodes",
        /// What becomes of the domain when its guest powers off.
        OnPoweroff = "on-poweroff",
        /// The same when its guest reboots.
        OnReboot = "on-reboot",
        /// The same when its guest crashes.
        OnCrash = "on-crash",
    }
}

facts! {
    /// One edit.
    pub struct Edit {
        /// Who wants it.
        pub plugin: PluginName,
        /// Kind of place.
        pub kind: EditKind,
        /// Which of them; none where there is only one.
        pub device: Option<String>,
        /// What stands there; none: nothing.
        pub before: Option<String>,
        /// What shall stand there; none: nothing.
        pub after: Option<String>,
        /// Why, in the policy's words.
        pub reason: String,
    }
}

/// What a policy proposes: an edit that nobody has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Kind of place.
    pub kind: EditKind,
    /// Which of them.
    pub device: Option<String>,
    /// What shall stand there.
    pub after: Option<String>,
    /// Why.
    pub reason: String,
}

/// The edits of a plan, in the order in which they are made; no two of them are about one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits(pub Vec<Edit>);

/// The value of a graphics port that libvirt chooses, and of NUMA nodes that it does.
pub const AUTO: &str = "auto";
/// How the value of an interface's source begins that is a bridge; its name follows.
pub const BRIDGE: &str = "bridge ";
/// The same of a network.
pub const NETWORK: &str = "network ";

impl Edit {
    /// The place in words: `interface 52:54:00:00:00:01`, `title`.
    pub fn place(&self) -> String {
        place(self.kind, self.device.as_deref())
    }

    /// Why it can't be made, with who wants it where.
    pub fn refused(&self, why: &str) -> String {
        format!("policy {} wants to edit {}: {why}", self.plugin, self.place())
    }

    /// The same where something else stands there than the plan was made for; `words` lead to it, as `it is`.
    pub fn outdated(&self, words: &str, now: Option<&str>) -> String {
        let before = self.before.as_deref().unwrap_or("nothing");
        self.refused(&format!("{words} {}, and the plan was made for {before}", now.unwrap_or("nothing")))
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} becomes {}", self.place(), text(&self.before), text(&self.after))
    }
}

/// A place in words.
pub fn place(kind: EditKind, device: Option<&str>) -> String {
    let device = device.unwrap_or("?");
    match kind {
        EditKind::DiskSource => format!("disk {device}"),
        EditKind::InterfaceSource => format!("interface {device}"),
        EditKind::GraphicsListen => format!("{device} address"),
        EditKind::GraphicsPort => format!("{device} port"),
        EditKind::CharacterPath => device.to_owned(),
        EditKind::Metadata => format!("metadata {device}"),
        EditKind::CpuPin => format!("{device} pin"),
        EditKind::MemoryNodes => "NUMA nodes of the memory".to_owned(),
        EditKind::Emulator
        | EditKind::Loader
        | EditKind::Title
        | EditKind::Description
        | EditKind::OnPoweroff
        | EditKind::OnReboot
        | EditKind::OnCrash => kind.to_string(),
    }
}

/// Two policies that want different things of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The one of the earlier name.
    pub first: Edit,
    /// The other.
    pub second: Edit,
}

/// Puts the edits of several policies together, in the order given. What two of them want alike is wanted once; what they
/// want differently is nobody's to decide.
pub fn merge(wanted: impl IntoIterator<Item = Edit>) -> Result<Edits, Vec<Conflict>> {
    let (mut edits, mut conflicts) = (Vec::<Edit>::new(), Vec::new());
    for edit in wanted {
        match edits.iter().find(|other| (other.kind, &other.device) == (edit.kind, &edit.device)) {
            None => edits.push(edit),
            Some(other) if other.after == edit.after => {}
            Some(other) => conflicts.push(Conflict { first: other.clone(), second: edit }),
        }
    }
    if conflicts.is_empty() { Ok(Edits(edits)) } else { Err(conflicts) }
}

impl Edits {
    /// Whether there is anything to edit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The edit of a disk's path.
    pub fn of_disk(&self, target: &str) -> Option<&Edit> {
        self.0.iter().find(|edit| edit.kind == EditKind::DiskSource && edit.device.as_deref() == Some(target))
    }

    /// Whether a destination has to be looked at again, because disks are elsewhere there.
    pub fn move_disks(&self) -> bool {
        self.0.iter().any(|edit| edit.kind == EditKind::DiskSource)
    }
}

#[cfg(test)]
mod tests;
