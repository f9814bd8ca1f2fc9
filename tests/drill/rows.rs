//! What is broken, when, and what must be true afterwards.

use waypost_lab::Link;

use crate::fault::{Fault, LINKS};
use crate::obstacle::Obstacle;

/// In which way the domain travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    PeerToPeer,
    Direct,
}

/// How far the migration is when it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A disk that the destination does not share is being copied; the memory comes after it.
    Storage,
    /// Memory is being copied.
    PreCopy,
    /// The guest runs on the destination and its memory follows.
    PostCopy,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Something breaks while the domain travels.
    Midway(Stage, Fault),
    /// Something is there, or is missing, before it starts; the prechecks may only advise.
    Beforehand(Obstacle),
}

/// What may become of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It runs on the source, and nothing is on the destination.
    Source,
    /// The same, and nothing was begun: the plan itself refuses.
    Refused,
    /// It runs on the destination, and nothing is on the source.
    Destination,
    /// Either, whichever the task says.
    Either,
    /// A person is called. It runs on the source, and taking that for the end is what is permitted.
    StuckOnSource,
    /// Its only process was killed: the task says that it is lost, and its definition is where it was.
    Lost,
    /// The same of one whose memory was on both sides: one half was killed, and nobody ends the other.
    HalfLost,
}

/// One row of the drill.
#[derive(Debug, Clone)]
pub struct Row {
    pub way: Way,
    pub trouble: Trouble,
    pub expected: Expected,
    /// Runs in `make test`.
    pub quick: bool,
}

impl Row {
    pub fn name(&self) -> String {
        let way = match self.way {
            Way::PeerToPeer => "peer-to-peer",
            Way::Direct => "direct",
        };
        let stage = match &self.trouble {
            Trouble::Midway(Stage::Storage, _) => "storage copy",
            Trouble::Midway(Stage::PreCopy, _) => "pre-copy",
            Trouble::Midway(Stage::PostCopy, _) => "post-copy",
            Trouble::Beforehand(_) => "start",
        };
        match &self.trouble {
            Trouble::Midway(_, fault) => format!("{way}, {stage}: {}", fault.name()),
            Trouble::Beforehand(obstacle) => format!("{way}, {stage}: {}", obstacle.name()),
        }
    }

    pub fn stage(&self) -> Option<Stage> {
        match &self.trouble {
            Trouble::Midway(stage, _) => Some(*stage),
            Trouble::Beforehand(_) => None,
        }
    }

    pub fn fault(&self) -> Option<&Fault> {
        match &self.trouble {
            Trouble::Midway(_, fault) => Some(fault),
            Trouble::Beforehand(_) => None,
        }
    }

    /// Whether what was made for a copied disk stays, for a person to remove: where a guest is lost nothing of it is removed,
    /// and without its pool nothing can be.
    pub fn leaves_copy(&self) -> bool {
        self.stage() == Some(Stage::Storage)
            && (self.expected == Expected::Lost || self.fault() == Some(&Fault::PoolStopped))
    }

    /// Whether it is the copying of a disk that breaks, and not the migration around it.
    fn is_about_the_copy(&self) -> bool {
        let cut = |links: &[Link], s: &Option<u64>| links == LINKS.migration && s.is_some_and(|s| s > 60);
        match self.fault() {
            Some(Fault::KillQemu("kvm2") | Fault::DiskFull) => true,
            Some(Fault::Cut { links, s }) => cut(links, s),
            _ => false,
        }
    }

    /// Whether the domain takes its disk along.
    pub fn copies(&self) -> bool {
        match &self.trouble {
            Trouble::Midway(stage, _) => *stage == Stage::Storage,
            Trouble::Beforehand(obstacle) => obstacle.copies(),
        }
    }
}

/// Every row.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for way in [Way::PeerToPeer, Way::Direct] {
        rows.extend(beforehand(way));
        // The copying itself is the same in both ways, and its rows are the longest: of a direct one those that the copying
        // itself is about.
        let copying = before_the_switch(way, Stage::Storage);
        rows.extend(copying.filter(|row| way == Way::PeerToPeer || row.is_about_the_copy()));
        rows.extend(before_the_switch(way, Stage::PreCopy));
        rows.extend(after_the_switch(way));
    }
    for row in &mut rows {
        row.quick = quick(row);
    }
    rows
}

fn beforehand(way: Way) -> impl Iterator<Item = Row> {
    Obstacle::ALL.into_iter().map(move |obstacle| {
        let expected = if obstacle.reaches_libvirt() { Expected::Source } else { Expected::Refused };
        Row { way, trouble: Trouble::Beforehand(obstacle), expected, quick: false }
    })
}

