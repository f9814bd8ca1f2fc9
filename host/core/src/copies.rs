//! Which disks travel along, and what each of them needs on the destination.
//!
//! A copy is dangerous in two ways: a target that is really the source's own file would be written over while the guest
//! uses it, and a target that holds something else would be lost. So a whole copy is made only where a pool of the
//! destination says that nothing is there, and where nothing says that its store is the source's; an incremental one
//! only over an image that is there and proven to be another than the source's. Whatever can't be told is refused with
//! what a person has to do about it.

mod room;
mod uncopyable;

use crate::facts;
use crate::facts::{Candidate, Disk, DiskView, Pool, Snapshot, Volume};
use crate::stream::{DiskCopy, Disks};

pub(crate) use room::doubts;
pub use room::used_bytes;
pub use uncopyable::Uncopyable;

facts! {
    /// A disk that is copied, and its target on the destination.
    pub struct CopiedDisk {
        /// Target in the guest (`vda`).
        pub target: String,
        /// Path of the source, which is that of the copy as well.
        pub path: String,
        /// Pool of the destination that holds the copy.
        pub pool: String,
        /// Its name in that pool.
        pub volume: String,
        /// Virtual size.
        pub capacity_bytes: u64,
        /// `raw`, `qcow2`.
        pub format: String,
        /// The image right behind it, which an incremental copy needs on the destination; none for a whole copy.
        pub backing: Option<String>,
    }
}

/// The disks that a plan copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copies(pub Vec<CopiedDisk>);

impl Copies {
    /// What is asked, said of these disks by name, and a sentence for each name that is left out. libvirt left alone would copy
    /// disks that are shared, too, and refuses what is said of one that it doesn't copy only once the targets are made.
    pub fn by_name(&self, asked: &Disks) -> (Disks, Vec<String>) {
        let mut left_out = Vec::new();
        let mut of_copied = |option: &str, named: &[String]| -> Vec<String> {
            let is_copied = |target: &String| self.0.iter().any(|disk| disk.target == *target);
            let (copied, others): (Vec<String>, Vec<String>) = named.iter().cloned().partition(is_copied);
            let words = |target: &String| format!("{option} {target} has no effect: that disk is not copied");
            left_out.extend(others.iter().map(words));
            copied
        };
        let detect_zeroes = of_copied("detect-zeroes", &asked.detect_zeroes);
        let target_zero = of_copied("target-zero", &asked.target_zero);
        let targets = self.0.iter().map(|disk| disk.target.clone()).collect();
        (Disks { targets, detect_zeroes, target_zero, ..asked.clone() }, left_out)
    }
}

/// The disks to copy to a destination, each with its target or with what stands against it. A disk that the destination
/// shares is not in the list, unless it was asked for by name.
pub fn resolve(asked: &Disks, facts: &Snapshot, to: &Candidate) -> Vec<(String, Result<CopiedDisk, Uncopyable>)> {
    if asked.copy == DiskCopy::No {
        return Vec::new();
    }
    let case = Case { asked, facts, to };
    let mut found: Vec<_> = if asked.targets.is_empty() {
        let disks = facts.domain.disks.iter().filter(|disk| travels_by_itself(disk));
        disks.filter_map(|disk| Some((disk.target.clone(), case.disk(disk, Wish::Any)?))).collect()
    } else {
        let of = |target: &String| {
            let disk = facts.domain.disks.iter().find(|disk| disk.target == *target);
            let unknown = || Some(Err(Uncopyable::NoSuchDisk(target.clone())));
            Some((target.clone(), disk.map_or_else(unknown, |disk| case.disk(disk, Wish::ByName))?))
        };
        asked.targets.iter().filter_map(of).collect()
    };
    if asked.copy == DiskCopy::Full {
        room::weigh(&mut found, facts, to);
    }
    found
}