/// While the source's copy is the only one that ever ran.
fn before_the_switch(way: Way, stage: Stage) -> impl Iterator<Item = Row> {
    use Expected as E;
    use Fault as F;
    // The controller of a direct migration has its own way to both hosts.
    let without_management = if way == Way::Direct { E::Either } else { E::Source };
    let mut rows = vec![
        (F::KillQemu("kvm2"), E::Source),
        (F::KillQemu("kvm1"), E::Lost),
        (F::KillDaemon { hosts: &["kvm2"], back_after_s: 0 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1"], back_after_s: 0 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1"], back_after_s: 15 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 0 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 15 }, E::Source),
        (F::Cut { links: LINKS.management, s: Some(4) }, E::Either),
        (F::Cut { links: LINKS.management, s: Some(60) }, without_management),
        (F::Cut { links: LINKS.management, s: None }, without_management),
        (F::Cut { links: LINKS.migration, s: Some(4) }, E::Either),
        (F::Cut { links: LINKS.migration, s: Some(60) }, E::Source),
        (F::Cut { links: LINKS.migration, s: None }, E::Source),
        (F::Cut { links: LINKS.both, s: Some(60) }, E::Source),
        (F::Cut { links: LINKS.both, s: None }, E::Source),
        (F::Loss { percent: 20, s: 10 }, E::Either),
        (F::Delay { ms: 200 }, E::Either),
        (F::HalfOpen { s: None }, E::Source),
        (F::PowerLoss { host: "kvm2", s: 40 }, E::Source),
        (F::KillController, E::Either),
        (F::StopController { s: 10 }, E::Either),
        (F::StopController { s: 60 }, E::Either),
        (F::StoreFull, E::Either),
        (F::HangingPolicy, E::StuckOnSource),
    ];
    if stage == Stage::Storage {
        // Nothing ends a copy whose packets can't come through, not even libvirt: it waits until there is a way again.
        for (fault, _) in &mut rows {
            match fault {
                F::Cut { links, s: s @ None } if links.contains(&Link::Migration) => *s = Some(120),
                F::HalfOpen { s } => *s = Some(60),
                _ => {}
            }
        }
        rows.extend([(F::DiskFull, E::Source), (F::PoolStopped, E::Source)]);
    }
    rows.into_iter().map(move |(fault, expected)| Row {
        way,
        trouble: Trouble::Midway(stage, fault),
        expected,
        quick: false,
    })
}

/// While the guest is one half here and one half there.
fn after_the_switch(way: Way) -> impl Iterator<Item = Row> {
    use Expected as E;
    use Fault as F;
    let mut rows = vec![
        (F::KillQemu("kvm2"), E::HalfLost),
        (F::KillQemu("kvm1"), E::HalfLost),
        (F::KillDaemon { hosts: &["kvm2"], back_after_s: 0 }, E::Destination),
        (F::Cut { links: LINKS.migration, s: Some(4) }, E::Destination),
        (F::Cut { links: LINKS.migration, s: Some(60) }, E::Destination),
        (F::Delay { ms: 200 }, E::Destination),
        (F::StopController { s: 10 }, E::Destination),
        (F::StoreFull, E::Destination),
    ];
    if way == Way::PeerToPeer {
        rows.extend([
            (F::KillController, E::Destination),
            (F::KillDaemon { hosts: &["kvm1"], back_after_s: 0 }, E::Destination),
        ]);
    }
    rows.into_iter().map(move |(fault, expected)| Row {
        way,
        trouble: Trouble::Midway(Stage::PostCopy, fault),
        expected,
        quick: false,
    })
}

/// One of each kind of fault, in the way that a migration takes unasked; the longest waits are left to `make drill`.
fn quick(row: &Row) -> bool {
    if row.way == Way::Direct {
        return false;
    }
    match &row.trouble {
        Trouble::Beforehand(_) => false,
        Trouble::Midway(Stage::Storage, fault) => matches!(fault, Fault::KillQemu("kvm2")),
        Trouble::Midway(Stage::PreCopy, fault) => match fault {
            Fault::KillQemu(_) | Fault::KillController => true,
            Fault::KillDaemon { back_after_s, .. } => *back_after_s == 0,
            _ => false,
        },
        Trouble::Midway(Stage::PostCopy, fault) => matches!(fault, Fault::KillController),
    }
}