/// The same, if all of them can be copied, and every disk is there that something is said of.
pub fn copies(asked: &Disks, facts: &Snapshot, to: &Candidate) -> Result<Copies, Uncopyable> {
    let unknown = |target: &&String| facts.domain.disks.iter().all(|disk| disk.target != **target);
    if let Some(target) = asked.detect_zeroes.iter().chain(&asked.target_zero).find(unknown) {
        return Err(Uncopyable::NoSuchDisk(target.clone()));
    }
    resolve(asked, facts, to).into_iter().map(|(_, disk)| disk).collect::<Result<_, _>>().map(Copies)
}

/// Whether a disk was asked for by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    ByName,
    Any,
}

/// What libvirt copies if no disk is named: writable, of this guest alone, with a medium, and no network's.
fn travels_by_itself(disk: &Disk) -> bool {
    let local = matches!(disk.kind.as_str(), "file" | "block" | "volume");
    local && !disk.read_only && !disk.shareable && disk.source.is_some()
}

/// Why such a disk is never copied.
fn unfit(disk: &Disk) -> Option<&'static str> {
    if disk.source.is_none() {
        return Some("the drive is empty");
    }
    match disk.kind.as_str() {
        "file" | "block" | "volume" => {}
        "network" => return Some("it is a network disk, which every host reaches by itself"),
        _ => return Some("it is a device or a process of its host; move its data to an image"),
    }
    if disk.read_only {
        Some("it is read-only; put it where both hosts see it")
    } else if disk.shareable {
        Some("other guests may use it, and would not follow; put it where both hosts see it")
    } else if disk.transient {
        Some("it is transient, which libvirt migrates only while the domain is shut off")
    } else if disk.encrypted {
        Some("it is encrypted, and its target would need the key; put it where both hosts see it")
    } else {
        None
    }
}

struct Case<'a> {
    asked: &'a Disks,
    facts: &'a Snapshot,
    to: &'a Candidate,
}

impl Case<'_> {
    /// None for a disk that need not be copied.
    fn disk(&self, disk: &Disk, wish: Wish) -> Option<Result<CopiedDisk, Uncopyable>> {
        if let Some(why) = unfit(disk) {
            return Some(Err(Uncopyable::Kind { disk: disk.target.clone(), why }));
        }
        match self.shared(disk) {
            Some(_) if wish == Wish::Any => None,
            Some(why) => {
                Some(Err(Uncopyable::Shared { disk: disk.target.clone(), host: self.to.host.name.clone(), why }))
            }
            None => Some(self.target(disk)),
        }
    }

    fn here(&self, disk: &Disk) -> Option<&DiskView> {
        self.facts.source_disks.iter().find(|view| view.target == disk.target)
    }

    fn there(&self, disk: &Disk) -> Option<&DiskView> {
        self.to.pair.destination_disks.iter().find(|view| view.target == disk.target)
    }

    /// Whether the destination has the very disk, and how that is known.
    fn shared(&self, disk: &Disk) -> Option<&'static str> {
        let (here, there) = (self.here(disk), self.there(disk));
        let path = disk.source.as_deref().unwrap_or_default();
        let pool_of = |host: &'_ crate::facts::HostFacts, view: Option<&DiskView>| {
            let named = view.and_then(|view| view.pool.as_deref()).and_then(|name| host.pool(name));
            named.or_else(|| host.pool_of_path(path)).cloned()
        };
        let ours = pool_of(&self.facts.source, here);
        let theirs = pool_of(&self.to.host, there);
        if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
            let proofs = &self.to.pair.storage_proofs;
            let proof = proofs.iter().find(|p| p.source_pool == ours.name && p.destination_pool == theirs.name);
            match proof {
                Some(proof) if proof.shared => return Some("a probe proved it"),
                Some(_) => return None,
                None if names_one_store(ours, theirs, path) => return Some("its pools name one store"),
                None => {}
            }
        }
        let again = self.facts.source_disks_again.iter().find(|view| view.target == disk.target);
        let volume = |view: Option<&DiskView>| view.and_then(|view| view.volume.clone());
        may_be_one(&volume(here)?, &volume(there)?, volume(again).as_ref())
            .then_some("both hosts see one file there, as its time of change tells")
    }

    /// What is to be made ready for a disk that isn't shared.
    fn target(&self, disk: &Disk) -> Result<CopiedDisk, Uncopyable> {
        let host = &self.to.host;
        let here = self.here(disk).and_then(|view| view.volume.as_ref());
        let view = self.there(disk);
        let shown = disk.source.clone().unwrap_or_default();
        let no_pool = || Uncopyable::NoPool { disk: disk.target.clone(), host: host.name.clone(), path: shown.clone() };
        let pool = view.and_then(|view| view.pool.as_deref()).and_then(|name| host.pool(name)).ok_or_else(no_pool)?;
        let folder = pool.target.as_deref().map(|folder| folder.trim_end_matches('/'));
        if !pool.active {
            return Err(no_pool());
        }
        let (path, volume) = match (disk.kind.as_str(), &disk.volume, folder) {
            ("volume", Some(volume), Some(folder)) => (format!("{folder}/{volume}"), volume.clone()),
            (_, _, Some(folder)) => {
                let name = shown.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
                let name = name.filter(|name| !name.is_empty() && !name.contains('/')).ok_or_else(no_pool)?;
                (shown.clone(), name.to_owned())
            }
            (_, _, None) => return Err(no_pool()),
        };
        let unread = |what| Uncopyable::Unread { disk: disk.target.clone(), what };
        let capacity_bytes = disk
            .capacity_bytes
            .or(here.map(|volume| volume.capacity_bytes))
            .filter(|bytes| *bytes > 0)
            .ok_or_else(|| unread("size"))?;
        // Without a word on it libvirt runs the disk as raw.
        let format = disk.format.clone().unwrap_or_else(|| "raw".to_owned());
        let copy = CopiedDisk {
            target: disk.target.clone(),
            path,
            pool: pool.name.clone(),
            volume,
            capacity_bytes,
            format,
            backing: None,
        };
        let volume = view.and_then(|view| view.volume.as_ref());
        match (self.asked.copy, volume) {
            (DiskCopy::Incremental, None) => {
                Err(Uncopyable::NoTarget { disk: copy.target, host: host.name.clone(), path: copy.path })
            }
            (DiskCopy::Incremental, Some(volume)) => {
                let backing = disk.backing.first().and_then(|layer| layer.source.clone());
                self.prepared(CopiedDisk { backing, ..copy }, here, volume)
            }
            (_, Some(_)) => Err(Uncopyable::Taken { disk: copy.target, host: host.name.clone(), path: copy.path }),
            (_, None) => {
                let made = match pool.kind.as_str() {
                    "dir" | "fs" | "netfs" => matches!(copy.format.as_str(), "raw" | "qcow2"),
                    "logical" => copy.format == "raw",
                    _ => false,
                };
                if made {
                    return Ok(copy);
                }
                Err(Uncopyable::PoolKind {
                    disk: copy.target,
                    host: host.name.clone(),
                    pool: copy.pool,
                    lacks: format!("{}, which makes no {}", pool.kind, copy.format),
                })
            }
        }
    }

    /// Whether a target that a person prepared is another image than the source's, and fits.
    fn prepared(&self, copy: CopiedDisk, here: Option<&Volume>, there: &Volume) -> Result<CopiedDisk, Uncopyable> {
        let host = self.to.host.name.clone();
        let unlike = |what, here: String, there: String| {
            let (disk, host, path) = (copy.target.clone(), host.clone(), copy.path.clone());
            Uncopyable::Unlike { disk, host, path, what, sides: Box::new((here, there)) }
        };
        if there.capacity_bytes != copy.capacity_bytes {
            return Err(unlike("size", copy.capacity_bytes.to_string(), there.capacity_bytes.to_string()));
        }
        if let Some(format) = there.format.as_ref().filter(|format| **format != copy.format) {
            return Err(unlike("format", copy.format.clone(), format.clone()));
        }
        if here.is_none_or(|here| !are_two(here, there)) {
            let why = "nothing shows that it is another image than the source's own";
            return Err(Uncopyable::Shared { disk: copy.target, host, why });
        }
        Ok(copy)
    }
}

/// Whether both pools name one store that other hosts can name too, and the path is one place on it.
fn names_one_store(ours: &Pool, theirs: &Pool, path: &str) -> bool {
    let place = |pool: &Pool| {
        let below = pool.target.as_deref().and_then(|target| path.strip_prefix(target.trim_end_matches('/')));
        let export = pool.source.dir.as_deref().unwrap_or_default().trim_end_matches('/');
        format!("{export}/{}", below.unwrap_or(path).trim_start_matches('/'))
    };
    let (a, b) = (&ours.source, &theirs.source);
    ours.kind == theirs.kind
        && a.names_a_store()
        && a.hosts.len() == b.hosts.len()
        && a.hosts.iter().all(|host| b.hosts.contains(host))
        && a.name == b.name
        && a.devices == b.devices
        && place(ours) == place(theirs)
}

/// A key that no other volume of any host has: a path is one on each host.
fn unique(volume: &Volume) -> Option<&str> {
    (volume.kind == "block" && !volume.key.is_empty() && !volume.key.starts_with('/')).then_some(volume.key.as_str())
}

/// Whether two views may be of one volume, and something speaks for it: one unique key, or one time of change, or one
/// that lies between two looks of the source, as that of a file does which is being written.
fn may_be_one(ours: &Volume, theirs: &Volume, again: Option<&Volume>) -> bool {
    if ours.capacity_bytes != theirs.capacity_bytes {
        return false;
    }
    if let (Some(here), Some(there)) = (unique(ours), unique(theirs)) {
        return here == there;
    }
    let (Some(here), Some(there)) = (moment(ours), moment(theirs)) else { return false };
    ours.kind != "block" && here <= there && again.and_then(moment).map_or(here == there, |again| there <= again)
}

/// Whether two volumes are proven to be two.
fn are_two(ours: &Volume, theirs: &Volume) -> bool {
    if let (Some(here), Some(there)) = (unique(ours), unique(theirs)) {
        return here != there;
    }
    ours.kind != "block" && matches!((moment(ours), moment(theirs)), (Some(here), Some(there)) if here != there)
}

/// The time of an inode's last change; none where it isn't told.
fn moment(volume: &Volume) -> Option<(u64, u64)> {
    let time = volume.changed.as_deref()?;
    let (whole, part) = time.split_once('.').unwrap_or((time, "0"));
    Some((whole.parse().ok()?, format!("{part:0<9}").parse().ok()?))
}

/// Whether a volume on the destination may be what the source runs from: asked before a target is removed, with the
/// source looked at before and after the destination. Where it can't be told, it may.
pub fn may_be_the_source(before: Option<&Volume>, target: &Volume, after: Option<&Volume>) -> bool {
    match before {
        // The source sees nothing under that path: its disk is elsewhere, or not in a pool; then a target that this
        // migration made where nothing was is no file of the source.
        None => false,
        Some(before) => may_be_one(before, target, after),
    }
}

/// Whether a volume is what would be made for a disk: its size and format.
pub fn fits(disk: &CopiedDisk, volume: &Volume) -> bool {
    volume.capacity_bytes == disk.capacity_bytes && volume.format.as_ref().is_none_or(|format| *format == disk.format)
}

/// Whether a volume can only be one that was made for this disk and never written to: of a raw one nothing is in use, of
/// a qcow2 one no more than its own tables.
pub fn is_as_new(disk: &CopiedDisk, volume: &Volume) -> bool {
    let tables = match disk.format.as_str() {
        "raw" => 0,
        // Header, refcounts, and eight bytes for each 512 MiB, in clusters of 64 KiB.
        "qcow2" => (256 << 10) + (disk.capacity_bytes >> 26),
        _ => return false,
    };
    fits(disk, volume) && volume.allocation_bytes <= tables
}

#[cfg(test)]
pub(crate) mod tests;
